/** The addresses whose traffic has to be diverted for a list of policies: those of every pod that one of them selects. */
import type { Capture } from "../../model/evaluator.ts";
import type { KubernetesInventory } from "../../model/kubernetes.ts";
import { type Address, addressKey, Family } from "../../net/address.ts";
import { createPodMatcher } from "./match-pods.ts";
import type { PodTerm } from "./terms.ts";

/** What the node itself sends to its pods isn't captured: it is accepted anyway (NP-56, AN-21). */
export function captureSubjects(subjects: readonly PodTerm[], kubernetes: KubernetesInventory): Capture {
  if (subjects.length === 0) return { subjects: [], output: false };
  const match = createPodMatcher(subjects, kubernetes);
  const found = new Map<string, Address>();
  for (const pod of kubernetes.pods) {
    if (match(pod).length === 0) continue;
    for (const address of pod.addresses) if (address.family !== Family.none) found.set(addressKey(address), address);
  }
  return { subjects: [...found.values()], output: false };
}
