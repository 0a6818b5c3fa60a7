/** Namespaces that policies' selectors name and the inventory doesn't hold (NP-24, NP-25). */
import type { Origin, Report } from "../../model/finding.ts";
import { knownNamespaces } from "../../model/kubernetes.ts";
import type { Selector } from "../../model/selector.ts";
import { namesOf } from "./kubernetes-subjects.ts";
import { type LintRule, warn } from "./rule.ts";

export const unknownNamespace: LintRule = ({ inventory: { kubernetes } }, report) => {
  const known = knownNamespaces(kubernetes);
  if (known.size === 0) return;
  const check = (selector: Selector, origin: Origin, path: string): void => {
    for (const name of namesOf(selector)) if (!known.has(name)) tell(report, origin, path, name);
  };
  for (const policy of kubernetes.networkPolicies) {
    for (const [direction, list] of [
      ["ingress", "from"],
      ["egress", "to"],
    ] as const) {
      policy[direction].forEach((rule, i) => {
        (rule.peers ?? []).forEach((peer, j) => {
          if (peer.kind !== "pods" || peer.namespaces === null) return;
          check(peer.namespaces, policy.origin, `spec.${direction}[${i}].${list}[${j}].namespaceSelector`);
        });
      });
    }
  }
  for (const policy of kubernetes.adminPolicies) {
    check(policy.subject.namespaces, policy.origin, "spec.subject");
    for (const [direction, list] of [
      ["ingress", "from"],
      ["egress", "to"],
    ] as const) {
      policy[direction].forEach((rule, i) => {
        (rule.peers ?? []).forEach((peer, j) => {
          if (peer.kind === "pods") check(peer.namespaces, policy.origin, `spec.${direction}[${i}].${list}[${j}]`);
        });
      });
    }
  }
};

function tell(report: Report, origin: Origin, path: string, name: string): void {
  warn(report, origin, path, {
    code: "unknown-namespace",
    rule: "NP-25",
    message: `there is no namespace ${name} in the input, nor a pod of it`,
    remedy: "correct the name, or load the namespace and its pods",
  });
}
