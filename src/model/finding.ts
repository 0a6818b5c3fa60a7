/**
 * What is wrong with an input, as data: a message is made last. One finding names the file, the place in it, the rule
 * that it breaks and what to do.
 */
export interface Finding {
  readonly severity: "error" | "warning";
  /** Stable, kebab-case: `unknown-security-group`, `port-out-of-range`, … */
  readonly code: string;
  /** The rule of the policy language that it concerns, where there is one: `SG-8`. */
  readonly rule: string | null;
  readonly file: string;
  /** The place in the file: `NetworkPolicy shop/db: spec.ingress[0].ports[1].port`, `line 12, column 3`. */
  readonly path: string;
  /** What was found, what it means for the verdicts, and the remedy: one or two sentences. */
  readonly message: string;
  /** The remedy where the message doesn't say it: `delete the entry`. */
  readonly remedy?: string;
}

/** Where a resource came from; the start of its findings' places. */
export interface Origin {
  readonly file: string;
  /** How its author would name it: `NetworkPolicy shop/db`, `security group sg-0a1b`. */
  readonly name: string;
}

export type Report = (finding: Finding) => void;

/** `FILE: PLACE: MESSAGE [RULE]`, the one form in which findings are printed. */
export function formatFinding(finding: Finding): string {
  const rule = finding.rule === null ? "" : ` [${finding.rule}]`;
  const remedy = finding.remedy === undefined ? "" : `; ${finding.remedy}`;
  return `${finding.file}: ${finding.path}: ${finding.severity}: ${finding.message}${remedy}${rule}`;
}

/** A finding about `path` inside the resource. */
export function findingAt(origin: Origin, path: string, rest: Omit<Finding, "file" | "path">): Finding {
  return { ...rest, file: origin.file, path: path === "" ? origin.name : `${origin.name}: ${path}` };
}
