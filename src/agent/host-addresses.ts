/**
 * A pod's own node is every address of the node, its bridges and cables included (NP-56): a probe from the kubelet
 * carries the address of the interface that it leaves by, which no Node object lists. Those of this host are read from
 * the kernel; they belong to the pods whose node has one of them.
 */
import type { Inventory } from "../model/inventory.ts";
import { type Address, addressKey } from "../net/address.ts";

/** The inventory with this host's addresses added to its own pods' `hostAddresses`. Pure. */
export function withHostAddresses(inventory: Inventory, host: readonly Address[]): Inventory {
  const { nodes, pods } = inventory.kubernetes;
  const hostKeys = new Set(host.map(addressKey));
  const isHere = (addresses: readonly Address[]): boolean => addresses.some((a) => hostKeys.has(addressKey(a)));
  const here = new Set(nodes.filter((node) => isHere(node.addresses)).map((node) => node.name));
  for (const pod of pods) if (pod.nodeName !== null && isHere(pod.hostAddresses)) here.add(pod.nodeName);
  const isLocal = (pod: (typeof pods)[number]): boolean =>
    pod.nodeName === null ? isHere(pod.hostAddresses) : here.has(pod.nodeName);
  return {
    ...inventory,
    kubernetes: {
      ...inventory.kubernetes,
      pods: pods.map((pod) => (isLocal(pod) ? { ...pod, hostAddresses: [...pod.hostAddresses, ...host] } : pod)),
    },
  };
}
