/** The order of an inventory's lists: text order of namespace and name (PL-25). */
import type { Origin } from "../../model/finding.ts";

interface Named {
  readonly namespace?: string;
  readonly name: string;
  readonly origin: Origin;
}

/** Total: two objects have different names, kinds included. */
export function byName(a: Named, b: Named): number {
  return (
    compareText(a.namespace ?? "", b.namespace ?? "") ||
    compareText(a.name, b.name) ||
    compareText(a.origin.name, b.origin.name)
  );
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
