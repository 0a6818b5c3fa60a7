/**
 * Compiles an inventory's network ACLs (NA-3 … NA-16) into tables: which subnet an address is in, which ACL a subnet
 * has, and one ordered list of entries for each ACL and direction.
 */
import type { Ec2Inventory } from "../../model/ec2.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { NetworkAcl, NetworkAclEntry } from "../../model/network-acl.ts";
import type { Address } from "../../net/address.ts";
import { type AddressClass, type AddressClassesData, buildAddressClasses } from "../../net/address-classes.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import { listEndpointAddresses, listVpcIds } from "../ec2/endpoints.ts";
import { AMBIGUOUS, NO_SUBJECT } from "../ec2/ends.ts";
import { createFirstMatchBuilder, type FirstMatchData, listPortBounds } from "../ec2/first-match.ts";
import { keyRanges } from "../ec2/port-key.ts";
import { exemptSwitches, listServiceAddresses } from "../ec2/service.ts";
import { listSubnetIds, subnetIdOf } from "../ec2/subnets.ts";

/** `aclOf` where the inventory doesn't say which ACL a subnet has (NA-14). */
export const MISSING_ACL = -1;

export interface AclDirection {
  readonly table: FirstMatchData;
  /** Index of the RuleRef `*`, what is left when no entry matches (NA-6). */
  readonly rest: number;
  readonly entries: readonly NetworkAclEntry[];
  /** Index of the first entry's RuleRef; the others follow. */
  readonly firstRule: number;
}

/** Plain data. */
export interface NetworkAclTables {
  readonly classes: AddressClassesData;
  /** By class: the VPC of the running interface, NO_SUBJECT or AMBIGUOUS. */
  readonly vpcOf: Int32Array;
  /** By class × `vpcCount` + VPC: the subnet of that VPC that the address is in, or -1. */
  readonly subnetOf: Int32Array;
  readonly services: Uint8Array;
  readonly vpcCount: number;
  readonly exempt: Uint8Array;
  /** By subnet. */
  readonly aclOf: Int32Array;
  readonly subnetIds: readonly string[];
  readonly acls: readonly { readonly id: string; readonly egress: AclDirection; readonly ingress: AclDirection }[];
  readonly portBounds: Uint16Array;
  readonly rules: readonly RuleRef[];
  /** By rule: 1 for an entry that allows. */
  readonly isAllow: Uint8Array;
  /** `errorVerdict` is accept. */
  readonly acceptsErrors: boolean;
}

interface KnownClass {
  readonly vpc: number;
  readonly subnet: number;
  readonly services: readonly number[];
}

export function buildNetworkAclTables({ ec2 }: Inventory, knobs: Knobs): NetworkAclTables {
  const vpcIds = listVpcIds(ec2);
  const nothing = vpcIds.map(() => 0);
  const subnetIds = listSubnetIds(ec2);
  const known = new Map<string, KnownClass>();
  const addresses: [Address, string][] = [];
  const add = (address: Address, key: string, value: KnownClass) => {
    known.set(key, value);
    addresses.push([address, key]);
  };
  // No network ACL in the input: not one subnet is guarded by one that we know of (PL-7).
  const isUsed = ec2.networkAcls.length > 0;
  for (const { address, key, services } of isUsed ? listServiceAddresses(ec2, vpcIds) : []) {
    add(address, key, { vpc: NO_SUBJECT, subnet: -1, services });
  }
  // After the services: an address of an interface is the interface's, whatever AWS reserves.
  for (const { address, owner, isAmbiguous } of isUsed ? listEndpointAddresses(ec2) : []) {
    if (!owner && !isAmbiguous) continue;
    const vpc = owner ? vpcIds.indexOf(owner.vpcId) : AMBIGUOUS;
    const subnet = owner ? subnetIds.indexOf(subnetIdOf(owner, address, ec2) ?? "") : -1;
    add(address, `${address.family} ${vpc} ${subnet}`, { vpc, subnet, services: nothing });
  }

  const prefixes = listPrefixes(ec2);
  const { data, classes } = buildAddressClasses(addresses, prefixes);
  const info = classes.map((c) => (c.key === null ? undefined : known.get(c.key)));
  const names = prefixes.map(formatPrefix);
  const byPrefix = new Map<string, number[]>(names.map((n) => [n, []]));
  classes.forEach((c, number) => {
    for (const i of c.prefixes) byPrefix.get(names[i] as string)?.push(number);
  });

  const buildTable = createFirstMatchBuilder(classes.length);
  const rules: RuleRef[] = [];
  const isAllow: number[] = [];
  const direct = (acl: NetworkAcl, entries: readonly NetworkAclEntry[]): AclDirection => {
    const firstRule = rules.length;
    for (const entry of entries) {
      rules.push({ policy: acl.id, rule: String(entry.number) });
      isAllow.push(entry.isAllow ? 1 : 0);
    }
    isAllow.push(0);
    const ordered = entries.map((entry, i) => ({
      protocol: entry.protocol,
      ranges: keyRanges(entry.ports, entry.icmp),
      classes: byPrefix.get(formatPrefix(entry.prefix)) ?? [],
      answer: firstRule + i,
    }));
    const rest = rules.push({ policy: acl.id, rule: "*" }) - 1;
    return { table: buildTable(ordered), rest, entries, firstRule };
  };
  const acls = ec2.networkAcls.map((acl) => ({
    id: acl.id,
    egress: direct(acl, acl.egress),
    ingress: direct(acl, acl.ingress),
  }));
  return {
    classes: data,
    vpcOf: Int32Array.from(info, (k) => k?.vpc ?? NO_SUBJECT),
    subnetOf: Int32Array.from(classes.flatMap((c, i) => subnetsOf(c, info[i], prefixes, ec2, vpcIds, subnetIds))),
    services: Uint8Array.from(info.flatMap((k) => k?.services ?? nothing)),
    vpcCount: vpcIds.length,
    exempt: exemptSwitches(knobs),
    aclOf: Int32Array.from(subnetIds, (id) => aclIndexOf(id, ec2)),
    subnetIds,
    acls,
    portBounds: listPortBounds(acls.flatMap(({ egress, ingress }) => [egress.table, ingress.table])),
    rules,
    isAllow: Uint8Array.from(isAllow),
    acceptsErrors: knobs.errorVerdict === "accept",
  };
}

