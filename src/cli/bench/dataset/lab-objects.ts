/** The lab's own pods and policies, and what the measurements change about them. Pure. */
import { clientAddress, pairCount, ports, serverAddress, visitorAddress } from "../topology.ts";
import type { DatasetFile, Shares } from "./dataset.ts";
import { kubernetesList } from "./files.ts";
import { clusterPod, pod } from "./kubernetes.ts";

export const labNamespace = "bench";

/** Files of one object each, below the dataset's directory. */
export const changeFiles = {
  policy: "change-policy.json",
  pod: "change-pod.json",
  elsewhere: "change-elsewhere.json",
} as const;

export function* labFiles(hasPolicies: boolean): Generator<DatasetFile> {
  const namespaces = [labNamespace, "kube-system"].map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
  }));
  const pairs = Array.from({ length: pairCount }, (_, i) => i);
  const objects = [
    ...namespaces,
    ...pairs.map((i) => labPod(`client-${i}`, clientAddress(i), { app: "client" })),
    ...pairs.map((i) => labPod(`server-${i}`, serverAddress(i), { app: "server" })),
    ...(hasPolicies ? [serverPolicy, clientPolicy] : []),
  ];
  yield { path: "lab.json", text: JSON.stringify(kubernetesList(objects)) };
  if (!hasPolicies) return;
  yield { path: changeFiles.policy, text: changedPolicy(false) };
  yield { path: changeFiles.pod, text: changedPod(false) };
}

/** The policy `change`: with `isOpen` clients reach the server's port for it. */
export function changedPolicy(isOpen: boolean): string {
  // Always one port, so that the two differ in what they allow and in nothing else.
  const allowed = isOpen ? ports.policyChange : ports.policyChange + 1000;
  return JSON.stringify(ingressPolicy("change", [{ from: fromClients, ports: [{ protocol: "UDP", port: allowed }] }]));
}

/** The visitor: with `isOpen` it has the label that the server asks for. */
export function changedPod(isOpen: boolean): string {
  return JSON.stringify(
    labPod("visitor", visitorAddress, isOpen ? { app: "visitor", pass: "yes" } : { app: "visitor" }),
  );
}

/** A pod of another namespace that comes or goes (null): nothing that the lab's packets meet. */
export function podElsewhere(isThere: boolean, shares: Shares): string | null {
  return isThere ? JSON.stringify(clusterPod(shares.pods + 1, shares)) : null;
}

const fromClients = [{ podSelector: { matchLabels: { app: "client" } } }];

const serverPolicy = ingressPolicy("server", [
  {
    from: fromClients,
    ports: [
      { protocol: "UDP", port: ports.echo },
      { protocol: "UDP", port: ports.sink },
      { protocol: "TCP", port: ports.accept },
      { protocol: "TCP", port: ports.bulk },
    ],
  },
  {
    from: [{ podSelector: { matchLabels: { pass: "yes" } } }],
    ports: [{ protocol: "UDP", port: ports.podChange }],
  },
]);

const clientPolicy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "client", namespace: labNamespace },
  spec: {
    podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["client", "visitor"] }] },
    policyTypes: ["Egress"],
    egress: [{ to: [{ podSelector: { matchLabels: { app: "server" } } }] }],
  },
};

function ingressPolicy(name: string, ingress: readonly object[]): object {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: labNamespace },
    spec: { podSelector: { matchLabels: { app: "server" } }, policyTypes: ["Ingress"], ingress },
  };
}

function labPod(name: string, address: string, labels: Readonly<Record<string, string>>): object {
  return pod({ name, namespace: labNamespace, owner: labels.app ?? name, labels, address, node: 0 });
}
