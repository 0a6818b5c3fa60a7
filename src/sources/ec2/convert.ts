/**
 * AWS documents, as the AWS CLI prints them, into EC2 resources; pure. `convertAwsDocument` reads one document,
 * `assembleEc2` makes one inventory of all of them and reports what only shows between them.
 */
import { asRecord, readList } from "../../evaluators/ec2/read.ts";
import { parseNetworkAcl } from "../../evaluators/nacl/schema.ts";
import { parseSecurityGroup } from "../../evaluators/security-group/schema.ts";
import type { Ec2Inventory, PrefixList, RouteTable, Subnet, Vpc, VpcPeering } from "../../model/ec2.ts";
import type { Origin, Report } from "../../model/finding.ts";
import type { NetworkAcl } from "../../model/network-acl.ts";
import type { SecurityGroup } from "../../model/security-group.ts";
import { checkReferences } from "./check.ts";
import { firstOfEach } from "./first-of-each.ts";
import { type InstanceState, type InterfaceRecord, readInstances, readInterfaces } from "./interfaces.ts";
import { mergeInterfaces } from "./merge-interfaces.ts";
import { narrowToVpcs } from "./narrow.ts";
import { readPeering, readPrefixList, readRouteTable, readSubnet, readVpc } from "./network.ts";
import { prefixListIdOf, type RuleId, readRuleIds, withRuleIds } from "./rule-ids.ts";

/** What one document holds. */
export interface Ec2Part {
  readonly file: string;
  readonly interfaces: readonly InterfaceRecord[];
  readonly instances: readonly InstanceState[];
  readonly subnets: readonly Subnet[];
  readonly vpcs: readonly Vpc[];
  readonly securityGroups: readonly SecurityGroup[];
  readonly networkAcls: readonly NetworkAcl[];
  readonly prefixLists: readonly PrefixList[];
  readonly routeTables: readonly RouteTable[];
  readonly peerings: readonly VpcPeering[];
  readonly ruleIds: readonly RuleId[];
}

const KEYS = [
  "SecurityGroups",
  "NetworkAcls",
  "NetworkInterfaces",
  "Reservations",
  "Subnets",
  "Vpcs",
  "RouteTables",
  "VpcPeeringConnections",
  "SecurityGroupRules",
] as const;

/**
 * The resources of one document, told by its top-level keys; null where it's no AWS document. What can't be read is
 * reported and narrows (DEF-7). Never throws.
 */
export function convertAwsDocument(document: unknown, file: string, report: Report): Ec2Part | null {
  const root = asRecord(document);
  const prefixListId = root && Object.hasOwn(root, "Entries") ? prefixListIdOf(file) : null;
  if (!root || (prefixListId === null && !KEYS.some((key) => Object.hasOwn(root, key)))) return null;
  const list = (key: (typeof KEYS)[number]) =>
    readList({ origin: { file, name: "document" }, report }, root[key], key, {
      rule: null,
      meaning: "none of it is known",
    });
  const read = <T>(key: (typeof KEYS)[number], parse: (raw: unknown, file: string, report: Report) => T | null): T[] =>
    list(key).flatMap((raw) => parse(raw, file, report) ?? []);
  const { records, instances } = readInstances(list("Reservations"), file, report);
  return {
    file,
    interfaces: [...readInterfaces(list("NetworkInterfaces"), file, report), ...records],
    instances,
    subnets: read("Subnets", readSubnet),
    vpcs: read("Vpcs", readVpc),
    securityGroups: read("SecurityGroups", parseSecurityGroup),
    networkAcls: read("NetworkAcls", parseNetworkAcl),
    prefixLists: prefixListId === null ? [] : [readPrefixList(prefixListId, root.Entries, file, report)],
    routeTables: read("RouteTables", readRouteTable),
    peerings: read("VpcPeeringConnections", readPeering),
    ruleIds: readRuleIds(list("SecurityGroupRules"), file),
  };
}

/**
 * One inventory of all documents, in order of ids whatever the order of the parts (PL-25); of some VPCs only, where
 * `vpcIds` names any.
 */
export function assembleEc2(parts: readonly Ec2Part[], report: Report, vpcIds: readonly string[] = []): Ec2Inventory {
  const sorted = [...parts].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  const all = <T extends { readonly id: string; readonly origin: Origin }>(pick: (part: Ec2Part) => readonly T[]) =>
    firstOfEach(sorted.flatMap(pick), report);
  const ruleIds = sorted.flatMap((p) => p.ruleIds);
  const everything: Ec2Inventory = {
    interfaces: mergeInterfaces(
      sorted.flatMap((p) => p.interfaces),
      sorted.flatMap((p) => p.instances),
      report,
    ),
    subnets: all((p) => p.subnets),
    vpcs: all((p) => p.vpcs),
    securityGroups: all((p) => p.securityGroups).map((g) => withRuleIds(g, ruleIds)),
    networkAcls: all((p) => p.networkAcls),
    prefixLists: all((p) => p.prefixLists),
    routeTables: all((p) => p.routeTables),
    peerings: all((p) => p.peerings),
  };
  const ec2 = narrowToVpcs(everything, vpcIds, report);
  checkReferences(ec2, report);
  return ec2;
}
