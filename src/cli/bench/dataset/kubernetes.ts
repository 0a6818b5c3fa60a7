/**
 * The cluster beside the lab: nodes, namespaces of 100 pods of ten applications, and policies as people write them:
 * by application, by team and tier, by address block, with ranges of ports. Pure.
 */
import type { DatasetFile, DatasetSpec, Shares } from "./dataset.ts";
import { addressAt, inFiles, kubernetesList } from "./files.ts";
import { labNamespace } from "./lab-objects.ts";

const podsOfNode = 100;
const applications = 10;
const teams = 20;
const tiers = ["front", "middle", "back"] as const;
const created = "2026-01-01T00:00:00Z";

export const namespaceName = (index: number): string => `team-${index % teams}-${index}`;
const nodeName = (index: number): string => `node-${index}`;
const nodeAddress = (index: number): string => addressAt([10, 200, 0, 1], index);

export function nodeFiles(shares: Shares): Generator<DatasetFile> {
  const make = (i: number) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName(i), labels: { "kubernetes.io/hostname": nodeName(i) }, creationTimestamp: created },
    status: { addresses: [{ type: "InternalIP", address: nodeAddress(i) }] },
  });
  return inFiles("nodes", Math.ceil(shares.pods / podsOfNode), make, kubernetesList);
}

export function namespaceFiles(shares: Shares): Generator<DatasetFile> {
  const make = (i: number) => {
    const name = namespaceName(i);
    const labels = { "kubernetes.io/metadata.name": name, team: `team-${i % teams}` };
    return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels, creationTimestamp: created } };
  };
  return inFiles("namespaces", shares.namespaces, make, kubernetesList);
}

export function podFiles(shares: Shares): Generator<DatasetFile> {
  return inFiles("pods", shares.pods, (i) => clusterPod(i, shares), kubernetesList);
}

/** Pod number `index` of the cluster; numbers from `shares.pods` on are pods that the files don't hold. */
export function clusterPod(index: number, shares: Shares): object {
  const app = Math.floor(index / shares.namespaces) % applications;
  return pod({
    name: `app-${app}-${index}`,
    namespace: namespaceName(index % shares.namespaces),
    owner: `app-${app}`,
    labels: {
      app: `app-${app}`,
      tier: tiers[app % tiers.length]!,
      "app.kubernetes.io/version": `1.${app}.0`,
      "pod-template-hash": (0x5bd1e995 ^ app).toString(36),
    },
    address: addressAt([10, 96, 0, 0], index),
    node: Math.floor(index / podsOfNode) % Math.max(1, Math.ceil(shares.pods / podsOfNode)),
  });
}

export interface PodSpec {
  readonly name: string;
  readonly namespace: string;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly node: number;
}

export function pod({ name, namespace, owner, labels, address, node }: PodSpec): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels,
      creationTimestamp: created,
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, controller: true, uid: owner }],
    },
    spec: {
      nodeName: nodeName(node),
      containers: [
        {
          name: "main",
          image: `registry.example.com/${owner}:1.0`,
          ports: [
            { name: "http", containerPort: 8080, protocol: "TCP" },
            { name: "metrics", containerPort: 9090, protocol: "TCP" },
          ],
        },
      ],
    },
    status: {
      phase: "Running",
      hostIP: nodeAddress(node),
      hostIPs: [{ ip: nodeAddress(node) }],
      podIP: address,
      podIPs: [{ ip: address }],
    },
  };
}

export function policyFiles(count: number, shares: Shares, layout: DatasetSpec["layout"]): Generator<DatasetFile> {
  const make = (i: number): object => {
    const namespace = layout === "together" ? labNamespace : namespaceName(i % shares.namespaces);
    const number = Math.floor(i / (layout === "together" ? 1 : shares.namespaces));
    return clusterPolicy(i, number, namespace, Math.min(teams, shares.namespaces));
  };
  return inFiles("policies", count, make, kubernetesList);
}

/** Policy number `number` of its namespace; every third restricts egress as well. */
function clusterPolicy(index: number, number: number, namespace: string, teamCount: number): object {
  const other = { podSelector: { matchLabels: { app: `app-${(number + 1) % applications}` } } };
  const ingress = [
    { from: [other], ports: [{ protocol: "TCP", port: "http" }] },
    {
      from: [
        {
          namespaceSelector: { matchLabels: { team: `team-${(index + 7) % teamCount}` } },
          podSelector: { matchExpressions: [{ key: "tier", operator: "In", values: ["front", "middle"] }] },
        },
      ],
      ports: [{ protocol: "TCP", port: 9000 + (index % 50), endPort: 9100 }],
    },
    {
      from: [{ ipBlock: { cidr: `172.16.${index % 256}.0/24`, except: [`172.16.${index % 256}.128/25`] } }],
      ports: [{ protocol: "TCP", port: 443 }],
    },
  ];
  const egress = [
    { to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } }], ports: dns },
    { to: [other] },
  ];
  const hasEgress = number % 3 === 2;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: `policy-${index}`, namespace, creationTimestamp: created },
    spec: {
      podSelector: { matchLabels: { app: `app-${number % applications}` } },
      policyTypes: hasEgress ? ["Ingress", "Egress"] : ["Ingress"],
      ingress,
      ...(hasEgress ? { egress } : {}),
    },
  };
}

const dns = [
  { protocol: "UDP", port: 53 },
  { protocol: "TCP", port: 53 },
];
