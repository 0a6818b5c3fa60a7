/**
 * Endpoints that no policy of some programs tells apart, so that one stands for all. Addresses of one class are judged
 * alike, but for an end that speaks to itself, which nobody asks about here.
 */
import { type Address, Family } from "../../net/address.ts";
import type { Program } from "../program.ts";
import type { Endpoint } from "./endpoints.ts";

export interface EndpointGroup {
  /** That of its only member; `shop/web-… (12)` for several. */
  readonly name: string;
  /** At least one. */
  readonly members: readonly Endpoint[];
}

/** In order of their first members; `distinguish` adds to what tells endpoints apart. */
export function groupEndpoints(
  endpoints: readonly Endpoint[],
  programs: readonly Program[],
  distinguish: (endpoint: Endpoint) => string = () => "",
): readonly EndpointGroup[] {
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const classes = endpoint.addresses.map((address) =>
      programs.flatMap((program) => [address.family, ...program.evaluators.map((e) => e.compiled.classOf(address))]),
    );
    // The internet is itself, and so is each outside prefix that has a class of its own.
    const key = JSON.stringify([
      endpoint.kind === "outside",
      endpoint.name === "internet",
      classes,
      endpoint.interfaceId,
      distinguish(endpoint),
    ]);
    const members = groups.get(key);
    if (members) members.push(endpoint);
    else groups.set(key, [endpoint]);
  }
  return [...groups.values()].map((members) => ({ name: nameOf(members), members }));
}

/** `shop/web-1 +11`: one of them, and how many more. */
function nameOf([first, ...others]: readonly Endpoint[]): string {
  const { name } = first as Endpoint;
  return others.length === 0 ? name : `${name} +${others.length}`;
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
