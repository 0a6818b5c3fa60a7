/** The same object in two files, or twice in one: the first in order of path counts. */
import { findingAt, type Origin, type Report } from "../model/finding.ts";

interface Resource {
  readonly origin: Origin;
}

/** A warning where both say the same, an error where they don't. */
export function reportDuplicate(object: Resource, first: Resource, report: Report): void {
  const where = first.origin.file === object.origin.file ? "earlier in this file" : `in ${first.origin.file}`;
  const isSame = textOf({ ...object, origin: null }) === textOf({ ...first, origin: null });
  const meaning = isSame
    ? "and says the same, so it counts once"
    : "and says something else, which counts, so this one has no effect";
  report(
    findingAt(object.origin, "", {
      severity: isSame ? "warning" : "error",
      code: "duplicate-object",
      rule: null,
      message: `the same object is ${where} ${meaning}; remove one of the two`,
    }),
  );
}

/** The order of an object's fields says nothing. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
