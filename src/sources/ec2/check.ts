/**
 * What is wrong between EC2 resources: references to what the input doesn't hold, and claims that contradict each
 * other. Each finding says what the evaluators make of it; none of them changes a verdict.
 */

import { listEndpointAddresses } from "../../evaluators/ec2/endpoints.ts";
import { createGroupDirectory } from "../../evaluators/security-group/groups.ts";
import type { Ec2Inventory } from "../../model/ec2.ts";
import { type Finding, findingAt, type Origin, type Report } from "../../model/finding.ts";
import { formatAddress } from "../../net/address.ts";

export function checkReferences(ec2: Ec2Inventory, report: Report): void {
  const add = (
    origin: Origin,
    path: string,
    severity: Finding["severity"],
    code: string,
    rule: string,
    message: string,
  ) => report(findingAt(origin, path, { severity, code, rule, message }));
  checkInterfaces(ec2, add);
  checkRules(ec2, add);
  checkAcls(ec2, add);
  checkRoutes(ec2, add);
}

type Add = (
  origin: Origin,
  path: string,
  severity: Finding["severity"],
  code: string,
  rule: string,
  message: string,
) => void;

function checkInterfaces(ec2: Ec2Inventory, add: Add): void {
  const directory = createGroupDirectory(ec2);
  const known = new Map(ec2.securityGroups.map((g) => [g.id, g]));
  for (const one of ec2.interfaces) {
    const names = directory.namesOf(one) ?? [];
    if (one.groupIds?.length === 0) {
      const message = "its list of groups is empty, so that nothing is allowed in or out; give it a group";
      add(one.origin, "Groups", "warning", "no-security-group", "SG-46", message);
    }
    for (const id of names) {
      const group = known.get(id);
      if (!group) {
        const message = `${id} isn't in the input and contributes no rules, so that it allows nothing; load the output of describe-security-groups that has it`;
        add(one.origin, "Groups", "warning", "unknown-security-group", "SG-46", message);
      } else if (!directory.groupsOf(one).includes(group)) {
        const message = `${id} is a group of ${group.vpcId}, the interface is in ${one.vpcId}: the group contributes no rules; use a group of its own VPC`;
        add(one.origin, "Groups", "warning", "security-group-of-other-vpc", "SG-92", message);
      }
    }
  }
  for (const { address, isAmbiguous, members } of listEndpointAddresses(ec2)) {
    const [first, second] = members;
    if (!isAmbiguous || !first || !second) continue;
    const message = `${formatAddress(address)} is claimed by ${members.map((m) => m.id).join(" and ")}, both running: its traffic is denied; load VPCs that overlap apart, or correct the address`;
    add(first.origin, "PrivateIpAddresses", "error", "ambiguous-address", "VR-6", message);
  }
}

function checkRules(ec2: Ec2Inventory, add: Add): void {
  const directory = createGroupDirectory(ec2);
  const known = new Set(ec2.securityGroups.map((g) => g.id));
  const lists = new Set(ec2.prefixLists.map((l) => l.id));
  for (const group of ec2.securityGroups) {
    for (const { peer, text } of [...group.ingress, ...group.egress]) {
      if (peer.kind === "prefix-list" && !lists.has(peer.prefixListId)) {
        const message = `the entries of ${peer.prefixListId} aren't in the input: the rule matches nothing; save get-managed-prefix-list-entries as ${peer.prefixListId}.json`;
        add(group.origin, text, "warning", "unknown-prefix-list", "SG-22", message);
      }
      if (peer.kind !== "group" || directory.resolve(peer.group, group)) continue;
      const { groupId, peeringStatus } = peer.group;
      const name = groupId ?? peer.group.groupName;
      if (groupId !== null && known.has(groupId)) {
        const why = peeringStatus === null ? "is of another VPC without a peering" : `has the peering ${peeringStatus}`;
        const message = `stale: ${name} ${why}, and the rule matches nothing; remove the rule or restore the peering`;
        add(group.origin, text, "warning", "stale-security-group-reference", "SG-26", message);
      } else {
        const message = `stale: ${name} isn't in the input, and the rule matches nothing; remove the rule, or load the group`;
        add(group.origin, text, "warning", "unknown-security-group", "SG-27", message);
      }
    }
  }
}

function checkAcls(ec2: Ec2Inventory, add: Add): void {
  if (ec2.networkAcls.length === 0) {
    const first = ec2.subnets[0] ?? ec2.interfaces[0];
    if (!first) return;
    const message =
      "there is no network ACL in the input, so that none is enforced at any subnet's boundary; load the output of describe-network-acls";
    add({ file: first.origin.file, name: "NetworkAcls" }, "", "warning", "no-network-acls", "NA-14", message);
    return;
  }
  const owners = new Map<string, string>();
  for (const acl of ec2.networkAcls) {
    for (const subnetId of acl.subnetIds) {
      const other = owners.get(subnetId);
      if (other !== undefined) {
        const message = `${subnetId} is also associated with ${other}: which one it has can't be told, and errorVerdict decides; remove one association`;
        add(acl.origin, "Associations", "error", "subnet-with-two-network-acls", "NA-14", message);
      }
      owners.set(subnetId, other ?? acl.id);
    }
  }
  for (const subnet of ec2.subnets) {
    const defaults = ec2.networkAcls.filter((acl) => acl.vpcId === subnet.vpcId && acl.isDefault);
    if (owners.has(subnet.id) || defaults.length === 1) continue;
    const message =
      "it has no network ACL in the input, neither associated nor its VPC's default: errorVerdict decides; load the whole output of describe-network-acls";
    add(subnet.origin, "", "error", "missing-network-acl", "NA-14", message);
  }
}

function checkRoutes(ec2: Ec2Inventory, add: Add): void {
  const lists = new Set(ec2.prefixLists.map((l) => l.id));
  const peerings = new Set(ec2.peerings.map((p) => p.id));
  for (const table of ec2.routeTables) {
    for (const { destination, target } of table.routes) {
      if ("prefixListId" in destination && !lists.has(destination.prefixListId)) {
        const id = destination.prefixListId;
        const message = `the entries of ${id} aren't in the input: the route leads nowhere; save get-managed-prefix-list-entries as ${id}.json`;
        add(table.origin, id, "warning", "unknown-prefix-list", "VR-5", message);
      }
      if (target.startsWith("pcx-") && !peerings.has(target)) {
        const message = `${target} isn't in the input: the route is a black hole; load the output of describe-vpc-peering-connections`;
        add(table.origin, target, "warning", "unknown-peering", "VR-4", message);
      } else if (target !== "local" && target !== "none" && !/^(igw|nat|eigw|pcx)-/.test(target)) {
        const message = `where ${target} leads isn't modelled: what is routed to it passes this stage; its other rules still apply`;
        add(table.origin, target, "warning", "unmodelled-route-target", "VR-5", message);
      }
    }
  }
}
