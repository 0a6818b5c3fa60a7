/** The same object in two files, or twice in one, is a finding that names both; the first in order of path counts. */
import type { Origin, Report } from "../../model/finding.ts";
import { reportDuplicate } from "../duplicate.ts";

/** The first resource of each id, in order of ids; a second one is reported with both its places. */
export function firstOfEach<T extends { readonly id: string; readonly origin: Origin }>(
  resources: readonly T[],
  report: Report,
): T[] {
  const found = new Map<string, T>();
  for (const resource of resources) {
    const first = found.get(resource.id);
    if (!first) found.set(resource.id, resource);
    else reportDuplicate(resource, first, report);
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
