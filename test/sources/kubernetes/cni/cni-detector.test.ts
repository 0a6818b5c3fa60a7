import { expect, test } from "vitest";
import { InventoryStore } from "../../../../src/sources/inventory-store.ts";
import { CniDetector } from "../../../../src/sources/kubernetes/cni/cni-detector.ts";
import { convertKubernetesDocument } from "../../../../src/sources/kubernetes/convert.ts";

interface Agent {
  readonly daemonSet: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly object[];
  readonly namespace?: string;
  readonly hostNetwork?: boolean;
}

const k8sApp = (name: string): Record<string, string> => ({ "k8s-app": name });
const kindnet = (image: string, args: readonly string[] = []): Agent => ({
  daemonSet: "kindnet",
  labels: { app: "kindnet", "k8s-app": "kindnet", tier: "node" },
  containers: [{ name: "kindnet-cni", image, args }],
});
const kubeRouter = (...args: string[]): Agent => ({
  daemonSet: "kube-router",
  labels: { ...k8sApp("kube-router"), tier: "node" },
  containers: [{ name: "kube-router", image: "docker.io/cloudnativelabs/kube-router:v2.2.1", args }],
});
const awsNode = (...args: string[]): Agent => ({
  daemonSet: "aws-node",
  labels: { ...k8sApp("aws-node"), "app.kubernetes.io/name": "aws-node" },
  containers: [
    { name: "aws-node", image: "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.19.0" },
    {
      name: "aws-eks-nodeagent",
      image: "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.1.5",
      args: ["--enable-ipv6=false", ...args, "--enable-cloudwatch-logs=false", "--metrics-bind-addr=:8162"],
    },
  ],
});
const flannel = (...more: object[]): Agent => ({
  daemonSet: "kube-flannel-ds",
  namespace: "kube-flannel",
  labels: { app: "flannel", "k8s-app": "flannel", tier: "node" },
  containers: [
    {
      name: "kube-flannel",
      image: "ghcr.io/flannel-io/flannel:v0.26.1",
      command: ["/opt/bin/flanneld"],
      args: ["--ip-masq", "--kube-subnet-mgr"],
    },
    ...more,
  ],
});
const netpol = { name: "kube-network-policies", image: "registry.k8s.io/networking/kube-network-policies:v0.7.0" };

