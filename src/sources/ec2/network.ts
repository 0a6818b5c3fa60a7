/** Subnets, VPCs, prefix lists, route tables and peerings, each from one element of its document. */

import { z } from "zod";
import {
  asRecord,
  asText,
  describe,
  type Reading,
  readElements,
  readList,
  readShape,
  reportAt,
} from "../../evaluators/ec2/read.ts";
import type { PrefixList, Route, RouteTable, Subnet, Vpc, VpcPeering } from "../../model/ec2.ts";
import type { Report } from "../../model/finding.ts";
import { Family } from "../../net/address.ts";
import { formatPrefix, type Prefix, parsePrefix } from "../../net/prefix.ts";

type Json = Readonly<Record<string, unknown>>;

const record = z.looseObject({});

interface Identified {
  readonly id: string;
  readonly value: Json;
  readonly reading: Reading;
}

/** The element with its id, or null after a finding. */
function identify(raw: unknown, key: string, noun: string, file: string, report: Report): Identified | null {
  const value = asRecord(raw);
  const id = asText(value?.[key]);
  if (value && id !== null) return { id, value, reading: { origin: { file, name: `${noun} ${id}` }, report } };
  const message = `${describe(raw)} has no ${key}: it isn't known; print it again with the AWS CLI`;
  reportAt({ origin: { file, name: noun }, report }, "", "error", "bad-shape", null, message);
  return null;
}

