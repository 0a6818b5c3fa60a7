/** Named ports that no container has: the element matches nothing (NP-47, AN-42). */
import type { KubernetesInventory } from "../../model/kubernetes.ts";
import { formatProtocol } from "../../net/protocol.ts";
import { subjectsOf } from "./kubernetes-subjects.ts";
import { type LintRule, warn } from "./rule.ts";

export const undefinedNamedPort: LintRule = ({ inventory: { kubernetes } }, report) => {
  if (kubernetes.pods.length === 0) return;
  for (const policy of kubernetes.networkPolicies) {
    const subjects = subjectsOf(policy, kubernetes);
    for (const direction of ["ingress", "egress"] as const) {
      // The name is looked up on the destination: the policy's own pods, or any pod for egress (NP-43).
      const destinations = direction === "ingress" ? subjects : kubernetes.pods;
      if (destinations.length === 0) continue;
      policy[direction].forEach((rule, i) => {
        (rule.ports ?? []).forEach(({ name, protocol }, j) => {
          if (name === null) return;
          const own = destinations.flatMap((pod) => pod.ports).filter((port) => port.name === name);
          if (own.some((port) => port.protocol === protocol)) return;
          const other = own[0] ? ` with ${formatProtocol(protocol)} (it is ${formatProtocol(own[0].protocol)})` : "";
          warn(report, policy.origin, `spec.${direction}[${i}].ports[${j}].port`, {
            code: "undefined-named-port",
            rule: "NP-47",
            message: `no container port of ${direction === "ingress" ? "the policy's pods" : "any pod"} is named ${name}${other}, so that it matches nothing`,
            remedy: own[0] ? "write the port's protocol" : "correct the name, or name the container's port",
          });
        });
      });
    }
  }
  checkAdminPolicies(kubernetes, (origin, path, name) =>
    warn(report, origin, path, {
      code: "undefined-named-port",
      rule: "AN-42",
      message: `no container port of any pod is named ${name}, so that it matches nothing`,
      remedy: "correct the name, or name the container's port",
    }),
  );
};

function checkAdminPolicies(
  { pods, adminPolicies }: KubernetesInventory,
  tell: (origin: KubernetesInventory["adminPolicies"][number]["origin"], path: string, name: string) => void,
): void {
  const names = new Set(pods.flatMap((pod) => pod.ports.map((port) => port.name)));
  for (const policy of adminPolicies) {
    for (const direction of ["ingress", "egress"] as const) {
      policy[direction].forEach((rule, i) => {
        for (const { name } of rule.ports ?? []) {
          if (name !== null && !names.has(name)) tell(policy.origin, `spec.${direction}[${i}]`, name);
        }
      });
    }
  }
}
