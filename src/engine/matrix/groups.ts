/**
 * Endpoints that no policy of some programs tells apart, so that one stands for all. Addresses of one class are judged
 * alike, but for an end that speaks to itself, which nobody asks about here, and by users' evaluators that read them.
 */
import { Reads } from "../../model/evaluator.ts";
import { type Address, addressKey, Family } from "../../net/address.ts";
import type { Program } from "../program.ts";
import type { Endpoint } from "./endpoints.ts";

export interface EndpointGroup {
  /** That of its only member; `shop/web-1 +11` for several. */
  readonly name: string;
  /** At least one. */
  readonly members: readonly Endpoint[];
}

/** In order of their first members. */
export function groupEndpoints(endpoints: readonly Endpoint[], program: Program): readonly EndpointGroup[] {
  return groupBy(endpoints, (endpoint) => classKey(endpoint, program)).map((members) => {
    return { name: nameGroup(members.map((member) => member.name)), members };
  });
}

/** Equal for endpoints that the program judges alike. */
export function classKey({ kind, name, addresses, interfaceId }: Endpoint, program: Program): string {
  const isByAddress = readsAddresses(program);
  const classes = addresses.map((address) => [
    address.family,
    ...program.evaluators.map((evaluator) => evaluator.compiled.classOf(address)),
    isByAddress ? addressKey(address) : "",
  ]);
  // The internet is itself, and outside prefixes aren't mixed with what the inventory holds.
  return JSON.stringify([kind === "outside", name === "internet", interfaceId, classes]);
}

/** A user's evaluator may tell any two addresses apart, unless it says that it knows them by their classes alone. */
function readsAddresses({ stages }: Program): boolean {
  const custom = stages.filter((stage) => stage.name.startsWith("custom:")).flatMap((stage) => stage.evaluators);
  return custom.some(({ compiled }) => (compiled.reads & Reads.addresses) !== 0);
}

/** In order of their first members. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const members = groups.get(key);
    if (members) members.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

/** `shop/web-1 +11`: one of them, and how many more. */
export function nameGroup([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} +${others.length}`;
}

/** Two ends that stand for a flow between groups; null where there is only one end. */
export function pairOf(from: EndpointGroup, to: EndpointGroup): readonly [Endpoint, Endpoint] | null {
  const [source] = from.members;
  const destination = to.members[from === to ? 1 : 0];
  return source && destination ? [source, destination] : null;
}

/** Families in which flows are judged, in order: where an end has no address, the first one that the other has. */
export const flowFamilies = [Family.ipv4, Family.ipv6] as const;

/** The addresses with which a flow of this family is judged; null where it can't exist. */
export function addressesOf(
  source: Endpoint,
  destination: Endpoint,
  family: Family,
): readonly [Address, Address] | null {
  const [first, second] = [source.addresses[0] as Address, destination.addresses[0] as Address];
  if (first.family === Family.none || second.family === Family.none) {
    return family === Family.ipv4 ? [first, second] : null;
  }
  const from = source.addresses.find((address) => address.family === family);
  const to = destination.addresses.find((address) => address.family === family);
  return from && to ? [from, to] : null;
}
