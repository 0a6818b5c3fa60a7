/**
 * Compiles an inventory's security groups (SG-20 … SG-66) into tables: one profile for each set of groups that some
 * interface has, with one ordered list of rules for each direction. A profile's rules stand in text order, so that the
 * first one that matches is the smallest.
 */
import type { NetworkInterface } from "../../model/ec2.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { SecurityGroup, SecurityGroupRule } from "../../model/security-group.ts";
import { type Address, Family } from "../../net/address.ts";
import { type AddressClassesData, buildAddressClasses } from "../../net/address-classes.ts";
import { type AddressTableData, buildAddressTable } from "../../net/address-table.ts";
import { Protocol } from "../../net/protocol.ts";
import { type EndpointAddress, listEndpointAddresses, listVpcIds } from "../ec2/endpoints.ts";
import { AMBIGUOUS, NO_SUBJECT } from "../ec2/ends.ts";
import { createFirstMatchBuilder, type FirstMatchData, listPortBounds, type OrderedRule } from "../ec2/first-match.ts";
import { type KeyRange, keyRanges } from "../ec2/port-key.ts";
import { exemptSwitches, listServiceAddresses } from "../ec2/service.ts";
import { createGroupDirectory } from "./groups.ts";
import { createPeerClasses, listPrefixes, type Membership } from "./peers.ts";
import { peerText } from "./schema.ts";

/** A rule as `explain` needs it; its place is its index among the evaluator's rules. */
export interface RuleDetail {
  readonly protocol: number | null;
  readonly ranges: readonly KeyRange[] | null;
  readonly peer: string;
  readonly ruleId: string | null;
}

export interface ProfileDirection {
  readonly table: FirstMatchData;
  /** The rules whose flows AWS doesn't track (SG-61); null for none. */
  readonly untracked: FirstMatchData | null;
  /** Indexes of its rules. */
  readonly rules: readonly number[];
}

/** Interfaces with the same groups in the same VPC are judged alike. */
export interface Profile {
  /** As the interfaces name them. */
  readonly groupIds: readonly string[];
  /** Those of them that count (SG-46, SG-92). */
  readonly effective: readonly string[];
  /** Index of its VPC. */
  readonly vpc: number;
  /** Index of the RuleRef that says "none of its rules". */
  readonly denial: number;
  readonly egress: ProfileDirection;
  readonly ingress: ProfileDirection;
}

/** Plain data. */
export interface SecurityGroupTables {
  readonly classes: AddressClassesData;
  /** By class. */
  readonly profileOf: Int32Array;
  /** What the address is to a VPC: by class × `vpcCount` + VPC. */
  readonly services: Uint8Array;
  readonly vpcCount: number;
  readonly exempt: Uint8Array;
  /** Private address → its running interface, to know an interface's own addresses (SG-90). */
  readonly interfaces: AddressTableData;
  readonly profiles: readonly Profile[];
  readonly portBounds: Uint16Array;
  /** Rules, then the profiles' denials. */
  readonly rules: readonly RuleRef[];
  /** Of the rules alone. */
  readonly details: readonly RuleDetail[];
}

interface KnownClass extends Membership {
  readonly profile: number;
  readonly services: readonly number[];
}

interface ProfileSource {
  readonly groupIds: readonly string[];
  readonly vpc: number;
  readonly groups: readonly SecurityGroup[];
}

