/** Policies of namespaces that the input doesn't hold (NP-1). */
import { findingAt, type Report } from "../../model/finding.ts";
import { type KubernetesInventory, knownNamespaces } from "../../model/kubernetes.ts";

/** Warns of each; silent where no namespace is known, because policies alone are an excerpt. */
export function reportUnknownNamespaces(kubernetes: KubernetesInventory, report: Report): void {
  const known = knownNamespaces(kubernetes);
  if (known.size === 0) return;
  for (const { namespace, origin } of kubernetes.networkPolicies) {
    if (known.has(namespace)) continue;
    const message = `there is no namespace ${namespace} in the input, nor a pod of it, so that the policy restricts nobody`;
    report(
      findingAt(origin, "metadata.namespace", {
        severity: "warning",
        code: "unknown-namespace",
        rule: "NP-1",
        message,
        remedy: "correct the name, or load the namespace and its pods",
      }),
    );
  }
}