/** Labels, names, images and arguments as the vendors' manifests have them. */
const table: readonly (readonly [string, Agent, string, boolean])[] = [
  [
    "Calico by manifest",
    {
      daemonSet: "calico-node",
      labels: k8sApp("calico-node"),
      containers: [{ name: "calico-node", image: "docker.io/calico/node:v3.29.1" }],
    },
    "calico",
    true,
  ],
  [
    "Calico by operator",
    {
      daemonSet: "calico-node",
      namespace: "calico-system",
      labels: { "app.kubernetes.io/name": "calico-node", ...k8sApp("calico-node") },
      containers: [{ name: "calico-node", image: "quay.io/calico/node:v3.29.1" }],
    },
    "calico",
    true,
  ],
  [
    "Canal",
    {
      daemonSet: "canal",
      labels: k8sApp("canal"),
      containers: [
        { name: "calico-node", image: "docker.io/calico/node:v3.27.0" },
        { name: "kube-flannel", image: "docker.io/flannel/flannel:v0.24.4" },
      ],
    },
    "canal",
    true,
  ],
  [
    "Cilium",
    {
      daemonSet: "cilium",
      labels: { ...k8sApp("cilium"), "app.kubernetes.io/part-of": "cilium" },
      containers: [
        { name: "cilium-agent", image: "quay.io/cilium/cilium:v1.16.4", args: ["--config-dir=/tmp/cilium/config-map"] },
      ],
    },
    "cilium",
    true,
  ],
  [
    "GKE Dataplane V2",
    {
      daemonSet: "anetd",
      labels: k8sApp("cilium"),
      containers: [{ name: "cilium-agent", image: "gke.gcr.io/cilium/cilium:v1.15.6-gke.1" }],
    },
    "gke-dataplane-v2",
    true,
  ],
  ["kindnet of kind v0.23", kindnet("docker.io/kindest/kindnetd:v20240513-cd2ac642"), "kindnet", false],
  ["kindnet of kind v0.24", kindnet("docker.io/kindest/kindnetd:v20240813-c6f155d6"), "kindnet", true],
  ["kindnet of kind v0.26", kindnet("docker.io/kindest/kindnetd:v20241212-9f82dd49"), "kindnet", true],
  ["kindnet by itself", kindnet("ghcr.io/aojea/kindnetd:v1.8.0"), "kindnet", true],
  ["kindnet by itself, early", kindnet("ghcr.io/aojea/kindnetd:v1.2.0"), "kindnet", false],
  [
    "kindnet by itself, off",
    kindnet("ghcr.io/aojea/kindnetd:v1.8.0", ["/bin/kindnetd", "--network-policy=false"]),
    "kindnet",
    false,
  ],
  ["Flannel", flannel(), "flannel", false],
  ["Flannel with netpol.enabled", flannel(netpol), "flannel", true],
  [
    "Antrea",
    {
      daemonSet: "antrea-agent",
      labels: { app: "antrea", component: "antrea-agent" },
      containers: [{ name: "antrea-agent", image: "antrea/antrea-agent-ubuntu:v2.2.0" }],
    },
    "antrea",
    true,
  ],
  ["AWS VPC CNI, its agent off", awsNode("--enable-network-policy=false"), "aws-vpc-cni", false],
  ["AWS VPC CNI, its agent on", awsNode("--enable-network-policy=true"), "aws-vpc-cni", true],
  [
    "AWS VPC CNI before it had the agent",
    {
      daemonSet: "aws-node",
      labels: k8sApp("aws-node"),
      containers: [{ name: "aws-node", image: "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.12.6" }],
    },
    "aws-vpc-cni",
    false,
  ],
  ["kube-router", kubeRouter("--run-router=true", "--run-firewall=true"), "kube-router", true],
  ["kube-router, nothing said", kubeRouter(), "kube-router", true],
  ["kube-router for routes alone", kubeRouter("--run-router=true", "--run-firewall=false"), "kube-router", false],
  [
    "Weave",
    {
      daemonSet: "weave-net",
      labels: { name: "weave-net" },
      containers: [
        { name: "weave", image: "weaveworks/weave-kube:2.8.1" },
        { name: "weave-npc", image: "weaveworks/weave-npc:2.8.1" },
      ],
    },
    "weave",
    true,
  ],
  [
    "Weave without its policy controller",
    {
      daemonSet: "weave-net",
      labels: { name: "weave-net" },
      containers: [{ name: "weave", image: "weaveworks/weave-kube:2.8.1" }],
    },
    "weave",
    false,
  ],
  [
    "OVN-Kubernetes of OpenShift",
    {
      daemonSet: "ovnkube-node",
      namespace: "openshift-ovn-kubernetes",
      labels: { app: "ovnkube-node", component: "network", type: "infra" },
      containers: [{ name: "ovnkube-controller", image: "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:0" }],
    },
    "ovn-kubernetes",
    true,
  ],
  [
    "Azure NPM",
    {
      daemonSet: "azure-npm",
      labels: k8sApp("azure-npm"),
      containers: [{ name: "azure-npm", image: "mcr.microsoft.com/containernetworking/azure-npm:v1.4.45.3" }],
    },
    "azure-npm",
    true,
  ],
  [
    "Azure CNI",
    {
      daemonSet: "azure-cns",
      labels: k8sApp("azure-cns"),
      containers: [{ name: "cns-container", image: "mcr.microsoft.com/containernetworking/azure-cns:v1.6.5" }],
    },
    "azure-cni",
    false,
  ],
  [
    "kube-network-policies",
    {
      daemonSet: "kube-network-policies",
      labels: { tier: "node", app: "kube-network-policies", "k8s-app": "kube-network-policies" },
      containers: [netpol],
    },
    "kube-network-policies",
    true,
  ],
];

