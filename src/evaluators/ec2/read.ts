/**
 * Element-wise reading of AWS JSON (DEF-7): what can't be read is reported with its place and skipped, and its siblings
 * stand. Nothing here throws on any input.
 */
import type { z } from "zod";
import { type Finding, findingAt, type Origin, type Report } from "../../model/finding.ts";

/** The resource that is being read, and where its findings go. */
export interface Reading {
  readonly origin: Origin;
  readonly report: Report;
}

/** What a broken part means: its rule, and the consequence as the end of a sentence. */
export interface Consequence {
  readonly rule: string | null;
  /** `this peer matches nothing`. */
  readonly meaning: string;
}

export interface Element<T> {
  readonly value: T;
  /** `IpPermissions[0].IpRanges[1]`. */
  readonly path: string;
}

export function reportAt(
  { origin, report }: Reading,
  path: string,
  severity: Finding["severity"],
  code: string,
  rule: string | null,
  message: string,
): void {
  report(findingAt(origin, path, { severity, code, rule, message }));
}

/** An object that is no array and no null; anything else gives null. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

/** A list as it stands; missing or null means empty (SG-4), anything else is reported and means empty. */
export function readList(reading: Reading, value: unknown, path: string, consequence: Consequence): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  const message = `a list is expected, not ${describe(value)}: ${consequence.meaning}; print the document again with the AWS CLI`;
  reportAt(reading, path, "error", "bad-shape", consequence.rule, message);
  return [];
}

/** Checks one value against its shape; null after a finding. */
export function readShape<T>(
  reading: Reading,
  value: unknown,
  path: string,
  shape: z.ZodType<T>,
  consequence: Consequence,
): T | null {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const problem = problemOf(value, parsed.error);
  const place = [path, ...problem.path.map(String)].filter((p) => p !== "").join(".");
  const message = `${problem.text}: ${consequence.meaning}; print the document again with the AWS CLI, or correct this value`;
  reportAt(reading, place, "error", "bad-shape", consequence.rule, message);
  return null;
}

/** The readable elements of a list with their places. */
export function readElements<T>(
  reading: Reading,
  value: unknown,
  path: string,
  shape: z.ZodType<T>,
  consequence: Consequence,
): Element<T>[] {
  return readList(reading, value, path, consequence).flatMap((raw, i) => {
    const at = `${path}[${i}]`;
    const read = readShape(reading, raw, at, shape, consequence);
    return read === null ? [] : [{ value: read, path: at }];
  });
}

/** A string that isn't empty, or null. */
export function asText(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** How a value is shown in a finding: its JSON, shortened. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What a shape found wrong with a value. */
export interface Problem {
  /** From the value that was read: `["Type"]`; empty for the value itself. */
  readonly path: readonly PropertyKey[];
  /** The beginning of a sentence, with the value: `RuleNumber is 99999, but must be at most 65535`. */
  readonly text: string;
}

/** The first of the problems. `raw` is what was read. */
export function problemOf(raw: unknown, error: z.ZodError): Problem {
  const issue = error.issues[0];
  if (issue === undefined) return { path: [], text: `${describe(raw)} can't be read` };
  const { path } = issue;
  const found = path.reduce<unknown>((outer, key) => (outer as Record<PropertyKey, unknown>)[key], raw);
  const name = path.length === 0 ? "it" : path.map(String).join(".");
  const text =
    found === undefined
      ? `${name} is missing, and must be ${wantedBy(issue)}`
      : `${name} is ${found === "" ? "empty" : describe(found)}, but must be ${wantedBy(issue)}`;
  return { path, text };
}

const types: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
};

function wantedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return types[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map(describe).join(" or ");
    case "too_big":
      return issue.origin === "string" ? `at most ${issue.maximum} characters` : `at most ${issue.maximum}`;
    case "too_small":
      return issue.origin === "string" ? "text that isn't empty" : `at least ${issue.minimum}`;
    default:
      return "something else";
  }
}
