/**
 * Who has an address, so that what connection tracking remembers of one owner's flows isn't handed to the next one: a
 * flow admitted by one interface's groups says nothing about another's (SG-40).
 */
import type { Ec2Inventory } from "../model/ec2.ts";
import type { InventoryChange } from "../model/inventory-change.ts";
import type { Pod } from "../model/kubernetes.ts";
import { type Address, addressKey } from "../net/address.ts";

type InterfaceOwners = ReadonlyMap<string, { readonly address: Address; readonly owner: string }>;

export class Owners {
  /** Of EC2's addresses; a pod's come with the change. */
  #interfaces: InterfaceOwners = new Map();

  /** The addresses that somebody has after this change who didn't have them before. */
  update({ ec2, kubernetes }: InventoryChange): readonly Address[] {
    const found = new Map<string, Address>();
    for (const { before, after } of kubernetes.pods) {
      const had = new Set(before !== null && after !== null && isSamePod(before, after) ? keysOf(before) : []);
      for (const address of after?.addresses ?? []) {
        if (!had.has(addressKey(address))) found.set(addressKey(address), address);
      }
    }
    if (ec2 !== null) {
      const before = this.#interfaces;
      this.#interfaces = interfaceOwners(ec2);
      for (const [key, { address, owner }] of this.#interfaces) {
        if (before.get(key)?.owner !== owner) found.set(key, address);
      }
    }
    return [...found.values()];
  }
}

/** A pod of the same name that was made anew is another one. */
function isSamePod(before: Pod, after: Pod): boolean {
  return before.createdAt === after.createdAt;
}

function keysOf(pod: Pod): readonly string[] {
  return pod.addresses.map(addressKey);
}

function interfaceOwners({ interfaces }: Ec2Inventory): InterfaceOwners {
  const owners = new Map<string, { address: Address; owner: string }>();
  for (const { id, instanceId, addresses, isRunning } of interfaces) {
    for (const address of isRunning ? addresses : []) {
      const key = addressKey(address);
      const known = owners.get(key);
      const owner = `${id}/${instanceId}`;
      owners.set(key, { address, owner: known === undefined ? owner : `${known.owner} ${owner}` });
    }
  }
  return owners;
}
