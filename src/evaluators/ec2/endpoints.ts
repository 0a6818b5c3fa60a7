/**
 * Who owns which private address, as security groups and network ACLs both need it.
 *
 * Only interfaces of running instances are endpoints (SG-47). An address that two of them claim belongs to neither
 * (VR-6). An interface that isn't running still is a member of its groups, but not by an address that a running one
 * owns now: emulators give a stopped instance's address to the next one, and a rule for the old owner's group must not
 * let the new owner in.
 */
import type { Ec2Inventory, NetworkInterface } from "../../model/ec2.ts";
import { type Address, addressKey } from "../../net/address.ts";

export interface EndpointAddress {
  readonly address: Address;
  /** The running interface; null for none, or for more than one. */
  readonly owner: NetworkInterface | null;
  /** Two running interfaces claim it. */
  readonly isAmbiguous: boolean;
  /** Interfaces whose groups' members it counts among. */
  readonly members: readonly NetworkInterface[];
}

/** Every private address of every interface once, in order of the interfaces. */
export function listEndpointAddresses(ec2: Ec2Inventory): readonly EndpointAddress[] {
  const claims = new Map<string, { address: Address; claimants: Set<NetworkInterface> }>();
  for (const networkInterface of ec2.interfaces) {
    for (const address of networkInterface.addresses) {
      const key = addressKey(address);
      const claim = claims.get(key) ?? { address, claimants: new Set() };
      claim.claimants.add(networkInterface);
      claims.set(key, claim);
    }
  }
  return [...claims.values()].map(({ address, claimants }) => {
    const running = [...claimants].filter((c) => c.isRunning);
    return {
      address,
      owner: running.length === 1 ? (running[0] ?? null) : null,
      isAmbiguous: running.length > 1,
      members: running.length > 0 ? running : [...claimants],
    };
  });
}

/** The private addresses of running interfaces. */
export function listSubjectAddresses(ec2: Ec2Inventory): readonly Address[] {
  return listEndpointAddresses(ec2).flatMap((e) => (e.owner || e.isAmbiguous ? [e.address] : []));
}

/** Every VPC that the inventory speaks of, in text order; its index stands for it in tables. */
export function listVpcIds(ec2: Ec2Inventory): readonly string[] {
  const ids = [...ec2.vpcs.map((v) => v.id), ...ec2.subnets.map((s) => s.vpcId), ...ec2.interfaces.map((i) => i.vpcId)];
  return [...new Set(ids)].sort();
}
