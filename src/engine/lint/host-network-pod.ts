/** Policies that seem to select hostNetwork pods, which none of them can (NP-59). */
import { selects } from "../../model/selector.ts";
import { type LintRule, listSome, warn } from "./rule.ts";

export const hostNetworkPod: LintRule = ({ inventory: { kubernetes } }, report) => {
  const onHost = kubernetes.pods.filter((pod) => pod.hostNetwork && pod.addresses.length > 0);
  for (const policy of kubernetes.networkPolicies) {
    const chosen = onHost.filter(
      (pod) => pod.namespace === policy.namespace && selects(policy.podSelector, pod.labels),
    );
    if (chosen.length === 0) continue;
    const names = listSome(chosen.map((pod) => pod.name));
    warn(report, policy.origin, "spec.podSelector", {
      code: "host-network-pod",
      rule: "NP-59",
      message: `${names} ${chosen.length === 1 ? "uses" : "use"} the host's network, so that the policy doesn't restrict ${chosen.length === 1 ? "it" : "them"}`,
      remedy: "guard the node itself, or take the pod off the host's network",
    });
  }
};
