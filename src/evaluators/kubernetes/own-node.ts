/** Whether an address is one of a pod's own node (NP-56, NP-57, AN-60). */
import { isSelectable, type KubernetesInventory } from "../../model/kubernetes.ts";
import { type Address, addressKey, Family } from "../../net/address.ts";
import { type AddressTableData, buildAddressTable, lookupAddress } from "../../net/address-table.ts";

/** Plain data. */
export interface OwnNodeTables {
  /** Pod's address → number of its node. */
  readonly nodeOfPod: AddressTableData;
  /** Node's address → where its nodes start in `nodes`: how many they are, then their numbers. */
  readonly nodesOfAddress: AddressTableData;
  readonly nodes: Uint32Array;
}

/** A node's addresses are its object's, its pods' `hostIPs`, and its `hostNetwork` pods' (NP-59). */
export function buildOwnNodes(kubernetes: KubernetesInventory): OwnNodeTables {
  const numbers = new Map<string, number>();
  const byAddress = new Map<string, readonly [Address, Set<number>]>();
  const podEntries: [Address, number][] = [];
  const numberOf = (key: string): number => {
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  };
  const learn = (addresses: readonly Address[], number: number): void => {
    for (const address of addresses) {
      if (address.family === Family.none) continue;
      const key = addressKey(address);
      const known = byAddress.get(key);
      if (known) known[1].add(number);
      else byAddress.set(key, [address, new Set([number])]);
    }
  };
  for (const node of kubernetes.nodes) learn(node.addresses, numberOf(`node ${node.name}`));
  for (const pod of kubernetes.pods) {
    if (pod.nodeName === null && pod.hostAddresses.length === 0) continue;
    const name = pod.nodeName === null ? `host ${pod.hostAddresses.map(addressKey)}` : `node ${pod.nodeName}`;
    const number = numberOf(name);
    learn(pod.hostAddresses, number);
    if (pod.hostNetwork) learn(pod.addresses, number);
    else if (isSelectable(pod)) for (const address of pod.addresses) podEntries.push([address, number]);
  }
  const nodes: number[] = [];
  const hostEntries: [Address, number][] = [];
  for (const [address, members] of byAddress.values()) {
    hostEntries.push([address, nodes.length]);
    nodes.push(members.size, ...members);
  }
  return {
    nodeOfPod: buildAddressTable(podEntries),
    nodesOfAddress: buildAddressTable(hostEntries),
    nodes: Uint32Array.from(nodes),
  };
}

/** Never allocates. */
export function isOwnNode(tables: OwnNodeTables, pod: Address, peer: Address): boolean {
  const start = lookupAddress(tables.nodesOfAddress, peer);
  if (start < 0) return false;
  const own = lookupAddress(tables.nodeOfPod, pod);
  if (own < 0) return false;
  const end = start + (tables.nodes[start] as number);
  for (let i = start + 1; i <= end; i++) if (tables.nodes[i] === own) return true;
  return false;
}
