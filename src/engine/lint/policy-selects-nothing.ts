/** Policies whose subject no pod is: they protect nobody (NP-1, AN-20). */
import { formatSelector } from "../../model/selector.ts";
import { selectsAnyPod, subjectsOf } from "./kubernetes-subjects.ts";
import { type LintRule, warn } from "./rule.ts";

export const policySelectsNothing: LintRule = ({ inventory: { kubernetes } }, report) => {
  // Policies alone, without pods, are an excerpt.
  if (kubernetes.pods.length === 0) return;
  for (const policy of kubernetes.networkPolicies) {
    // A policy of a whole namespace waits for pods to come.
    if (policy.podSelector.length === 0 || subjectsOf(policy, kubernetes).length > 0) continue;
    const wanted = `${formatSelector(policy.podSelector)} in namespace ${policy.namespace}`;
    warn(report, policy.origin, "spec.podSelector", {
      code: "policy-selects-nothing",
      rule: "NP-1",
      message: `no pod has ${wanted}, so that the policy restricts nobody`,
      remedy: "correct the selector or the namespace, or load the pods",
    });
  }
  for (const { subject, origin } of kubernetes.adminPolicies) {
    const isEverything = subject.namespaces.length === 0 && subject.pods.length === 0;
    if (isEverything || selectsAnyPod(subject.namespaces, subject.pods, kubernetes)) continue;
    warn(report, origin, "spec.subject", {
      code: "policy-selects-nothing",
      rule: "AN-20",
      message: "its subject is no pod of the input, so that the policy decides nothing",
      remedy: "correct the selectors, or load the pods and namespaces",
    });
  }
};
