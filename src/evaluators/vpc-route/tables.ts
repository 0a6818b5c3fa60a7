/**
 * Compiles route tables (VR-1 … VR-5): for each table and each class of addresses, where the longest prefix leads and
 * whether that lets a packet out, or in.
 */
import type { Ec2Inventory, NetworkInterface, Route, RouteTable } from "../../model/ec2.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { Address } from "../../net/address.ts";
import { type AddressClassesData, buildAddressClasses } from "../../net/address-classes.ts";
import { formatPrefix, type Prefix, parsePrefix } from "../../net/prefix.ts";
import { listEndpointAddresses } from "../ec2/endpoints.ts";
import { NO_SUBJECT } from "../ec2/ends.ts";
import { subnetIdOf } from "../ec2/subnets.ts";

/** Where a route leads a packet, for one direction; zero is the safe value. */
export const Passage = { noRoute: 0, blackhole: 1, answersOnly: 2, pass: 3, notRouted: 4 } as const;
export type Passage = (typeof Passage)[keyof typeof Passage];

/** `tableOf` of a subnet whose table the input doesn't tell. */
export const MISSING_TABLE = -3;

/** Plain data. */
export interface VpcRouteTables {
  readonly classes: AddressClassesData;
  readonly classCount: number;
  /** By class: the table of its subnet, NO_SUBJECT or MISSING_TABLE. */
  readonly tableOf: Int32Array;
  /** By class; equal and not negative for addresses of one subnet. */
  readonly subnetOf: Int32Array;
  /** By table × `classCount` + class: `Passage`, and the index of the route's RuleRef. */
  readonly egress: Uint8Array;
  readonly ingress: Uint8Array;
  readonly routeOf: Int32Array;
  readonly rules: readonly RuleRef[];
  readonly acceptsErrors: boolean;
}

