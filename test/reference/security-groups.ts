/** The stage `sg`, as SEMANTICS' section 1 reads. */
import type { Knobs } from "../../src/model/knobs.ts";
import { type Ec2, type Group, type Nic, ownersOf } from "./ec2-documents.ts";
import { isExempt } from "./exemptions.ts";
import { hasIp, type Ip, isInside } from "./ip.ts";
import { endsOf, type Packet, type Word } from "./packet.ts";
import { matchesTraffic, type Pair, type Permission } from "./security-group-rules.ts";

export function askSecurityGroups(ec2: Ec2, knobs: Knobs, packet: Packet, direction: "egress" | "ingress"): Word {
  const { own, peer } = endsOf(packet, direction);
  const [nic, second] = ownersOf(ec2, own);
  // VR-6.
  if (second) return "deny";
  // PL-4: an endpoint of which no group is known.
  if (!nic || (nic.groups === null && ec2.groups.length === 0)) return "unmanaged";
  if (ownersOf(ec2, peer).length > 1) return "deny";
  if (isExempt(ec2, knobs, nic.vpc, peer, packet, direction === "egress", true)) return "allow";
  // SG-90.
  if (ownersOf(ec2, peer)[0] === nic) return "allow";
  const groups = groupsOf(ec2, nic);
  const isAllowed = groups.some((group) =>
    group[direction].some(
      (permission) => matchesTraffic(permission, packet) && matchesPeer(ec2, permission, group, peer),
    ),
  );
  return isAllowed ? "allow" : "deny";
}

/** SG-40, SG-46, SG-92: the groups of this interface that are known and of its own VPC. */
function groupsOf(ec2: Ec2, nic: Nic): readonly Group[] {
  if (nic.groups === null) return ec2.groups.filter((g) => g.name === "default" && g.vpc === nic.vpc).slice(0, 1);
  return ec2.groups.filter((g) => nic.groups?.includes(g.id) && g.vpc === nic.vpc);
}

/** SG-20 … SG-27. */
function matchesPeer(ec2: Ec2, permission: Permission, owner: Group, peer: Ip): boolean {
  if (permission.blocks.some((block) => isInside(block, peer))) return true;
  if (permission.lists.some((id) => (ec2.lists[id] ?? []).some((block) => isInside(block, peer)))) return true;
  return permission.pairs.some((pair) => {
    const group = resolve(ec2, pair, owner);
    return group !== null && isMember(ec2, group, peer);
  });
}

function resolve(ec2: Ec2, { groupId, groupName, userId, vpc, status }: Pair, owner: Group): Group | null {
  if (groupId === null && groupName === null) return null;
  const group = ec2.groups.find((g) =>
    // SG-25: the name counts only where there is no id.
    groupId !== null
      ? g.id === groupId
      : g.name === groupName && g.vpc === (vpc ?? owner.vpc) && (userId === null || g.owner === userId),
  );
  if (!group) return null;
  // SG-26: without a status it is a reference within the VPC.
  if (status === null ? group.vpc !== owner.vpc : status !== "active") return null;
  return group;
}

/**
 * SG-23, SG-28, SG-47: every interface that carries the group counts; but the address of one that doesn't run is no
 * longer its own where a running one has it.
 */
function isMember(ec2: Ec2, group: Group, peer: Ip): boolean {
  const holders = ec2.nics.filter((nic) => hasIp(nic.ips, peer));
  const running = holders.filter((nic) => nic.isRunning);
  return (running.length > 0 ? running : holders).some((nic) => groupsOf(ec2, nic).includes(group));
}
