/** The kinds that are listed and watched, and where an API server has them. */

export interface ApiResource {
  readonly kind: string;
  readonly apiVersion: string;
  /** `/api/v1/pods`: of all namespaces. */
  readonly path: string;
}

/** A kind that a custom resource definition brings: served or not, and under one version or another. */
export interface OptionalResource {
  readonly kind: string;
  readonly plural: string;
  readonly group: string;
  /** Those whose objects we can read, the best first. */
  readonly versions: readonly string[];
}

const core = (kind: string, plural: string): ApiResource => ({ kind, apiVersion: "v1", path: `/api/v1/${plural}` });

export const builtInResources: readonly ApiResource[] = [
  core("Namespace", "namespaces"),
  core("Node", "nodes"),
  {
    kind: "NetworkPolicy",
    apiVersion: "networking.k8s.io/v1",
    path: "/apis/networking.k8s.io/v1/networkpolicies",
  },
  core("Service", "services"),
  core("Pod", "pods"),
];

const POLICY_GROUP = "policy.networking.k8s.io";

export const policyResources: readonly OptionalResource[] = [
  { kind: "AdminNetworkPolicy", plural: "adminnetworkpolicies", group: POLICY_GROUP, versions: ["v1alpha1"] },
  {
    kind: "BaselineAdminNetworkPolicy",
    plural: "baselineadminnetworkpolicies",
    group: POLICY_GROUP,
    versions: ["v1alpha1"],
  },
  { kind: "ClusterNetworkPolicy", plural: "clusternetworkpolicies", group: POLICY_GROUP, versions: ["v1alpha2"] },
];

export function resourceAt({ kind, plural, group }: OptionalResource, version: string): ApiResource {
  return { kind, apiVersion: `${group}/${version}`, path: `/apis/${group}/${version}/${plural}` };
}
