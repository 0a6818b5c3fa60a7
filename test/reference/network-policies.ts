/** NetworkPolicy v1, as SEMANTICS' section 3 reads, straight from its objects. */
import type { Knobs } from "../../src/model/knobs.ts";
import { type Cluster, isOwnNode, metadataOf, namespaceLabels, type Pod, podAt, protocolNumbers } from "./cluster.ts";
import { blockOf, type Ip, isInside } from "./ip.ts";
import { type Fields, fieldsOf, hasOnly, isAbsent, isWhole, itemsOf } from "./json.ts";
import { endsOf, type Packet, SCTP, TCP, UDP, type Word } from "./packet.ts";
import { readSelector } from "./selectors.ts";

export function askNetworkPolicies(
  cluster: Cluster,
  policies: readonly Fields[],
  knobs: Knobs,
  packet: Packet,
  direction: "egress" | "ingress",
): Word {
  const { own, peer } = endsOf(packet, direction);
  const pod = podAt(cluster, own);
  if (!pod) return "unmanaged";
  const isolating = policies.filter((policy) => isolates(policy, pod, direction));
  // NP-3.
  if (isolating.length === 0) return "next";
  // NP-58, NP-56, NP-57.
  if (podAt(cluster, peer) === pod) return "accept";
  const exemptsNode = direction === "ingress" || knobs.npEgressToOwnNode === "allow";
  if (exemptsNode && isOwnNode(cluster, pod, peer)) return "accept";
  // NP-62.
  const hasPorts = [TCP, UDP, SCTP].includes(packet.protocol);
  if (!hasPorts && knobs.npNonL4 !== "peer-only") return knobs.npNonL4 === "allow" ? "accept" : "deny";
  const isAllowed = isolating.some((policy) => {
    const { namespace } = metadataOf(policy);
    return rulesOf(policy, direction).some((rule) =>
      matchesRule(cluster, knobs, rule, namespace, packet, peer, direction),
    );
  });
  // NP-4.
  return isAllowed ? "accept" : "deny";
}

/** NP-1, NP-2, NP-6, NP-12. */
export function isolates(policy: Fields, pod: Pod, direction: "egress" | "ingress"): boolean {
  if (metadataOf(policy).namespace !== pod.namespace) return false;
  // AN-64, DEF-7: a spec that can't be read could have selected anyone, for both directions.
  if (!isAbsent(policy.spec) && !fieldsOf(policy.spec)) return true;
  const spec = fieldsOf(policy.spec) ?? {};
  const selects = readSelector(spec.podSelector) ?? (() => true);
  if (!selects(pod.labels)) return false;
  const types = spec.policyTypes ?? [];
  if (!Array.isArray(types) || types.some((type) => type !== "Ingress" && type !== "Egress")) return true;
  if (types.length > 0) return types.includes(direction === "egress" ? "Egress" : "Ingress");
  if (direction === "ingress") return true;
  return !isAbsent(spec.egress) && (!Array.isArray(spec.egress) || spec.egress.length > 0);
}

function rulesOf(policy: Fields, direction: "egress" | "ingress"): readonly unknown[] {
  return itemsOf(fieldsOf(policy.spec)?.[direction]);
}

/** NP-9 … NP-11, AN-64. */
function matchesRule(
  cluster: Cluster,
  knobs: Knobs,
  value: unknown,
  namespace: string,
  packet: Packet,
  peer: Ip,
  direction: "egress" | "ingress",
): boolean {
  const rule = isAbsent(value) ? {} : fieldsOf(value);
  const peerKey = direction === "ingress" ? "from" : "to";
  if (!rule || !hasOnly(rule, [peerKey, "ports"])) return false;
  return (
    matchesAny(rule[peerKey], (element) => matchesPeer(cluster, knobs, element, namespace, peer)) &&
    matchesAny(rule.ports, (element) => matchesPort(cluster, element, packet))
  );
}

/** A list that is absent or empty matches everything; one that is no list matches nothing. */
function matchesAny(list: unknown, matches: (element: unknown) => boolean): boolean {
  if (isAbsent(list)) return true;
  if (!Array.isArray(list)) return false;
  return list.length === 0 || list.some(matches);
}

/** NP-30 … NP-38. */
function matchesPeer(cluster: Cluster, knobs: Knobs, value: unknown, namespace: string, ip: Ip): boolean {
  const peer = fieldsOf(value);
  if (!peer || !hasOnly(peer, ["podSelector", "namespaceSelector", "ipBlock"])) return false;
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const pod = podAt(cluster, ip);
  if (!isAbsent(ipBlock)) {
    if (!isAbsent(podSelector) || !isAbsent(namespaceSelector)) return false;
    return (knobs.ipBlockMatchesPods === "true" || !pod) && matchesBlock(ipBlock, ip);
  }
  if (isAbsent(podSelector) && isAbsent(namespaceSelector)) return false;
  const selectsPods = readSelector(podSelector);
  const selectsNamespaces = readSelector(namespaceSelector);
  if (!pod || !selectsPods || !selectsNamespaces || !selectsPods(pod.labels)) return false;
  if (isAbsent(namespaceSelector)) return pod.namespace === namespace;
  return selectsNamespaces(namespaceLabels(cluster, pod.namespace));
}

/** NP-35, NP-36; a bad exception spoils its block, which would otherwise be wider than meant (DEF-7). */
function matchesBlock(value: unknown, ip: Ip): boolean {
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, ["cidr", "except"])) return false;
  const block = blockOf(fields.cidr);
  if (!block || (!isAbsent(fields.except) && !Array.isArray(fields.except))) return false;
  const except = itemsOf(fields.except).map(blockOf);
  const isStrictSubset = (inner: ReturnType<typeof blockOf>) =>
    inner !== null &&
    inner.family === block.family &&
    inner.length > block.length &&
    block.first <= inner.first &&
    inner.last <= block.last;
  if (!except.every(isStrictSubset)) return false;
  return isInside(block, ip) && !except.some((inner) => inner && isInside(inner, ip));
}

/** NP-40 … NP-47. */
function matchesPort(cluster: Cluster, value: unknown, packet: Packet): boolean {
  const fields = isAbsent(value) ? {} : fieldsOf(value);
  if (!fields || !hasOnly(fields, ["protocol", "port", "endPort"])) return false;
  const { port, endPort } = fields;
  const protocol = protocolNumbers[`${fields.protocol ?? "TCP"}`];
  if (protocol === undefined || protocol !== packet.protocol || packet.isFragment) return false;
  if (isAbsent(port)) return isAbsent(endPort);
  if (typeof port === "string") return isAbsent(endPort) && isPortName(port) && isNamed(cluster, port, packet);
  if (!isWhole(port, 1, 65535)) return false;
  if (isAbsent(endPort)) return packet.destinationPort === port;
  return isWhole(endPort, port, 65535) && port <= packet.destinationPort && packet.destinationPort <= endPort;
}

/** NP-43, AN-42: a container port of the destination pod, in the packet's own protocol. */
export function isNamed(cluster: Cluster, name: string, packet: Packet): boolean {
  const pod = podAt(cluster, packet.destination);
  return (
    pod?.ports.some((p) => p.name === name && p.protocol === packet.protocol && p.port === packet.destinationPort) ??
    false
  );
}

/** NP-45. */
export function isPortName(text: string): boolean {
  return (
    text.length <= 15 && /[a-z]/.test(text) && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text) && !text.includes("--")
  );
}
