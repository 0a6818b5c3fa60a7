/**
 * By what the network plugins' agents are known, and whether they enforce NetworkPolicy themselves. Facts are those of
 * the vendors' manifests: labels, names of DaemonSets and containers, images, flags. All of them run on the host's
 * network, one on each node.
 */
import type { Container, Pod } from "../../../model/kubernetes.ts";

/** An agent of a node: the pod, or the DaemonSet that stands for its pods. */
export type AgentPod = Pod & { readonly containers: readonly Container[] };

export interface Signature {
  readonly name: string;
  readonly isAgent: (pod: AgentPod) => boolean;
  readonly enforces: (pod: AgentPod) => boolean;
  /** How its enforcement is switched off, where it can be. */
  readonly switchOff: string | null;
}

const always = (): boolean => true;
const never = (): boolean => false;

/** The first one that fits a pod is its plugin. */
export const signatures: readonly Signature[] = [
  { name: "canal", isAgent: hasApp("canal"), enforces: always, switchOff: null },
  { name: "calico", isAgent: hasApp("calico-node"), enforces: always, switchOff: null },
  { name: "gke-dataplane-v2", isAgent: (pod) => daemonSetOf(pod) === "anetd", enforces: always, switchOff: null },
  {
    name: "cilium",
    isAgent: hasApp("cilium"),
    // Mostly in the ConfigMap cilium-config, which isn't read.
    enforces: (pod) => flag(pod, "enable-policy") !== "never",
    switchOff: "enable-policy: never in the ConfigMap cilium-config",
  },
  {
    name: "kindnet",
    isAgent: hasApp("kindnet"),
    enforces: ({ containers }) => containers.some(isEnforcingKindnet),
    switchOff: "--network-policy=false where its version has that flag, another plugin (disableDefaultCNI) on kind",
  },
  {
    name: "flannel",
    isAgent: hasApp("flannel"),
    enforces: hasKubeNetworkPolicies,
    switchOff: "netpol.enabled=false in its chart",
  },
  { name: "antrea", isAgent: (pod) => pod.labels.component === "antrea-agent", enforces: always, switchOff: null },
  {
    name: "aws-vpc-cni",
    isAgent: hasApp("aws-node"),
    enforces: (pod) => isOn(flag(pod, "enable-network-policy")),
    switchOff: "enableNetworkPolicy=false in the add-on's configuration",
  },
  {
    name: "kube-router",
    isAgent: hasApp("kube-router"),
    // On unless it's switched off.
    enforces: (pod) => isOn(flag(pod, "run-firewall") ?? "true"),
    switchOff: "--run-firewall=false",
  },
  {
    name: "weave",
    isAgent: (pod) => pod.labels.name === "weave-net",
    enforces: ({ containers }) => containers.some(({ name }) => name === "weave-npc"),
    switchOff: "its manifest without the container weave-npc",
  },
  { name: "ovn-kubernetes", isAgent: isOvnNode, enforces: always, switchOff: null },
  { name: "azure-npm", isAgent: hasApp("azure-npm"), enforces: always, switchOff: null },
  { name: "azure-cni", isAgent: hasApp("azure-cns"), enforces: never, switchOff: null },
  {
    name: "kube-network-policies",
    isAgent: hasKubeNetworkPolicies,
    enforces: always,
    switchOff: "without its DaemonSet",
  },
];

/** K3s has flannel and kube-router's enforcement inside; its nodes say so where no cloud provider names their type. */
export const k3s = {
  name: "k3s",
  nodeLabel: "node.kubernetes.io/instance-type",
  switchOff: "--disable-network-policy on its servers",
} as const;

function hasApp(name: string): (pod: AgentPod) => boolean {
  return ({ labels }) => labels["k8s-app"] === name || labels.app === name;
}

function isOvnNode({ labels }: AgentPod): boolean {
  return labels.app === "ovnkube-node" || labels.name === "ovnkube-node";
}

/** Flannel's chart puts it beside its own container. */
function hasKubeNetworkPolicies({ containers }: AgentPod): boolean {
  return containers.some(({ image }) => /(^|\/)kube-network-policies([:@]|$)/.test(image));
}

/** Kind's images bear the day on which they were made: those of v0.23 are of May 2024, v0.24's (August) enforce. */
const firstEnforcingDay = 20240701;

/** The image of aojea/kindnet enforces since v1.3.0, unless it's told not to. */
function isEnforcingKindnet({ image, args }: Container): boolean {
  if (!/(^|\/)kindnetd?([:@]|$)/.test(image)) return false;
  if (!isOn(flagOf(args, "network-policy") ?? "true")) return false;
  const day = /:v(\d{8})(-|$)/.exec(image)?.[1];
  if (day !== undefined) return Number(day) >= firstEnforcingDay;
  const [, major, minor] = /:v(\d+)\.(\d+)/.exec(image) ?? [];
  return major === undefined || Number(major) > 1 || Number(minor) >= 3;
}

function daemonSetOf({ kind, name, owner }: AgentPod): string | null {
  if (kind === "DaemonSet") return name;
  return owner?.kind === "DaemonSet" ? owner.name : null;
}

/** What the flag is set to in any container; the last one counts. */
function flag({ containers }: AgentPod, name: string): string | null {
  return containers.reduce<string | null>((found, { args }) => flagOf(args, name) ?? found, null);
}

/** `--name=value`, or `--name` alone for `true`. */
function flagOf(args: readonly string[], name: string): string | null {
  const found = args.findLast((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  return found === undefined ? null : found.includes("=") ? found.slice(found.indexOf("=") + 1) : "true";
}

/** As Go's flags read it. */
function isOn(value: string | null): boolean {
  return value !== null && ["1", "t", "T", "true", "TRUE", "True"].includes(value);
}
