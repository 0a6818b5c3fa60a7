/**
 * Which groups an interface has, and which addresses a reference to a group means (SG-23 … SG-27, SG-46, SG-92).
 */
import type { Ec2Inventory, NetworkInterface } from "../../model/ec2.ts";
import type { GroupReference, SecurityGroup } from "../../model/security-group.ts";

export interface GroupDirectory {
  /** The ids that the interface names, in text order, without repetition; its VPC's default group where it names no
   * list (SG-46). Null where it names none and the inventory holds no security group at all: no data, no gate. */
  namesOf(networkInterface: NetworkInterface): readonly string[] | null;
  /** The groups that count: known, and of the interface's own VPC (SG-92). In order of their ids. */
  groupsOf(networkInterface: NetworkInterface): readonly SecurityGroup[];
  /** The group that a rule of `owner` means, or null where the reference is stale or ineffective. */
  resolve(reference: GroupReference, owner: SecurityGroup): SecurityGroup | null;
}

export function createGroupDirectory(ec2: Ec2Inventory): GroupDirectory {
  const byId = new Map(ec2.securityGroups.map((g) => [g.id, g]));
  const defaults = new Map<string, SecurityGroup>();
  for (const g of ec2.securityGroups) if (g.name === "default" && !defaults.has(g.vpcId)) defaults.set(g.vpcId, g);
  const namesOf = ({ groupIds, vpcId }: NetworkInterface) => {
    if (groupIds !== null) return [...new Set(groupIds)].sort();
    if (ec2.securityGroups.length === 0) return null;
    // A missing referent fails closed: no rule, so nothing passes.
    return [defaults.get(vpcId)?.id ?? "default"];
  };
  return {
    namesOf,
    groupsOf(networkInterface) {
      return (namesOf(networkInterface) ?? []).flatMap((id) => {
        const group = byId.get(id);
        return group && isSameVpc(group.vpcId, networkInterface.vpcId) ? [group] : [];
      });
    },
    resolve(reference, owner) {
      const group =
        reference.groupId !== null
          ? byId.get(reference.groupId)
          : ec2.securityGroups.find(
              (g) =>
                g.name === reference.groupName &&
                g.vpcId === (reference.vpcId ?? owner.vpcId) &&
                (reference.userId === null || g.ownerId === null || g.ownerId === reference.userId),
            );
      if (!group) return null;
      if (reference.peeringStatus !== null) return reference.peeringStatus === "active" ? group : null;
      return isSameVpc(group.vpcId, owner.vpcId) ? group : null;
    },
  };
}

/** An emulator that prints no VPC can't be contradicted. */
function isSameVpc(a: string, b: string): boolean {
  return a === b || a === "" || b === "";
}
