/** Kubernetes objects as the API prints them, from short arguments. All in the namespace `shop`. */
import type { V1Node, V1Pod } from "@kubernetes/client-node";

const namespace = "shop";
const nodeName = "node-1";

export function pod(name: string, labels: Readonly<Record<string, string>>, addresses: readonly string[]): V1Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: { nodeName, containers: [{ name: "main", image: "main" }] },
    status: {
      phase: "Running",
      ...(addresses[0] === undefined ? {} : { podIP: addresses[0] }),
      podIPs: addresses.map((ip) => ({ ip })),
    },
  };
}

/** The node of all pods. */
export function node(addresses: readonly string[]): V1Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName },
    status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
  };
}

/** `spec` as it's written: the client's type calls `from` otherwise. */
export function networkPolicy(name: string, spec: object): object {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name, namespace }, spec };
}

export function list(items: readonly object[]): object {
  return { apiVersion: "v1", kind: "List", items };
}
