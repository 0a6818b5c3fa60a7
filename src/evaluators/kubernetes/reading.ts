/**
 * Reading untrusted objects field by field, the way the Kubernetes API decodes them: null is absent, and a value of a
 * wrong type is a finding instead of an exception. Each reader answers null for what it has reported; the caller
 * decides what that narrows (DEF-7).
 */
import { type Finding, findingAt, type Origin, type Report } from "../../model/finding.ts";
import { nearestOf } from "../../model/nearest.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** A place inside one object, and where to report what is wrong there. */
export interface Place {
  readonly origin: Origin;
  readonly path: string;
  readonly report: Report;
  /** What a value of a wrong type means here, as the end of a sentence; that it matches nothing, unless told. */
  readonly meaning?: string;
}

export function at(place: Place, key: string | number): Place {
  const step = typeof key === "number" ? `[${key}]` : place.path === "" ? key : `.${key}`;
  return { ...place, path: `${place.path}${step}` };
}

/** Reports an error at the place and returns null, so that a reader can end with it. */
export function refuse(place: Place, code: string, rule: string | null, message: string): null {
  note(place, "error", code, rule, message);
  return null;
}

export function note(
  place: Place,
  severity: Finding["severity"],
  code: string,
  rule: string | null,
  message: string,
): void {
  place.report(findingAt(place.origin, place.path, { severity, code, rule, message }));
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object; the empty one where it is absent; null for anything else. */
export function readObject(value: unknown, place: Place, rule: string): JsonObject | null {
  if (value === undefined || value === null) return {};
  return isObject(value) ? value : wrongType(value, place, "an object", rule);
}

/** The list; the empty one where it is absent; null for anything else. */
export function readList(value: unknown, place: Place, rule: string): readonly unknown[] | null {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : wrongType(value, place, "a list", rule);
}

export function wrongType(value: unknown, place: Place, wanted: string, rule: string | null): null {
  const found = Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `${JSON.stringify(value)}`;
  const meaning = place.meaning ?? "it matches nothing";
  return refuse(place, "wrong-type", rule, `${found} where ${wanted} belongs, so ${meaning}; write ${wanted}`);
}

/** Whether every field is one of the known ones; others are reported, once each. */
export function hasOnly(object: JsonObject, known: readonly string[], place: Place, rule: string): boolean {
  let only = true;
  for (const key of Object.keys(object)) {
    if (known.includes(key) || object[key] === null || object[key] === undefined) continue;
    only = false;
    const message = `no such field here, so this element is invalid; ${fieldHint(key, known)}`;
    refuse(at(place, key), "unknown-field", rule, message);
  }
  return only;
}

/** The remedy for an unknown field: what was meant, or all that there is. */
export function fieldHint(key: string, known: readonly string[]): string {
  const meant = nearestOf(key, known);
  return meant === null ? `the fields are ${known.join(", ")}` : `write ${meant}`;
}

/** The names of those fields that are present. */
export function present(object: JsonObject, keys: readonly string[]): readonly string[] {
  return keys.filter((key) => object[key] !== undefined && object[key] !== null);
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
}

/** A container port's name, by the API's rule: 1–15 of `a-z0-9-`, a letter among them, no stray hyphen (NP-45). */
export function isPortName(value: unknown): value is string {
  return typeof value === "string" && /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/.test(value);
}
