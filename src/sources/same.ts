/** Whether two resources say the same, wherever they were read: what they were read from counts for nothing here. */

/** The order of fields says nothing either. */
export function saysTheSame(a: object, b: object): boolean {
  return a === b || areSameFields(a, b, "origin");
}

function areEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!Array.isArray(a)) return !Array.isArray(b) && areSameFields(a, b, null);
  return Array.isArray(b) && a.length === b.length && a.every((element, i) => areEqual(element, b[i]));
}

function areSameFields(a: object, b: object, ignored: string | null): boolean {
  const left: Readonly<Record<string, unknown>> = { ...a };
  const right: Readonly<Record<string, unknown>> = { ...b };
  let others = 0;
  for (const key in left) {
    if (key === ignored) continue;
    if (!Object.hasOwn(right, key) || !areEqual(left[key], right[key])) return false;
    others++;
  }
  for (const key in right) if (key !== ignored) others--;
  return others === 0;
}
