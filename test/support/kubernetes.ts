/**
 * Kubernetes objects as the API prints them, from short arguments. In the namespace `shop`, unless told
 * otherwise.
 */
import type { V1Node, V1Pod } from "@kubernetes/client-node";

const namespace = "shop";
const nodeName = "node-1";

/** What isn't as usual with a pod. */
export interface PodFields {
  readonly namespace?: string;
  /** Null: none yet. */
  readonly nodeName?: string | null;
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  /** One that is created anew is another pod. */
  readonly createdAt?: string;
}

export function pod(
  name: string,
  labels: Readonly<Record<string, string>>,
  addresses: readonly string[],
  fields: PodFields = {},
): V1Pod {
  const node = fields.nodeName === undefined ? nodeName : fields.nodeName;
  const createdAt = fields.createdAt === undefined ? {} : { creationTimestamp: new Date(fields.createdAt) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: fields.namespace ?? namespace, labels, ...createdAt },
    spec: {
      ...(node === null ? {} : { nodeName: node }),
      ...(fields.hostNetwork ? { hostNetwork: true } : {}),
      containers: [{ name: "main", image: "main" }],
    },
    status: {
      phase: fields.phase ?? "Running",
      ...(addresses[0] === undefined ? {} : { podIP: addresses[0] }),
      podIPs: addresses.map((ip) => ({ ip })),
    },
  };
}

/** The node of all pods that say nothing else. */
export function node(addresses: readonly string[], name = nodeName): V1Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
  };
}

export function namespaceObject(name: string, labels: Readonly<Record<string, string>>): object {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** `spec` as it's written: the client's type calls `from` otherwise. */
export function networkPolicy(name: string, spec: object): object {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace }, spec };
}

export function list(items: readonly object[]): object {
  return { apiVersion: "v1", kind: "List", items };
}
