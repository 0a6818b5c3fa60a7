/** A few objects of each kind. */
import type { ApiObject } from "../../../support/api-client.ts";

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): ApiObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

/** `number`: of its address and its name. */
export const pod = (home: string, number: number, labels: Readonly<Record<string, string>> = {}): ApiObject => {
  const podIP = `10.1.${number >> 8}.${number & 255}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${number}`, namespace: home, labels: { app: `app-${number % 3}`, ...labels } },
    spec: {
      nodeName: "node-1",
      containers: [{ name: "main", image: "x", ports: [{ containerPort: 80, name: "http" }] }],
    },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  };
};

export const node = (name: string, address: string): ApiObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  status: { addresses: [{ type: "InternalIP", address }] },
});

export const service = (home: string, name: string, clusterIP: string): ApiObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: home },
  spec: { selector: { app: "app-0" }, clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80 }] },
});

export const networkPolicy = (home: string, name: string): ApiObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name, namespace: home },
  spec: {
    podSelector: { matchLabels: { app: "app-1" } },
    policyTypes: ["Ingress"],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: "app-0" } } }] }],
  },
});

export const adminPolicy = (name: string, priority: number): ApiObject => ({
  apiVersion: "policy.networking.k8s.io/v1alpha1",
  kind: "AdminNetworkPolicy",
  metadata: { name },
  spec: {
    priority,
    subject: { namespaces: {} },
    ingress: [{ name: "no", action: "Deny", from: [{ namespaces: { matchLabels: { team: "red" } } }] }],
  },
});
