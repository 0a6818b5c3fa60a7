/**
 * Every knob with its values and default, in one place (PL-0). The first value is the default. `defaultVerdict.STAGE`
 * and `awsExempt.CLASS` are families of knobs.
 */
import { stageNames } from "./stage.ts";

export const exemptClasses = ["dns", "dhcp", "imds", "ecs-metadata", "kms", "time", "router"] as const;
export type ExemptClass = (typeof exemptClasses)[number];

const choices = {
  bypass: ["drop", "accept"],
  overflow: ["drop", "accept"],
  errorVerdict: ["deny", "accept"],
  onStop: ["remove", "keep"],
  denyAction: ["drop", "reject"],
  sgOnChange: ["aws", "strict"],
  sgIcmpErrors: ["related", "require-rule"],
  sgTimeouts: ["kernel", "aws"],
  sourceDestCheck: ["on", "off"],
  ipBlockMatchesPods: ["true", "false"],
  npNonL4: ["peer-only", "allow", "deny"],
  npEgressToOwnNode: ["allow", "evaluate"],
  npOnChange: ["strict", "new-only"],
} as const;

type Choices = typeof choices;

/** Immutable settings; every field is set. */
export type Knobs = { readonly [K in keyof Choices]: Choices[K][number] } & {
  readonly defaultVerdict: Readonly<Record<string, "accept" | "deny">>;
  readonly awsExempt: Readonly<Record<ExemptClass, "on" | "off">>;
  /** Seconds after start in which a TCP flow met mid-stream passes if either orientation would (PL-26); 0 = strict. */
  readonly midstreamAdoptSeconds: number;
  /** Packets of an address in the pods' range that nobody is known to have (NP-64): held so long, at most, or this. */
  readonly unknownLocalIp: { readonly holdMs: number } | "deny" | "allow";
};

export const defaultKnobs: Knobs = {
  ...(Object.fromEntries(Object.entries(choices).map(([name, values]) => [name, values[0]])) as {
    [K in keyof Choices]: Choices[K][0];
  }),
  defaultVerdict: {},
  awsExempt: Object.fromEntries(exemptClasses.map((c) => [c, "on"])) as Record<ExemptClass, "on">,
  midstreamAdoptSeconds: 60,
  unknownLocalIp: { holdMs: 2000 },
};

/** One `NAME=VALUE` that can't be taken, and why. */
export interface KnobIssue {
  readonly text: string;
  readonly message: string;
}

/** Parses `NAME=VALUE` settings over the defaults. All problems at once; a bad setting changes nothing. */
export function parseKnobs(settings: readonly string[]): {
  readonly knobs: Knobs;
  readonly issues: readonly KnobIssue[];
} {
  let knobs = defaultKnobs;
  const issues: KnobIssue[] = [];
  for (const text of settings) {
    const at = text.indexOf("=");
    const result = at < 0 ? "a setting is NAME=VALUE" : withKnob(knobs, text.slice(0, at), text.slice(at + 1));
    if (typeof result === "string") issues.push({ text, message: result });
    else knobs = result;
  }
  return { knobs, issues };
}

/** Every knob's name with its values, default first, for help and documentation. */
export function listKnobs(): { readonly name: string; readonly values: readonly string[] }[] {
  return [
    ...Object.entries(choices).map(([name, values]) => ({ name, values })),
    { name: "defaultVerdict.STAGE", values: ["accept", "deny"] },
    { name: "awsExempt.CLASS", values: ["on", "off"] },
    { name: "midstream", values: ["adopt(60)", "strict"] },
    { name: "unknownLocalIp", values: ["hold(2000)", "deny", "allow"] },
  ];
}

function withKnob(knobs: Knobs, name: string, value: string): Knobs | string {
  const [family = "", member = ""] = name.split(".", 2);
  if (Object.hasOwn(choices, name)) {
    const values: readonly string[] = choices[name as keyof Choices];
    return values.includes(value) ? { ...knobs, [name]: value } : oneOf(values);
  }
  if (family === "defaultVerdict") {
    const stages: readonly string[] = stageNames;
    if (!stages.includes(member) || name !== `${family}.${member}`) return `the stages are ${stages.join(", ")}`;
    if (value !== "accept" && value !== "deny") return oneOf(["accept", "deny"]);
    return { ...knobs, defaultVerdict: { ...knobs.defaultVerdict, [member]: value } };
  }
  if (family === "awsExempt") {
    const classes: readonly string[] = exemptClasses;
    if (!classes.includes(member) || name !== `${family}.${member}`)
      return `the classes are ${exemptClasses.join(", ")}`;
    if (value !== "on" && value !== "off") return oneOf(["on", "off"]);
    return { ...knobs, awsExempt: { ...knobs.awsExempt, [member]: value } };
  }
  if (name === "midstream") {
    const seconds = value === "strict" ? 0 : Number(/^adopt\((\d{1,5})\)$/.exec(value)?.[1] ?? Number.NaN);
    return Number.isNaN(seconds) ? oneOf(["adopt(SECONDS)", "strict"]) : { ...knobs, midstreamAdoptSeconds: seconds };
  }
  if (name === "unknownLocalIp") {
    const holdMs = Number(/^hold\((\d{1,5})\)$/.exec(value)?.[1] ?? 0);
    if (value === "deny" || value === "allow") return { ...knobs, unknownLocalIp: value };
    return holdMs > 0 ? { ...knobs, unknownLocalIp: { holdMs } } : oneOf(["hold(MILLISECONDS)", "deny", "allow"]);
  }
  return `no such knob; the knobs are ${listKnobs()
    .map((k) => k.name)
    .join(", ")}`;
}

function oneOf(values: readonly string[]): string {
  return `the value must be ${values.length > 1 ? "one of " : ""}${values.join(", ")}`;
}
