/** Pods and namespaces as lint rules ask about them. */
import type { KubernetesInventory, Pod } from "../../model/kubernetes.ts";
import { isSelectable, namespaceLabels, namespaceNameLabel } from "../../model/kubernetes.ts";
import type { NetworkPolicy } from "../../model/network-policy.ts";
import { type Selector, selects } from "../../model/selector.ts";

/** Pods of the policy's namespace that its selector names; those that no policy can select aside. */
export function subjectsOf(policy: NetworkPolicy, { pods }: KubernetesInventory): readonly Pod[] {
  return pods.filter(
    (pod) => pod.namespace === policy.namespace && isSelectable(pod) && selects(policy.podSelector, pod.labels),
  );
}

/** Whether any pod is selected; `namespaces` is a name or a selector. */
export function selectsAnyPod(
  namespaces: string | Selector,
  pods: Selector,
  kubernetes: KubernetesInventory,
  labelsOf = namespaceLabels(kubernetes),
): boolean {
  return kubernetes.pods.some(
    (pod) =>
      isSelectable(pod) &&
      (typeof namespaces === "string" ? namespaces === pod.namespace : selects(namespaces, labelsOf(pod.namespace))) &&
      selects(pods, pod.labels),
  );
}

/** Names that a namespace selector asks for by the label that every namespace carries (NP-24). */
export function namesOf(selector: Selector): readonly string[] {
  return selector.flatMap(({ key, operator, values }) =>
    key === namespaceNameLabel && operator === "In" ? values : [],
  );
}
