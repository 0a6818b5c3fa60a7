/** Whose an address is: each has one owner, and each pod something to be named by. */
import { findingAt, type Report } from "../../model/finding.ts";
import type { Pod } from "../../model/kubernetes.ts";
import { addressKey, formatAddress, unnumberedAddress } from "../../net/address.ts";
import { hasPodEnded } from "./read-pod.ts";

/** Of live pods that claim one address the loser loses it: Running beats others, then the newest (NP-66). */
export function settleAddresses(pods: readonly Pod[], report: Report): Pod[] {
  const owners = new Map<string, Pod>();
  const contested = new Set<string>();
  for (const pod of pods) {
    if (pod.hostNetwork) continue;
    for (const address of pod.addresses) {
      const key = addressKey(address);
      const owner = owners.get(key);
      if (owner) contested.add(key);
      if (!owner || beats(pod, owner)) owners.set(key, pod);
    }
  }
  if (contested.size === 0) return [...pods];
  return pods.map((pod) => {
    const lost = pod.hostNetwork ? [] : pod.addresses.filter((address) => owners.get(addressKey(address)) !== pod);
    for (const address of lost) {
      const owner = owners.get(addressKey(address));
      const message = `${formatAddress(address)} is claimed by ${owner?.origin.name} too, whose it counts as: packets of it are judged as that pod's; remove the pod that is gone`;
      report(
        findingAt(pod.origin, "status.podIPs", { severity: "warning", code: "shared-address", rule: "NP-66", message }),
      );
    }
    if (lost.length === 0) return pod;
    return { ...pod, addresses: pod.addresses.filter((address) => !lost.includes(address)), lostAddresses: lost };
  });
}

function beats(a: Pod, b: Pod): boolean {
  const isRunning = (pod: Pod): boolean => pod.phase === "Running";
  return isRunning(a) === isRunning(b) ? a.createdAt > b.createdAt : isRunning(a);
}

/** A pod or workload without an address gets a number by which it can be named; one that has ended doesn't (NP-60). */
export function numberPods(pods: readonly Pod[]): Pod[] {
  let next = 0;
  return pods.map((pod) =>
    pod.addresses.length > 0 || hasPodEnded(pod.phase) ? pod : { ...pod, addresses: [unnumberedAddress(next++)] },
  );
}