function podOf({ daemonSet, labels, containers, namespace = "kube-system", hostNetwork = true }: Agent): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${daemonSet}-x2x9f`,
      namespace,
      labels: { ...labels, "controller-revision-hash": "6d9d9f7d5c", "pod-template-generation": "1" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name: daemonSet, controller: true }],
    },
    spec: { hostNetwork, nodeName: "node-1", containers },
    status: { phase: "Running", hostIP: "10.0.0.1", podIP: "10.0.0.1" },
  };
}

const daemonSetOf = ({ daemonSet, labels, containers, namespace = "kube-system" }: Agent): object => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: daemonSet, namespace },
  spec: { template: { metadata: { labels }, spec: { hostNetwork: true, containers } } },
});

const node = (labels: object = {}): object => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels },
});

/** A detector that is fed what the store says has changed, as the policy thread does. */
function cluster(): { set: (...objects: object[]) => readonly (readonly [string, boolean | null])[] } {
  const store = new InventoryStore();
  const detector = new CniDetector();
  return {
    set(...items) {
      const findings: unknown[] = [];
      const list = { apiVersion: "v1", kind: "List", items };
      const parts = convertKubernetesDocument(list, "all.yaml", (finding) => findings.push(finding));
      expect(findings).toEqual([]);
      store.set("all.yaml", { file: "all.yaml", ec2: [], kubernetes: parts ? [parts] : [], findings: [] });
      detector.update(store.commit().kubernetes);
      return detector.detect().map(({ name, enforces }) => [name, enforces] as const);
    },
  };
}

test.each(table)("%s", (_, agent, name, enforces) => {
  expect(cluster().set(podOf(agent), node())).toEqual([[name, enforces]]);
  expect(cluster().set(daemonSetOf(agent), node())).toEqual([[name, enforces]]);
});

test("K3s enforces by itself; it has no pod that says so", () => {
  expect(cluster().set(node({ "node.kubernetes.io/instance-type": "k3s" }))).toEqual([["k3s", true]]);
});

test("nodes without a known agent: not known; without nodes there is nothing to say", () => {
  expect(cluster().set(node())).toEqual([["unknown", null]]);
  expect(cluster().set()).toEqual([]);
});

test("a pod that only calls itself so is none", () => {
  const { set } = cluster();
  expect(set(podOf({ ...flannel(netpol), hostNetwork: false }), node())).toEqual([["unknown", null]]);
});

test("it follows changes: the add-on's agent is switched on, the plugin is replaced", () => {
  const { set } = cluster();
  expect(set(podOf(awsNode("--enable-network-policy=false")), node())).toEqual([["aws-vpc-cni", false]]);
  expect(set(podOf(awsNode("--enable-network-policy=true")), node())).toEqual([["aws-vpc-cni", true]]);
  expect(set(podOf(flannel()), node())).toEqual([["flannel", false]]);
  expect(set(node())).toEqual([["unknown", null]]);
});

test("two plugins at once are both named, in order", () => {
  expect(cluster().set(podOf(flannel()), podOf(awsNode("--enable-network-policy=true")), node())).toEqual([
    ["aws-vpc-cni", true],
    ["flannel", false],
  ]);
});

test("while versions change, the one that enforces counts", () => {
  const old = podOf(kindnet("docker.io/kindest/kindnetd:v20240513-cd2ac642"));
  const young = podOf({ ...kindnet("docker.io/kindest/kindnetd:v20241212-9f82dd49"), daemonSet: "kindnet2" });
  expect(cluster().set(old, young)).toEqual([["kindnet", true]]);
  expect(cluster().set(young, old)).toEqual([["kindnet", true]]);
});
