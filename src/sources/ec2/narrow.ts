/**
 * Only some VPCs of the input (VR-6): two VPCs with the same addresses can't be judged together, because an address would
 * mean two interfaces. Groups stay, so that references into other VPCs are still known by name; their members don't.
 */
import type { Ec2Inventory } from "../../model/ec2.ts";
import type { Report } from "../../model/finding.ts";

/** All of them where `vpcIds` is empty. A VPC that the input doesn't have is an error: its policies would be missed. */
export function narrowToVpcs(ec2: Ec2Inventory, vpcIds: readonly string[], report: Report): Ec2Inventory {
  if (vpcIds.length === 0) return ec2;
  const isWanted = ({ vpcId }: { readonly vpcId: string }): boolean => vpcIds.includes(vpcId);
  const known = new Set([
    ...ec2.vpcs.map(({ id }) => id),
    ...[...ec2.subnets, ...ec2.interfaces, ...ec2.securityGroups].map(({ vpcId }) => vpcId),
  ]);
  for (const id of vpcIds) {
    if (known.has(id)) continue;
    report({
      severity: "error",
      code: "unknown-vpc",
      rule: "VR-6",
      file: "--vpc",
      path: id,
      message: `no subnet, interface or security group of the input is in it; the input has ${[...known].sort().join(", ") || "none"}`,
    });
  }
  return {
    ...ec2,
    interfaces: ec2.interfaces.filter(isWanted),
    subnets: ec2.subnets.filter(isWanted),
    vpcs: ec2.vpcs.filter(({ id }) => vpcIds.includes(id)),
    networkAcls: ec2.networkAcls.filter(isWanted),
    routeTables: ec2.routeTables.filter(isWanted),
  };
}
