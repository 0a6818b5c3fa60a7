/**
 * What became different between two inventories, object by object: so that a change costs what it changes, and not what
 * there is.
 */
import type { Address } from "../net/address.ts";
import type { AdminPolicy } from "./admin-policy.ts";
import type { Ec2Inventory } from "./ec2.ts";
import type { Inventory } from "./inventory.ts";
import type { Namespace, Node, Pod, Service } from "./kubernetes.ts";
import type { NetworkPolicy } from "./network-policy.ts";

/** One object that came (`before` is null), went (`after` is null) or says something else. Never both null. */
export interface Change<T> {
  readonly before: T | null;
  readonly after: T | null;
}

/**
 * DNS told a pod an address for a name that it had asked for, or that has expired (AN-30). `subject` is any address of the
 * pod; the name is in its canonical form.
 */
export interface NameChange {
  readonly subject: Address;
  readonly name: string;
  readonly address: Address;
  readonly isLearnt: boolean;
}

/** What is kept of it for the next run. */
export interface ToldName extends Omit<NameChange, "isLearnt"> {
  /** The pod that asked, and since when there is one of that name. */
  readonly owner: string;
}

/** `before` is the very object (by identity) that an earlier change had as `after`. In any order. */
export interface KubernetesChange {
  readonly pods: readonly Change<Pod>[];
  readonly namespaces: readonly Change<Namespace>[];
  readonly nodes: readonly Change<Node>[];
  readonly services: readonly Change<Service>[];
  readonly networkPolicies: readonly Change<NetworkPolicy>[];
  readonly adminPolicies: readonly Change<AdminPolicy>[];
  /** In order. */
  readonly names: readonly NameChange[];
  /** All addresses of the host that we run on (NP-56); null: the same as before. */
  readonly hostAddresses: readonly Address[] | null;
}

export interface InventoryChange {
  /** The new one; null: nothing of it has changed. */
  readonly ec2: Ec2Inventory | null;
  readonly kubernetes: KubernetesChange;
}

export const noChange: InventoryChange = {
  ec2: null,
  kubernetes: {
    pods: [],
    namespaces: [],
    nodes: [],
    services: [],
    networkPolicies: [],
    adminPolicies: [],
    names: [],
    hostAddresses: null,
  },
};

/** From an empty inventory to this one. */
export function changeFromNothing({ ec2, kubernetes }: Inventory): InventoryChange {
  const appear = <T>(objects: readonly T[]): Change<T>[] => objects.map((after) => ({ before: null, after }));
  return {
    ec2,
    kubernetes: {
      pods: appear(kubernetes.pods),
      namespaces: appear(kubernetes.namespaces),
      nodes: appear(kubernetes.nodes),
      services: appear(kubernetes.services),
      networkPolicies: appear(kubernetes.networkPolicies),
      adminPolicies: appear(kubernetes.adminPolicies),
      names: [],
      hostAddresses: null,
    },
  };
}
