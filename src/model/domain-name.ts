/**
 * Domain names as rules mean them (AN-29): a name means itself, `*.NAME` all names below it and never itself, whatever the
 * case of letters; the dot at the end says nothing.
 */

/** The form in which names are compared. */
export function canonicalName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/**
 * Calls the visitor with each pattern that could mean the name, in canonical form, from the name itself to the shortest
 * one: `a.b.org` → `a.b.org`, `*.b.org`, `*.org`.
 */
export function visitPatterns(name: string, visitor: (pattern: string) => void): void {
  visitor(name);
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) visitor(`*${name.slice(dot)}`);
}
