/** Objects of one document, before they are assembled with all others. */
import type { AdminPolicy } from "../../model/admin-policy.ts";
import type { Namespace, Node, Pod, Service } from "../../model/kubernetes.ts";
import type { NetworkPolicy } from "../../model/network-policy.ts";

/** What one document holds, in its order. */
export interface KubernetesParts {
  readonly pods: Pod[];
  readonly namespaces: Namespace[];
  readonly nodes: Node[];
  readonly services: Service[];
  readonly networkPolicies: NetworkPolicy[];
  readonly adminPolicies: AdminPolicy[];
}

export function emptyParts(): KubernetesParts {
  return { pods: [], namespaces: [], nodes: [], services: [], networkPolicies: [], adminPolicies: [] };
}
