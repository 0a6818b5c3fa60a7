/** Single flows that changed → few lines: families, services, sources and destinations that changed alike are one. */
import type { FlowJudge } from "../matrix/flow-judge.ts";
import { groupBy } from "../matrix/groups.ts";
import type { FlowChange, SingleChange } from "./diff.ts";

/** In order of the first flow of each. */
export function mergeChanges(
  singles: Iterable<SingleChange>,
  judges: { readonly before: FlowJudge; readonly after: FlowJudge },
): readonly FlowChange[] {
  const numbers = new Map<unknown, number>();
  const numberOf = (thing: unknown): number => {
    const number = numbers.get(thing) ?? numbers.size;
    numbers.set(thing, number);
    return number;
  };
  const keyOf = (...parts: readonly (number | readonly unknown[])[]): string =>
    JSON.stringify(parts.map((part) => (typeof part === "number" ? part : part.map(numberOf))));

  const perFamily = groupBy([...singles], (one) =>
    keyOf([one.source, one.destination, one.service], one.before, one.after),
  ).map(([first, ...others]) => {
    const { source, destination, service, family, before, after } = first as SingleChange;
    const families = [family, ...others.map((other) => other.family)];
    return { sources: [source], destinations: [destination], services: [service], families, before, after };
  });
  const perService = join(perFamily, "services", (one) =>
    keyOf(one.sources, one.destinations, one.families, one.before, one.after),
  );
  const perSource = join(perService, "sources", (one) =>
    keyOf(one.destinations, one.services, one.families, one.before, one.after),
  );
  const perDestination = join(perSource, "destinations", (one) =>
    keyOf(one.sources, one.services, one.families, one.before, one.after),
  );
  return perDestination.map(({ before, after, ...rest }) => ({
    ...rest,
    before: judges.before.decisions[before] ?? null,
    after: judges.after.decisions[after] ?? null,
  }));
}

type Merging = Omit<FlowChange, "before" | "after"> & { readonly before: number; readonly after: number };

/** Changes of one key become one, with all that they have under `what`. */
function join<K extends "services" | "sources" | "destinations">(
  changes: readonly Merging[],
  what: K,
  keyOf: (change: Merging) => string,
): readonly Merging[] {
  return groupBy(changes, keyOf).map((members) => {
    const all = members.flatMap((member): readonly Merging[K][number][] => member[what]);
    return { ...(members[0] as Merging), [what]: all };
  });
}