/** Addresses that never leave the link or are none of a route table's business: services, multicast, broadcast. */
const UNROUTED = ["169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "fe80::/10", "fd00:ec2::/32", "ff00::/8"];

interface KnownClass {
  readonly vpcId: string;
  readonly table: number;
  readonly subnet: number;
}

interface Leg {
  readonly route: Route;
  readonly prefix: Prefix;
  readonly rule: number;
}

export function buildVpcRouteTables({ ec2 }: Inventory, knobs: Knobs): VpcRouteTables {
  const vpcs = new Set(ec2.routeTables.map((t) => t.vpcId));
  const known = new Map<string, KnownClass>();
  const addresses: [Address, string][] = [];
  const subnets = new Map<string, number>();
  for (const { address, owner } of vpcs.size === 0 ? [] : listEndpointAddresses(ec2)) {
    if (!owner) continue;
    const subnetId = subnetIdOf(owner, address, ec2);
    const subnet = subnetId === null ? -1 : (subnets.get(subnetId) ?? subnets.size);
    if (subnetId !== null) subnets.set(subnetId, subnet);
    const table = vpcs.has(owner.vpcId) ? tableOf(subnetId, owner, ec2) : NO_SUBJECT;
    const key = JSON.stringify([address.family, owner.vpcId, table, subnet]);
    known.set(key, { vpcId: owner.vpcId, table, subnet });
    addresses.push([address, key]);
  }

  const rules: RuleRef[] = [];
  const legs = ec2.routeTables.map((table) => legsOf(table, ec2, rules));
  const denials = ec2.routeTables.map((table) => rules.push({ policy: table.id, rule: null }) - 1);
  const unrouted = UNROUTED.flatMap((text) => parsePrefix(text) ?? []);
  const peers = ec2.peerings.flatMap((p) => p.sides.flatMap((s) => s.prefixes));
  const all = vpcs.size === 0 ? [] : [...legs.flat().map((l) => l.prefix), ...unrouted, ...peers];
  const prefixes = [...new Map(all.map((p) => [formatPrefix(p), p])).values()];
  const { data, classes } = buildAddressClasses(addresses, prefixes);
  const info = classes.map((c) => (c.key === null ? undefined : known.get(c.key)));
  const size = ec2.routeTables.length * classes.length;
  const egress = new Uint8Array(size);
  const ingress = new Uint8Array(size);
  const routeOf = new Int32Array(size);
  const unroutedNames = new Set(unrouted.map(formatPrefix));
  classes.forEach(({ prefixes: chain }, c) => {
    const names = new Set(chain.map((i) => formatPrefix(prefixes[i] as Prefix)));
    const isUnrouted = !info[c] && [...names].some((n) => unroutedNames.has(n));
    ec2.routeTables.forEach((table, t) => {
      const at = t * classes.length + c;
      const leg = legs[t]?.filter((l) => names.has(formatPrefix(l.prefix))).reduce(longer, null) ?? null;
      const passage = isUnrouted ? Passage.notRouted : passageOf(leg, table, info[c]?.vpcId ?? null, names, ec2);
      egress[at] = passage === Passage.answersOnly ? Passage.pass : passage;
      ingress[at] = passage;
      // An interface of a VPC whose tables are known: whether it reaches us is its own table's to say.
      if (info[c] && info[c].vpcId !== table.vpcId && vpcs.has(info[c].vpcId)) ingress[at] = Passage.pass;
      routeOf[at] = leg?.rule ?? (denials[t] as number);
    });
  });
  return {
    classes: data,
    classCount: classes.length,
    tableOf: Int32Array.from(info, (k) => k?.table ?? NO_SUBJECT),
    subnetOf: Int32Array.from(info, (k) => k?.subnet ?? -1),
    egress,
    ingress,
    routeOf,
    rules,
    acceptsErrors: knobs.errorVerdict === "accept",
  };
}

/** VR-1: the subnet's own table, or else the VPC's main one. Two candidates are as bad as none. */
function tableOf(subnetId: string | null, { vpcId }: NetworkInterface, ec2: Ec2Inventory): number {
  const explicit = ec2.routeTables.filter((t) => subnetId !== null && t.subnetIds.includes(subnetId));
  const found = explicit.length > 0 ? explicit : ec2.routeTables.filter((t) => t.vpcId === vpcId && t.isMain);
  return found.length === 1 && found[0] ? ec2.routeTables.indexOf(found[0]) : MISSING_TABLE;
}

/** VR-5: a route to a prefix list is one for each entry; an unknown list is none. */
function legsOf(table: RouteTable, ec2: Ec2Inventory, rules: RuleRef[]): Leg[] {
  return table.routes.flatMap((route) => {
    const { destination } = route;
    const isList = "prefixListId" in destination;
    const name = isList ? destination.prefixListId : formatPrefix(destination.prefix);
    const rule = rules.push({ policy: table.id, rule: `${name} via ${route.target}` }) - 1;
    const list = isList ? (ec2.prefixLists.find((l) => l.id === destination.prefixListId)?.prefixes ?? []) : null;
    return (list ?? (isList ? [] : [destination.prefix])).map((prefix) => ({ route, prefix, rule }));
  });
}

/** Of two routes to one prefix, which AWS doesn't print, the black hole counts, then the first. */
function longer(best: Leg | null, leg: Leg): Leg {
  if (!best || leg.prefix.length > best.prefix.length) return leg;
  return leg.prefix.length === best.prefix.length && leg.route.isBlackhole ? leg : best;
}

/** VR-2 … VR-5 for packets to (or from) the addresses of a class. `vpcId` is that of a known interface. */
function passageOf(
  leg: Leg | null,
  table: RouteTable,
  vpcId: string | null,
  prefixes: ReadonlySet<string>,
  ec2: Ec2Inventory,
): Passage {
  if (!leg) return Passage.noRoute;
  const { target, isBlackhole } = leg.route;
  if (isBlackhole) return Passage.blackhole;
  const isForeign = vpcId !== null && vpcId !== table.vpcId;
  if (target === "local") return isForeign ? Passage.noRoute : Passage.pass;
  if (target.startsWith("pcx-")) {
    const peering = ec2.peerings.find((p) => p.id === target);
    if (!peering?.isActive) return Passage.blackhole;
    const other = peering.sides.find((s) => s.vpcId !== table.vpcId);
    const isThere =
      vpcId === null ? other?.prefixes.some((p) => prefixes.has(formatPrefix(p))) : vpcId === other?.vpcId;
    return isThere === true ? Passage.pass : Passage.noRoute;
  }
  // The private address of another VPC isn't on the internet.
  if (target.startsWith("igw-")) return isForeign ? Passage.noRoute : Passage.pass;
  if (target.startsWith("nat-") || target.startsWith("eigw-")) {
    return isForeign ? Passage.noRoute : Passage.answersOnly;
  }
  return Passage.pass;
}
