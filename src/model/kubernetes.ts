/**
 * Kubernetes resources as the engine needs them. Arrays are in text order of namespace and name, so that nothing
 * depends on the order of the input (PL-25).
 */
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { AdminPolicy } from "./admin-policy.ts";
import type { Origin } from "./finding.ts";
import type { Labels } from "./labels.ts";
import type { NetworkPolicy } from "./network-policy.ts";

export interface ContainerPort {
  readonly name: string | null;
  /** 1–65535. */
  readonly port: number;
  /** IP protocol number. */
  readonly protocol: number;
}

/** What an agent of a node is started with. */
export interface Container {
  readonly name: string;
  readonly image: string;
  /** Its command's words, then its arguments. */
  readonly args: readonly string[];
}

/** A pod, or a workload that stands for its pods with its template's labels and ports. */
export interface Pod {
  readonly kind:
    | "Pod"
    | "Deployment"
    | "ReplicaSet"
    | "StatefulSet"
    | "DaemonSet"
    | "Job"
    | "CronJob"
    | "ReplicationController";
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /**
   * Its addresses, up to one of each family. A pod or workload without one has a single address of family `none`, by
   * which it can be named offline. Empty for a pod that has ended (NP-60).
   */
  readonly addresses: readonly Address[];
  /** Those that it claims and another pod has (NP-66). */
  readonly lostAddresses?: readonly Address[];
  readonly nodeName: string | null;
  /** Addresses of its node that its own status names (`hostIP`, `hostIPs`). */
  readonly hostAddresses: readonly Address[];
  readonly hostNetwork: boolean;
  readonly phase: string;
  /** `creationTimestamp`, or the empty string; compared as text (NP-66). */
  readonly createdAt: string;
  readonly ports: readonly ContainerPort[];
  /** The workload that made it, by its controller reference: `ReplicaSet`, `web-7d4b9`. */
  readonly owner: { readonly kind: string; readonly name: string } | null;
  /** Only of those that a DaemonSet runs on the host's network: agents of nodes. */
  readonly containers?: readonly Container[];
  readonly origin: Origin;
}

export interface Namespace {
  readonly name: string;
  /** With `kubernetes.io/metadata.name` (NP-24). */
  readonly labels: Labels;
  readonly origin: Origin;
}

export interface Node {
  readonly name: string;
  readonly labels: Labels;
  readonly addresses: readonly Address[];
  /** From which it sends into tunnels to other nodes; no policy means them. */
  readonly tunnelAddresses: readonly Address[];
  /** Where its pods' addresses lie (`spec.podCIDRs`); empty where it doesn't say. */
  readonly podRanges: readonly Prefix[];
  readonly origin: Origin;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Labels | null;
  readonly addresses: readonly Address[];
  readonly origin: Origin;
}

export interface KubernetesInventory {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly networkPolicies: readonly NetworkPolicy[];
  /** Of both tiers; those of one tier in the order in which they are asked (AN-2). */
  readonly adminPolicies: readonly AdminPolicy[];
}

export const emptyKubernetes: KubernetesInventory = {
  pods: [],
  namespaces: [],
  nodes: [],
  services: [],
  networkPolicies: [],
  adminPolicies: [],
};

/** The label that every namespace carries (NP-24). */
export const namespaceNameLabel = "kubernetes.io/metadata.name";

/** A namespace's labels by its name; one without an object has only the label of its name (NP-25). */
export function namespaceLabels(kubernetes: Pick<KubernetesInventory, "namespaces">): (name: string) => Labels {
  const known = new Map(kubernetes.namespaces.map((namespace) => [namespace.name, namespace.labels]));
  return (name) => known.get(name) ?? { [namespaceNameLabel]: name };
}

/** Namespaces that the inventory holds, or that some pod of it is in. */
export function knownNamespaces({ namespaces, pods }: Known): ReadonlySet<string> {
  const known = new Set<string>();
  for (const { name } of namespaces) known.add(name);
  for (const { namespace } of pods) known.add(namespace);
  return known;
}

interface Known {
  readonly namespaces: Iterable<Pick<Namespace, "name">>;
  readonly pods: Iterable<Pick<Pod, "namespace">>;
}

/** A pod that policies can select: one with an address of its own that hasn't ended (NP-59, NP-60). */
export function isSelectable(pod: Pod): boolean {
  return !pod.hostNetwork && pod.addresses.length > 0;
}
