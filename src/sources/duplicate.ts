/** The same object in two files, or twice in one: the first in order of path counts. */
import { findingAt, type Origin, type Report } from "../model/finding.ts";
import { saysTheSame } from "./same.ts";

interface Resource {
  readonly origin: Origin;
}

/** A warning where both say the same, an error where they don't. */
export function reportDuplicate(object: Resource, first: Resource, report: Report): void {
  const where = first.origin.file === object.origin.file ? "earlier in this file" : `in ${first.origin.file}`;
  const isSame = saysTheSame(object, first);
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
