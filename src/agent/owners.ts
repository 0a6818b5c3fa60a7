/**
 * Who has an address, so that what connection tracking remembers of one owner's flows isn't handed to the next one: a
 * flow admitted by one interface's groups says nothing about another's (SG-40).
 */
import type { Inventory } from "../model/inventory.ts";
import { type Address, addressKey } from "../net/address.ts";

export type Owners = ReadonlyMap<string, { readonly address: Address; readonly owner: string }>;

/** Interface and pod, where an address has both. */
export function ownersOf({ ec2, kubernetes }: Inventory): Owners {
  const owners = new Map<string, { address: Address; owner: string }>();
  const add = (address: Address, owner: string): void => {
    const key = addressKey(address);
    const known = owners.get(key);
    owners.set(key, { address, owner: known === undefined ? owner : `${known.owner} ${owner}` });
  };
  for (const { id, instanceId, addresses, isRunning } of ec2.interfaces) {
    if (isRunning) for (const address of addresses) add(address, `${id}/${instanceId}`);
  }
  for (const { kind, namespace, name, createdAt, addresses } of kubernetes.pods) {
    for (const address of addresses) add(address, `${kind}:${namespace}/${name}@${createdAt}`);
  }
  return owners;
}

/** The addresses that somebody has now who didn't have them before. */
export function changedOwners(before: Owners, after: Owners): Address[] {
  return [...after].filter(([key, { owner }]) => before.get(key)?.owner !== owner).map(([, { address }]) => address);
}