export function buildSecurityGroupTables({ ec2 }: Inventory, knobs: Knobs): SecurityGroupTables {
  const vpcIds = listVpcIds(ec2);
  const directory = createGroupDirectory(ec2);
  const endpoints = listEndpointAddresses(ec2);
  const nothing = vpcIds.map(() => 0);
  const known = new Map<string, KnownClass>();
  const addresses: [Address, string][] = [];
  for (const { address, key, services } of listServiceAddresses(ec2, vpcIds)) {
    known.set(key, { family: Family.none, profile: NO_SUBJECT, memberOf: new Set(), services });
    addresses.push([address, key]);
  }

  const sources = new Map<string, ProfileSource & { readonly number: number }>();
  const profileOf = ({ owner, isAmbiguous }: EndpointAddress): number => {
    if (isAmbiguous) return AMBIGUOUS;
    const groupIds = owner && directory.namesOf(owner);
    if (!owner || !groupIds) return NO_SUBJECT;
    const key = JSON.stringify([owner.vpcId, groupIds]);
    const vpc = vpcIds.indexOf(owner.vpcId);
    const source = sources.get(key) ?? { number: sources.size, vpc, groupIds, groups: directory.groupsOf(owner) };
    sources.set(key, source);
    return source.number;
  };
  // After the services: an address of an interface is the interface's, whatever AWS reserves.
  for (const endpoint of endpoints) {
    // SG-23; a group that isn't known, or is of another VPC, has no members.
    const memberOf = new Set(endpoint.members.flatMap((m) => directory.groupsOf(m).map((g) => g.id)));
    const { family } = endpoint.address;
    const profile = profileOf(endpoint);
    const key = JSON.stringify([family, profile, [...memberOf].sort()]);
    known.set(key, { family, profile, memberOf, services: nothing });
    addresses.push([endpoint.address, key]);
  }

  const prefixes = listPrefixes(ec2.securityGroups, ec2.prefixLists);
  const { data, classes } = buildAddressClasses(addresses, prefixes);
  const info = classes.map((c) => (c.key === null ? undefined : known.get(c.key)));
  const classesOf = createPeerClasses(classes, info, prefixes, ec2.prefixLists, directory);

  const buildTable = createFirstMatchBuilder(classes.length);
  const rules: RuleRef[] = [];
  const details: RuleDetail[] = [];
  const compiled = new Map<SecurityGroupRule, OrderedRule>();
  for (const group of ec2.securityGroups) {
    for (const rule of [...group.ingress, ...group.egress]) {
      const { protocol, id } = rule;
      const ranges = keyRanges(rule.ports, rule.icmp);
      compiled.set(rule, { protocol, ranges, classes: classesOf(rule, group), answer: rules.length });
      rules.push({ policy: group.id, rule: rule.text });
      details.push({ protocol, ranges, peer: peerText(rule.peer), ruleId: id });
    }
  }
  const profiles = [...sources.values()].map(({ groupIds, vpc, groups }) => ({
    groupIds,
    effective: groups.map((g) => g.id),
    vpc,
    denial: rules.push({ policy: groupIds.length === 0 ? "none" : groupIds.join(","), rule: null }) - 1,
    egress: buildDirection(groups, "egress", compiled, buildTable),
    ingress: buildDirection(groups, "ingress", compiled, buildTable),
  }));
  return {
    classes: data,
    profileOf: Int32Array.from(info, (k) => k?.profile ?? NO_SUBJECT),
    services: Uint8Array.from(info.flatMap((k) => k?.services ?? nothing)),
    vpcCount: vpcIds.length,
    exempt: exemptSwitches(knobs),
    interfaces: buildAddressTable(numberOwners(endpoints)),
    profiles,
    portBounds: listPortBounds(profiles.flatMap(({ egress, ingress }) => [egress, ingress].flatMap(listTables))),
    rules,
    details,
  };
}

function buildDirection(
  groups: readonly SecurityGroup[],
  direction: "egress" | "ingress",
  compiled: ReadonlyMap<SecurityGroupRule, OrderedRule>,
  buildTable: (rules: readonly OrderedRule[]) => FirstMatchData,
): ProfileDirection {
  const sorted = groups
    .flatMap((group) => group[direction].map((rule) => ({ text: rule.text, id: group.id, rule })))
    .sort((a, b) => compareText(a.text, b.text) || compareText(a.id, b.id))
    .map(({ rule }) => rule);
  const ordered = sorted.map((rule) => compiled.get(rule) as OrderedRule);
  const others = groups.flatMap((g) => g[direction === "egress" ? "ingress" : "egress"]);
  const untracked = sorted.flatMap((rule, i) =>
    [Protocol.tcp, Protocol.udp]
      .filter((protocol) => isUntracked(rule, protocol, others))
      .map((protocol) => ({ ...(ordered[i] as OrderedRule), protocol })),
  );
  return {
    table: buildTable(ordered),
    untracked: untracked.length === 0 ? null : buildTable(untracked),
    rules: ordered.map((rule) => rule.answer),
  };
}

function listTables({ table, untracked }: ProfileDirection): FirstMatchData[] {
  return untracked === null ? [table] : [table, untracked];
}

/** SG-61, SG-64: the rule is open to its whole family, and so is the other direction on all ports. */
function isUntracked(rule: SecurityGroupRule, protocol: number, others: readonly SecurityGroupRule[]): boolean {
  const family = openFamily(rule);
  if (family === null || (rule.protocol !== null && rule.protocol !== protocol)) return false;
  return others.some(
    (other) =>
      openFamily(other) === family &&
      (other.protocol === null || (other.protocol === protocol && keyRanges(other.ports, other.icmp) === null)),
  );
}

/** The family of `0.0.0.0/0` or `::/0`; null for any other peer. */
function openFamily({ peer }: SecurityGroupRule): Family | null {
  return peer.kind === "prefix" && peer.prefix.length === 0 ? peer.prefix.address.family : null;
}

function numberOwners(endpoints: readonly EndpointAddress[]): [Address, number][] {
  const numbers = new Map<NetworkInterface, number>();
  return endpoints.flatMap(({ address, owner }): [Address, number][] => {
    if (!owner) return [];
    const number = numbers.get(owner) ?? numbers.size;
    numbers.set(owner, number);
    return [[address, number]];
  });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
