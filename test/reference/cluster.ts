/** Pods, namespaces and nodes of a cluster, read straight from their objects (NP-24 … NP-66). */
import { hasIp, type Ip, ipOf, isSameIp } from "./ip.ts";
import { type Fields, fieldsOf, isWhole, itemsOf, textOf } from "./json.ts";
import { SCTP, TCP, UDP } from "./packet.ts";
import { type Labels, readLabels } from "./selectors.ts";

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly ips: readonly Ip[];
  readonly hostIps: readonly Ip[];
  readonly node: string | null;
  readonly isHostNetwork: boolean;
  readonly phase: string;
  readonly createdAt: string;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: number }[];
}

export interface Cluster {
  /** Without those that have ended; of two that claim one address only one has it. */
  readonly pods: readonly Pod[];
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly nodes: readonly { readonly name: string; readonly labels: Labels; readonly ips: readonly Ip[] }[];
}

export const protocolNumbers: Readonly<Record<string, number>> = { TCP, UDP, SCTP };

export function readCluster(objects: readonly Fields[]): Cluster {
  const of = (kind: string) => objects.filter((object) => object.kind === kind);
  // NP-60.
  const pods = of("Pod")
    .map(readPod)
    .filter((pod) => pod.phase !== "Succeeded" && pod.phase !== "Failed")
    .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  return {
    pods: pods.map((pod) => ({
      ...pod,
      ips: pod.isHostNetwork ? pod.ips : pod.ips.filter((ip) => winnerOf(pods, ip) === pod),
    })),
    namespaces: Object.fromEntries(
      of("Namespace").map((object) => {
        const { name, labels } = metadataOf(object);
        // NP-24.
        return [name, { "kubernetes.io/metadata.name": name, ...labels }];
      }),
    ),
    nodes: of("Node").map((object) => {
      const addresses = itemsOf(fieldsOf(object.status)?.addresses).map((a) => fieldsOf(a)?.address);
      return { ...metadataOf(object), ips: addresses.flatMap((text) => ipOf(text) ?? []) };
    }),
  };
}

/** NP-66: Running beats the others, then the newest. */
function winnerOf(pods: readonly Pod[], ip: Ip): Pod | undefined {
  const claimants = pods.filter((pod) => !pod.isHostNetwork && hasIp(pod.ips, ip));
  const running = claimants.filter((pod) => pod.phase === "Running");
  const best = running.length > 0 ? running : claimants;
  return best.find((pod) => best.every(({ createdAt }) => createdAt <= pod.createdAt));
}

function readPod(object: Fields): Pod {
  const spec = fieldsOf(object.spec) ?? {};
  const status = fieldsOf(object.status) ?? {};
  // NP-53.
  const list = itemsOf(status.podIPs).map((element) => fieldsOf(element)?.ip);
  const ips = (list.length > 0 ? list : [status.podIP]).flatMap((text) => ipOf(text) ?? []);
  // NP-46.
  const sidecars = itemsOf(spec.initContainers).filter((c) => fieldsOf(c)?.restartPolicy === "Always");
  const containers = [...itemsOf(spec.containers), ...sidecars];
  return {
    ...metadataOf(object),
    ips: ips.filter((ip, i) => ips.findIndex((other) => other.family === ip.family) === i),
    hostIps: [...itemsOf(status.hostIPs).map((e) => fieldsOf(e)?.ip), status.hostIP].flatMap((t) => ipOf(t) ?? []),
    node: textOf(spec.nodeName),
    isHostNetwork: spec.hostNetwork === true,
    phase: textOf(status.phase) ?? "Pending",
    createdAt: textOf(fieldsOf(object.metadata)?.creationTimestamp) ?? "",
    ports: containers.flatMap((container) =>
      itemsOf(fieldsOf(container)?.ports).flatMap((port) => {
        const { name, containerPort, protocol = "TCP" } = fieldsOf(port) ?? {};
        const number = protocolNumbers[`${protocol}`];
        if (typeof name !== "string" || !isWhole(containerPort, 1, 65535) || number === undefined) return [];
        return [{ name, port: containerPort, protocol: number }];
      }),
    ),
  };
}

export function metadataOf(object: Fields): { namespace: string; name: string; labels: Labels } {
  const metadata = fieldsOf(object.metadata) ?? {};
  return {
    namespace: textOf(metadata.namespace) ?? "default",
    name: textOf(metadata.name) ?? "",
    labels: readLabels(metadata.labels),
  };
}

/** The pod that policies know at this address: none on the host's network (NP-33, NP-59). */
export function podAt({ pods }: Cluster, ip: Ip): Pod | null {
  return pods.find((pod) => !pod.isHostNetwork && hasIp(pod.ips, ip)) ?? null;
}

/** NP-25. */
export function namespaceLabels({ namespaces }: Cluster, name: string): Labels {
  return namespaces[name] ?? { "kubernetes.io/metadata.name": name };
}

/** NP-56: every address of the pod's node, those that its other pods tell included. */
export function isOwnNode(cluster: Cluster, pod: Pod, ip: Ip): boolean {
  if (podAt(cluster, ip)) return false;
  if (pod.hostIps.some((own) => isSameIp(own, ip))) return true;
  if (pod.node === null) return false;
  return (
    cluster.nodes.some((node) => node.name === pod.node && hasIp(node.ips, ip)) ||
    cluster.pods.some(
      (other) => other.node === pod.node && (hasIp(other.hostIps, ip) || (other.isHostNetwork && hasIp(other.ips, ip))),
    )
  );
}
