/** Untrusted JSON, read with three questions. The reference engine reads objects itself, so that parsing is compared too. */

export type Fields = Readonly<Record<string, unknown>>;

/** The object, or null for anything else. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** The elements of a list; none for anything else. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text with something in it, or null. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= from && value <= to;
}

/** No field but those, other than absent ones. */
export function hasOnly(fields: Fields, names: readonly string[]): boolean {
  return Object.keys(fields).every((key) => names.includes(key) || isAbsent(fields[key]));
}

/** The objects among a list's elements. */
export function objectsIn(value: unknown): Fields[] {
  return itemsOf(value)
    .map(fieldsOf)
    .filter((fields) => fields !== null);
}