/**
 * For each VPC, the subnet that the addresses of a class are in as one of that VPC sees it: an interface is in its own;
 * an address that nobody owns is in the smallest subnet around it (NA-13), which counts for "same subnet" alone; a
 * service is in none (SG-83a: what else base + 1 sends comes from outside).
 */
function subnetsOf(
  { prefixes: chain }: AddressClass,
  known: KnownClass | undefined,
  prefixes: readonly Prefix[],
  ec2: Ec2Inventory,
  vpcIds: readonly string[],
  subnetIds: readonly string[],
): number[] {
  if (known) return vpcIds.map((_, vpc) => (vpc === known.vpc ? known.subnet : -1));
  const held = new Set(chain.map((i) => formatPrefix(prefixes[i] as Prefix)));
  return vpcIds.map((vpcId) => {
    const around = ec2.subnets
      .filter((s) => s.vpcId === vpcId)
      .flatMap(({ id, prefixes: own }) => own.map((p) => ({ id, length: p.length, name: formatPrefix(p) })))
      .filter((s) => held.has(s.name))
      .sort((a, b) => b.length - a.length);
    return subnetIds.indexOf(around[0]?.id ?? "");
  });
}

/** NA-14. Two candidates are as bad as none. */
function aclIndexOf(subnetId: string, ec2: Ec2Inventory): number {
  const vpcId =
    ec2.subnets.find((s) => s.id === subnetId)?.vpcId ?? ec2.interfaces.find((i) => i.subnetId === subnetId)?.vpcId;
  const explicit = ec2.networkAcls.filter((acl) => acl.subnetIds.includes(subnetId));
  const ofVpc = ec2.networkAcls.filter((acl) => acl.vpcId === vpcId);
  const isUncertain = ec2.networkAcls.some(
    (acl) => acl.hasUnreadableAssociation && (acl.vpcId === vpcId || acl.vpcId === ""),
  );
  const found = explicit.length > 0 ? explicit : isUncertain ? [] : ofVpc.filter((acl) => acl.isDefault);
  return found.length === 1 && found[0] ? ec2.networkAcls.indexOf(found[0]) : MISSING_ACL;
}

function listPrefixes(ec2: Ec2Inventory): readonly Prefix[] {
  const entries = ec2.networkAcls.flatMap((acl) => [...acl.ingress, ...acl.egress].map((e) => e.prefix));
  const subnets = ec2.networkAcls.length === 0 ? [] : ec2.subnets.flatMap((s) => s.prefixes);
  return [...new Map([...entries, ...subnets].map((p) => [formatPrefix(p), p])).values()];
}
