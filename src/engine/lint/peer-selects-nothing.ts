/** Peers of NetworkPolicy rules that select no pod: the rule lets nobody through by them (NP-38). */
import { knownNamespaces } from "../../model/kubernetes.ts";
import type { NetworkPolicy, NetworkPolicyPeer } from "../../model/network-policy.ts";
import { formatSelector } from "../../model/selector.ts";
import { namesOf, selectsAnyPod } from "./kubernetes-subjects.ts";
import { type LintRule, warn } from "./rule.ts";

export const peerSelectsNothing: LintRule = ({ inventory: { kubernetes } }, report) => {
  if (kubernetes.pods.length === 0) return;
  const known = knownNamespaces(kubernetes);
  for (const policy of kubernetes.networkPolicies) {
    for (const [direction, list] of [
      ["ingress", "from"],
      ["egress", "to"],
    ] as const) {
      policy[direction].forEach((rule, i) => {
        (rule.peers ?? []).forEach((peer, j) => {
          if (peer.kind !== "pods" || selectsAnyPod(peer.namespaces ?? policy.namespace, peer.pods, kubernetes)) return;
          // A name that no namespace has is another rule's.
          if (peer.namespaces !== null && namesOf(peer.namespaces).some((name) => !known.has(name))) return;
          // Everybody in there: it waits for pods to come.
          if (peer.pods.length === 0 && (peer.namespaces ?? []).length === 0) return;
          warn(report, policy.origin, `spec.${direction}[${i}].${list}[${j}]`, {
            code: "peer-selects-nothing",
            rule: "NP-38",
            message: `no pod is ${describe(peer, policy)}, so that the peer lets nobody through${hint(peer, policy)}`,
            remedy: "correct the selectors, or load the pods and namespaces",
          });
        });
      });
    }
  }
};

function describe(peer: Extract<NetworkPolicyPeer, { kind: "pods" }>, policy: NetworkPolicy): string {
  const where =
    peer.namespaces === null
      ? `in namespace ${policy.namespace}`
      : peer.namespaces.length === 0
        ? "in any namespace"
        : `in a namespace with ${formatSelector(peer.namespaces)}`;
  return peer.pods.length === 0 ? where : `${formatSelector(peer.pods)} ${where}`;
}

/** NP-30: without a namespaceSelector the pods are those of the policy's own namespace. */
function hint({ namespaces }: Extract<NetworkPolicyPeer, { kind: "pods" }>, { namespace }: NetworkPolicy): string {
  return namespaces === null ? ` (a podSelector alone means pods of ${namespace}, the policy's own namespace)` : "";
}