export function readSubnet(raw: unknown, file: string, report: Report): Subnet | null {
  const found = identify(raw, "SubnetId", "subnet", file, report);
  if (!found) return null;
  const { id, value, reading } = found;
  const primary = readCidrs(reading, [value.CidrBlock], "CidrBlock");
  const others = [
    ...readCidrList(reading, value, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState"),
  ];
  return { id, vpcId: asText(value.VpcId) ?? "", prefixes: inFamilyOrder(primary, others), origin: reading.origin };
}

export function readVpc(raw: unknown, file: string, report: Report): Vpc | null {
  const found = identify(raw, "VpcId", "VPC", file, report);
  if (!found) return null;
  const { id, value, reading } = found;
  const primary = readCidrs(reading, [value.CidrBlock], "CidrBlock");
  const others = [
    ...readCidrList(reading, value, "CidrBlockAssociationSet", "CidrBlock", "CidrBlockState"),
    ...readCidrList(reading, value, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState"),
  ];
  return { id, prefixes: inFamilyOrder(primary, others), origin: reading.origin };
}

export function readPrefixList(id: string, entries: unknown, file: string, report: Report): PrefixList {
  const reading = { origin: { file, name: `prefix list ${id}` }, report };
  const meaning = "this entry matches nothing";
  const cidrs = readElements(reading, entries, "Entries", z.looseObject({ Cidr: z.string() }), {
    rule: "SG-22",
    meaning,
  });
  const prefixes = cidrs.flatMap(({ value, path }) => readCidrs(reading, [value.Cidr], `${path}.Cidr`));
  return { id, prefixes: sorted(prefixes), origin: reading.origin };
}

/** Where a route may point, in the order in which one of them is printed. */
const TARGETS = [
  "GatewayId",
  "NatGatewayId",
  "EgressOnlyInternetGatewayId",
  "VpcPeeringConnectionId",
  "TransitGatewayId",
  "LocalGatewayId",
  "CarrierGatewayId",
  "CoreNetworkArn",
  "NetworkInterfaceId",
  "InstanceId",
] as const;

export function readRouteTable(raw: unknown, file: string, report: Report): RouteTable | null {
  const found = identify(raw, "RouteTableId", "route table", file, report);
  if (!found) return null;
  const { id, value, reading } = found;
  const meaning = "the subnet has no route table of its own that is known";
  const associations = readElements(reading, value.Associations, "Associations", record, { rule: "VR-1", meaning });
  const routes = readList(reading, value.Routes, "Routes", { rule: "VR-2", meaning: "this table has no route" });
  return {
    id,
    vpcId: asText(value.VpcId) ?? "",
    subnetIds: associations.flatMap((a) => asText(a.value.SubnetId) ?? []).sort(),
    isMain: associations.some((a) => a.value.Main === true),
    routes: routes
      .flatMap((route, i) => readRoute(reading, route, `Routes[${i}]`))
      .sort((a, b) => (routeKey(a) < routeKey(b) ? -1 : 1)),
    origin: reading.origin,
  };
}

function routeKey({ destination, target, isBlackhole }: Route): string {
  const to = "prefix" in destination ? formatPrefix(destination.prefix) : destination.prefixListId;
  return JSON.stringify([to, isBlackhole, target]);
}

/** A route whose destination is readable but nothing else is a black hole: a broader one must not take its place. */
function readRoute(reading: Reading, raw: unknown, path: string): Route[] {
  const value = asRecord(raw) ?? {};
  const list = asText(value.DestinationPrefixListId);
  const cidr = asText(value.DestinationCidrBlock) ?? asText(value.DestinationIpv6CidrBlock);
  const prefix = cidr === null ? null : parsePrefix(cidr);
  if (list === null && prefix === null) {
    const message = `${describe(cidr ?? raw)} is no destination: this route isn't known; correct it`;
    reportAt(reading, path, "error", "bad-route", "VR-2", message);
    return [];
  }
  const destination = list !== null ? { prefixListId: list } : { prefix: prefix as Prefix };
  const target = TARGETS.map((key) => asText(value[key])).find((t) => t !== null) ?? null;
  if (target === null) {
    reportAt(reading, path, "error", "bad-route", "VR-2", "the route has no target: it's a black hole; correct it");
  }
  const isBlackhole = target === null || (value.State !== undefined && value.State !== "active");
  return [{ destination, target: target ?? "none", isBlackhole }];
}

export function readPeering(raw: unknown, file: string, report: Report): VpcPeering | null {
  const found = identify(raw, "VpcPeeringConnectionId", "peering", file, report);
  if (!found) return null;
  const { id, value, reading } = found;
  const sides = ["RequesterVpcInfo", "AccepterVpcInfo"].flatMap((key) => {
    const side = asRecord(value[key]);
    const vpcId = asText(side?.VpcId);
    if (!side || vpcId === null) return [];
    const own = [
      ...readCidrs(reading, [side.CidrBlock], `${key}.CidrBlock`),
      ...readCidrList(reading, side, "CidrBlockSet", "CidrBlock", null),
      ...readCidrList(reading, side, "Ipv6CidrBlockSet", "Ipv6CidrBlock", null),
    ];
    return [{ vpcId, prefixes: sorted(own) }];
  });
  return { id, isActive: asRecord(value.Status)?.Code === "active", sides, origin: reading.origin };
}

/** CIDRs of a list of objects, without those that are no longer or not yet associated. */
function readCidrList(reading: Reading, value: Json, list: string, key: string, stateKey: string | null): Prefix[] {
  const meaning = "no address is in it";
  return readElements(reading, value[list], list, record, { rule: null, meaning }).flatMap(({ value: entry, path }) => {
    const state = stateKey === null ? null : asText(asRecord(entry[stateKey])?.State);
    return state === null || state === "associated" ? readCidrs(reading, [entry[key]], `${path}.${key}`) : [];
  });
}

function readCidrs(reading: Reading, given: readonly unknown[], path: string): Prefix[] {
  return given.flatMap((cidr) => {
    if (cidr === undefined || cidr === null || cidr === "") return [];
    const prefix = readShape(reading, cidr, path, z.string(), { rule: null, meaning: "no address is in it" });
    const parsed = prefix === null ? null : parsePrefix(prefix);
    if (prefix !== null && parsed === null) {
      const message = `${describe(cidr)} is no CIDR: no address is in it; write ADDRESS/LENGTH`;
      reportAt(reading, path, "error", "bad-cidr", null, message);
    }
    return parsed ? [parsed] : [];
  });
}

/** The primary CIDR, then the other IPv4 ones, then IPv6. */
function inFamilyOrder(primary: readonly Prefix[], others: readonly Prefix[]): Prefix[] {
  const order = (p: Prefix) => (p.address.family === Family.ipv4 ? 0 : 1);
  return unique([...primary, ...sorted(others)]).sort((a, b) => order(a) - order(b));
}

function unique(prefixes: readonly Prefix[]): Prefix[] {
  return [...new Map(prefixes.map((p) => [formatPrefix(p), p])).values()];
}

/** In text order, whatever the order of the input (PL-25). */
function sorted(prefixes: readonly Prefix[]): Prefix[] {
  return unique(prefixes).sort((a, b) => (formatPrefix(a) < formatPrefix(b) ? -1 : 1));
}
