/**
 * A node of a cluster for kernel tests: its pods are namespaces, wired as CNI plugins do it, and behind its uplink is
 * another node with pods of its own, for which nobody enforces. The engine runs in `node`.
 *
 *     db, web, stranger 10.244.0.x ──┬── node 172.18.0.2 ──── node2 172.18.0.3 ──┬── far-db, far-web, far-stranger
 *        fd00:244::x                 │    │ fd18::2             fd18::3          │     10.244.1.x, fd00:244:1::x
 *     `veth`: one host route each ───┘    │                                      └── one host route each
 *     `bridge`: ports of cni0             └──── out 203.0.113.9, 2001:db8:9::9, no part of the cluster
 */
import { createLab, type Lab, type Namespace, waitFor } from "./namespace.ts";
import { Peer } from "./peer.ts";
import { ping } from "./topology.ts";

/** How the node's pods are wired. kindnet and Calico have a cable for each, Flannel and the bridge plugin a bridge. */
export type Wiring = "veth" | "bridge";

type Pair = readonly [ipv4: string, ipv6: string];

export const podAddress = {
  db: ["10.244.0.5", "fd00:244::5"],
  web: ["10.244.0.6", "fd00:244::6"],
  stranger: ["10.244.0.7", "fd00:244::7"],
  "far-db": ["10.244.1.5", "fd00:244:1::5"],
  "far-web": ["10.244.1.6", "fd00:244:1::6"],
  "far-stranger": ["10.244.1.7", "fd00:244:1::7"],
} as const satisfies Record<string, Pair>;
export type PodName = keyof typeof podAddress;
export const podNames = Object.keys(podAddress) as PodName[];

/** What the Node objects list; the gateways are what the pods' cables end in, and no object names them. */
export const nodeAddress = ["172.18.0.2", "fd18::2"] as const;
export const otherNodeAddress = ["172.18.0.3", "fd18::3"] as const;
export const gatewayAddress = ["10.244.0.1", "fd00:244::1"] as const;
export const outsideAddress = ["203.0.113.9", "2001:db8:9::9"] as const;

export const isFar = (name: PodName): boolean => name.startsWith("far-");

/** A pod, its cable's end in the node, and its addresses: one of IPv4, then perhaps one of IPv6. */
export interface PodEnd {
  readonly pod: Namespace;
  readonly device: string;
  readonly addresses: readonly string[];
}

export interface NodeLab {
  readonly lab: Lab;
  readonly node: Namespace;
  readonly out: Namespace;
  readonly pods: Readonly<Record<PodName, Namespace>>;
  readonly peers: Readonly<Record<PodName | "node" | "node2" | "out", Peer>>;
}

export function createNodeLab(wiring: Wiring): NodeLab {
  const lab = createLab();
  const [node, node2, out] = [router(lab, "node"), router(lab, "node2"), lab.namespace("out")];
  wireUplink(lab, node, node2);
  lab.link(node, "wan", out, "eth0");
  for (const [at, device, cidrs] of [
    [node, "wan", ["203.0.113.1/24", "2001:db8:9::1/64"]],
    [out, "eth0", [`${outsideAddress[0]}/24`, `${outsideAddress[1]}/64`]],
  ] as const) {
    for (const cidr of cidrs) at.address(device, cidr);
  }
  out.route("default", "203.0.113.1");
  out.route("::/0", "2001:db8:9::1");
  if (wiring === "bridge") {
    node.bridge("cni0");
    node.address("cni0", `${gatewayAddress[0]}/24`);
    node.address("cni0", `${gatewayAddress[1]}/64`);
  }
  const wire = (name: PodName): Namespace => {
    const pod = lab.namespace(name);
    const end = { pod, device: `v-${name}`, addresses: podAddress[name] };
    if (isFar(name)) wireByRoute(lab, node2, ["10.244.1.1", "fd00:244:1::1"], end);
    else if (wiring === "veth") wireByRoute(lab, node, gatewayAddress, end);
    else wireToBridge(lab, node, name, pod);
    return pod;
  };
  const pods = Object.fromEntries(podNames.map((name) => [name, wire(name)])) as Record<PodName, Namespace>;
  const peers = Object.fromEntries(
    Object.entries({ ...pods, node, node2, out }).map(([name, namespace]) => [name, new Peer(namespace)]),
  ) as Record<PodName | "node" | "node2" | "out", Peer>;
  return { lab, node, out, pods, peers };
}

/** Waits until the node, its pods and those behind it reach each other. */
export async function settleNode({ node, pods }: NodeLab): Promise<void> {
  for (const name of podNames) {
    for (const target of podAddress[name]) {
      await waitFor(`node → ${target}`, () => ping(node, target), 10_000);
      await waitFor(`db → ${target}`, () => ping(pods.db, target), 10_000);
    }
  }
}

/** A namespace that forwards. */
export function router(lab: Lab, name: string): Namespace {
  const namespace = lab.namespace(name);
  namespace.sysctl("net/ipv4/ip_forward", "1");
  namespace.sysctl("net/ipv6/conf/all/forwarding", "1");
  return namespace;
}

function wireUplink(lab: Lab, node: Namespace, node2: Namespace): void {
  lab.link(node, "eth0", node2, "eth0");
  for (const [namespace, addresses] of [
    [node, nodeAddress],
    [node2, otherNodeAddress],
  ] as const) {
    namespace.address("eth0", `${addresses[0]}/16`);
    namespace.address("eth0", `${addresses[1]}/64`);
  }
  node.route("10.244.1.0/24", otherNodeAddress[0]);
  node.route("fd00:244:1::/64", otherNodeAddress[1]);
  // Nobody answers there; a node has such a route, and with it an address to speak from.
  node.check(["ip", "route", "add", "default", "dev", "eth0"]);
  node.check(["ip", "route", "add", "::/0", "dev", "eth0"]);
  node2.route("default", nodeAddress[0]);
  node2.route("::/0", nodeAddress[1]);
}

/** Each cable ends in the same gateway address, and only the pod's own route says where it is. */
export function wireByRoute(lab: Lab, node: Namespace, gateway: readonly string[], own: PodEnd): void {
  const { pod, device, addresses } = own;
  lab.link(node, device, pod, "eth0");
  addresses.forEach((address, family) => {
    const length = family === 0 ? 32 : 128;
    node.address(device, `${gateway[family]}/${length}`);
    pod.address("eth0", `${address}/${length}`);
    node.check(["ip", "route", "add", `${address}/${length}`, "dev", device]);
    pod.check(["ip", "route", "add", `${gateway[family]}/${length}`, "dev", "eth0"]);
    pod.route(family === 0 ? "default" : "::/0", gateway[family] as string);
  });
}

function wireToBridge(lab: Lab, node: Namespace, name: PodName, pod: Namespace): void {
  lab.link(node, `v-${name}`, pod, "eth0");
  node.check(["ip", "link", "set", `v-${name}`, "master", "cni0"]);
  // As the bridge plugin sets it, so that a pod may be its own service's endpoint.
  node.check(["bridge", "link", "set", "dev", `v-${name}`, "hairpin", "on"]);
  pod.address("eth0", `${podAddress[name][0]}/24`);
  pod.address("eth0", `${podAddress[name][1]}/64`);
  pod.route("default", gatewayAddress[0]);
  pod.route("::/0", gatewayAddress[1]);
}
