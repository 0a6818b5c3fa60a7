/** A lint rule: what in an inventory is legal, and probably not meant. One file each; none of them changes a verdict. */
import type { Finding, Origin, Report } from "../../model/finding.ts";
import { findingAt } from "../../model/finding.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Program } from "../program.ts";

export interface LintSubject {
  readonly inventory: Inventory;
  /** The inventory's, for what only a verdict can tell. */
  readonly program: Program;
}

export type LintRule = (subject: LintSubject, report: Report) => void;

/** A warning with its remedy. */
export function warn(
  report: Report,
  origin: Origin,
  path: string,
  rest: Omit<Finding, "file" | "path" | "severity" | "remedy"> & { readonly remedy: string },
): void {
  report(findingAt(origin, path, { severity: "warning", ...rest }));
}

/** `a, b and 3 more`. */
export function listSome(names: readonly string[], most = 4): string {
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
