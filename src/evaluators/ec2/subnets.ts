/** Which subnets there are, and which one an interface is in. */
import type { Ec2Inventory, NetworkInterface } from "../../model/ec2.ts";
import type { Address } from "../../net/address.ts";
import { containsAddress } from "../../net/prefix.ts";

/** In text order; the index stands for a subnet in tables. */
export function listSubnetIds(ec2: Ec2Inventory): readonly string[] {
  const named = ec2.interfaces.flatMap((i) => (i.subnetId === null ? [] : [i.subnetId]));
  return [...new Set([...ec2.subnets.map((s) => s.id), ...named])].sort();
}

/** NA-13: the subnet that the interface names, or else the smallest one of its VPC around the address. */
export function subnetIdOf({ subnetId, vpcId }: NetworkInterface, address: Address, ec2: Ec2Inventory): string | null {
  if (subnetId !== null) return subnetId;
  let best: { id: string; length: number } | null = null;
  for (const { id, prefixes, vpcId: vpc } of ec2.subnets) {
    for (const prefix of vpc === vpcId ? prefixes : []) {
      if (containsAddress(prefix, address) && prefix.length > (best?.length ?? -1))
        best = { id, length: prefix.length };
    }
  }
  return best?.id ?? null;
}
