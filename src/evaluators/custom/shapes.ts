/** What JavaScript that nobody compiled may hand us instead of what it should. */
import { nearestOf } from "../../model/nearest.ts";

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Called for its answer, which an async function or a generator wouldn't give. */
export function isPlainFunction(value: unknown): value is (...args: never) => unknown {
  return typeof value === "function" && !/^(?:Async|Generator)/.test(value.constructor.name);
}

/** `evaluateIngres means nothing: did you mean evaluateIngress?`, because what is never asked denies nothing. */
export function findMisspelt(given: object, known: readonly string[]): string[] {
  return Object.keys(given).flatMap((key) => {
    const meant = known.includes(key) ? null : nearestOf(key, known);
    return meant === null ? [] : [`${key} means nothing: did you mean ${meant}?`];
  });
}
