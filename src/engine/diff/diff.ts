/**
 * The flows whose verdict differs between two inventories. Both are asked about the same flows: all pairs of what
 * either holds or names, and ports cut where either cuts them. An endpoint that one of them doesn't hold has no flows
 * there.
 */
import type { Inventory } from "../../model/inventory.ts";
import type { Family } from "../../net/address.ts";
import { type Endpoint, listInside, listOutside } from "../matrix/endpoints.ts";
import { FlowJudge, type NumberedDecision } from "../matrix/flow-judge.ts";
import { classKey, flowFamilies, groupBy } from "../matrix/groups.ts";
import { maxFlows, TooManyFlows } from "../matrix/matrix.ts";
import { listMentions } from "../matrix/mentions.ts";
import { listServices, type Service } from "../matrix/services.ts";
import type { Program } from "../program.ts";
import type { EndpointNames } from "../render-explain-names.ts";
import { mergeChanges } from "./merge.ts";

export interface DiffSide {
  readonly inventory: Inventory;
  readonly program: Program;
  readonly names: EndpointNames;
}

/** An endpoint as each side knows it. */
export interface DiffEnd {
  readonly name: string;
  readonly before: Endpoint | null;
  readonly after: Endpoint | null;
}

/** Endpoints that neither side tells apart. */
export type DiffGroup = readonly DiffEnd[];

/** Flows that changed in the same way, for the same reasons. */
export interface FlowChange {
  readonly sources: readonly DiffGroup[];
  readonly destinations: readonly DiffGroup[];
  readonly services: readonly Service[];
  readonly families: readonly Family[];
  /** Null where one of the ends isn't there. */
  readonly before: NumberedDecision | null;
  readonly after: NumberedDecision | null;
}

export interface InventoryDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changes: readonly FlowChange[];
  readonly services: readonly Service[];
  /** `explain`'s words for one flow of the change, on one side. */
  describe(change: FlowChange, side: "before" | "after"): readonly string[];
}

/** Throws TooManyFlows. */
export function diffInventories(before: DiffSide, after: DiffSide): InventoryDiff {
  const ends = listEnds(before.inventory, after.inventory);
  const groups = groupBy(ends, (end) => keyOf(end, before.program, after.program));
  const services = listServices([listMentions(before.inventory), listMentions(after.inventory)]);
  if (groups.length ** 2 * services.length * flowFamilies.length > maxFlows) {
    throw new TooManyFlows(groups.length, services.length);
  }
  const judges = { before: new FlowJudge(before.program), after: new FlowJudge(after.program) };
  const sides = { before, after };
  return {
    added: ends.filter((end) => end.before === null).map((end) => end.name),
    removed: ends.filter((end) => end.after === null).map((end) => end.name),
    changes: mergeChanges(listChanges(groups, services, judges), judges),
    services,
    describe(change, side) {
      const pair = pairOf(change.sources[0] as DiffGroup, change.destinations[0] as DiffGroup);
      const [source, destination] = [pair?.[0][side], pair?.[1][side]];
      const [service] = change.services;
      if (!source || !destination || !service) return [];
      return judges[side].describe(source, destination, service, change.families[0] as Family, sides[side].names);
    },
  };
}

function listEnds(before: Inventory, after: Inventory): readonly DiffEnd[] {
  const ofBefore = new Map(listInside(before).map((endpoint) => [endpoint.name, endpoint]));
  const ofAfter = new Map(listInside(after).map((endpoint) => [endpoint.name, endpoint]));
  const outside = listOutside([before, after], [...ofBefore.values(), ...ofAfter.values()], "all");
  return [
    ...outside.map((end): DiffEnd => ({ name: end.name, before: end, after: end })),
    ...[...new Set([...ofBefore.keys(), ...ofAfter.keys()])].map(
      (name): DiffEnd => ({ name, before: ofBefore.get(name) ?? null, after: ofAfter.get(name) ?? null }),
    ),
  ];
}

function keyOf({ before, after }: DiffEnd, old: Program, fresh: Program): string {
  return JSON.stringify([before && classKey(before, old), after && classKey(after, fresh)]);
}

/** Two ends that stand for a flow between groups; null where there is only one end. */
export function pairOf(from: DiffGroup, to: DiffGroup): readonly [DiffEnd, DiffEnd] | null {
  const source = from[0];
  const destination = to[from === to ? 1 : 0];
  return source && destination ? [source, destination] : null;
}

/** One flow that changed; `before` and `after` are numbers of decisions, or -1 for no such flow. */
export interface SingleChange {
  readonly source: DiffGroup;
  readonly destination: DiffGroup;
  readonly service: Service;
  readonly family: Family;
  readonly before: number;
  readonly after: number;
}

function* listChanges(
  groups: readonly DiffGroup[],
  services: readonly Service[],
  judges: { readonly before: FlowJudge; readonly after: FlowJudge },
): Generator<SingleChange> {
  const ask = (
    side: "before" | "after",
    pair: readonly [DiffEnd, DiffEnd],
    service: Service,
    family: Family,
  ): number => {
    const [source, destination] = [pair[0][side], pair[1][side]];
    return source && destination ? judges[side].judge(source, destination, service, family) : -1;
  };
  const stateOf = (side: "before" | "after", number: number): string =>
    // Nobody there is as good as closed.
    number < 0 ? "closed" : (judges[side].decisions[number]?.state ?? "closed");
  for (const source of groups) {
    for (const destination of groups) {
      const pair = pairOf(source, destination);
      if (pair === null || (isOutside(pair[0]) && isOutside(pair[1]))) continue;
      for (const service of services) {
        for (const family of flowFamilies) {
          const before = ask("before", pair, service, family);
          const after = ask("after", pair, service, family);
          if (stateOf("before", before) === stateOf("after", after)) continue;
          yield { source, destination, service, family, before, after };
        }
      }
    }
  }
}

function isOutside({ before }: DiffEnd): boolean {
  return before?.kind === "outside";
}
