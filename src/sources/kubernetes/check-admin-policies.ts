/** Admin policies whose order the API leaves undefined (AN-3). */
import type { AdminPolicy } from "../../model/admin-policy.ts";
import { findingAt, type Report } from "../../model/finding.ts";
import { canOverlap } from "../../model/selector.ts";

/** Warns once for each pair of one tier and priority that can both have a say about some pod, in one direction. */
export function reportEqualPriorities(policies: readonly AdminPolicy[], report: Report): void {
  const groups = new Map<string, AdminPolicy[]>();
  for (const policy of policies) {
    if (policy.kind === "BaselineAdminNetworkPolicy") continue;
    const key = `${policy.tier} ${policy.priority}`;
    groups.set(key, [...(groups.get(key) ?? []), policy]);
  }
  for (const members of groups.values()) {
    members.forEach((second, i) => {
      for (const first of members.slice(0, i)) {
        if (!meet(first, second)) continue;
        const message = `priority ${first.priority} is ${first.origin.name}'s too; the API leaves their order undefined, here ${first.name} is asked first; give them different priorities`;
        report(
          findingAt(second.origin, "spec.priority", {
            severity: "warning",
            code: "equal-priority",
            rule: "AN-3",
            message,
          }),
        );
      }
    });
  }
}

function meet(a: AdminPolicy, b: AdminPolicy): boolean {
  const inOneDirection = (a.ingress.length > 0 && b.ingress.length > 0) || (a.egress.length > 0 && b.egress.length > 0);
  return (
    inOneDirection &&
    canOverlap(a.subject.namespaces, b.subject.namespaces) &&
    canOverlap(a.subject.pods, b.subject.pods)
  );
}
