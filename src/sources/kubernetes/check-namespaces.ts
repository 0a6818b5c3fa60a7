/** Policies of namespaces that the input doesn't hold (NP-1). */
import { findingAt, type Report } from "../../model/finding.ts";
import type { NetworkPolicy } from "../../model/network-policy.ts";

/** Warns of each; silent where no namespace is known, because policies alone are an excerpt. */
export function reportUnknownNamespaces(
  policies: readonly NetworkPolicy[],
  known: ReadonlySet<string>,
  report: Report,
): void {
  if (known.size === 0) return;
  for (const { namespace, origin } of policies) {
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
