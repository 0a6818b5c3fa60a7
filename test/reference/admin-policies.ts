/** AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy, as SEMANTICS' section 4 reads. */
import { type Cluster, isOwnNode, metadataOf, namespaceLabels, type Pod, podAt, protocolNumbers } from "./cluster.ts";
import { blockOf, hasIp, type Ip, isInside } from "./ip.ts";
import { type Fields, fieldsOf, hasOnly, isAbsent, isWhole, itemsOf, textOf } from "./json.ts";
import { isNamed, isPortName } from "./network-policies.ts";
import { endsOf, type Packet, SCTP, TCP, UDP, type Word } from "./packet.ts";
import { readSelector, type Test } from "./selectors.ts";

type Tier = "admin" | "baseline";
type Matches = (cluster: Cluster, packet: Packet, peer: Ip) => boolean;

const kinds = ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"];

/** AN-1 … AN-9: what the first matching rule of the tier says; `next` for a pass, and for none. */
export function askTier(
  cluster: Cluster,
  policies: readonly Fields[],
  tier: Tier,
  packet: Packet,
  direction: "egress" | "ingress",
): Word {
  const { own, peer } = endsOf(packet, direction);
  const pod = podAt(cluster, own);
  if (!pod) return "unmanaged";
  const asked = policies.filter((p) => tierOf(p) === tier && isSubject(cluster, p, pod)).sort(inOrder);
  for (const policy of asked) {
    for (const value of itemsOf(specOf(policy)[direction])) {
      const rule = readRule(policy, value, direction);
      const matches =
        rule === "deny-all"
          ? direction === "egress" || !isOwnNode(cluster, pod, peer) // AN-60
          : rule !== "nothing" && rule.matches(cluster, packet, peer);
      if (!matches) continue;
      if (rule === "deny-all") return "deny";
      if (rule === "nothing" || rule.action === "pass") return "next";
      return rule.action;
    }
  }
  return "next";
}

export function isAdminPolicy(object: Fields): boolean {
  return kinds.includes(`${object.kind}`) && `${object.apiVersion}`.startsWith("policy.networking.k8s.io/");
}

function specOf(policy: Fields): Fields {
  return fieldsOf(policy.spec) ?? {};
}

function tierOf(policy: Fields): Tier | null {
  if (policy.kind === "AdminNetworkPolicy") return "admin";
  if (policy.kind === "BaselineAdminNetworkPolicy") return "baseline";
  const { tier } = specOf(policy);
  return tier === "Admin" ? "admin" : tier === "Baseline" ? "baseline" : null;
}

/** AN-2, AN-3, AN-11, AN-12, AN-63. */
function inOrder(a: Fields, b: Fields): number {
  const rank = (policy: Fields): readonly (number | string)[] => {
    const { name } = metadataOf(policy);
    const isBanp = policy.kind === "BaselineAdminNetworkPolicy";
    const { priority } = specOf(policy);
    const number = isBanp ? 1001 : isWhole(priority, 0, 1000) ? priority : 1000;
    return [number, isBanp && name !== "default" ? 1 : 0, name, `${policy.kind}`];
  };
  const [left, right] = [rank(a), rank(b)];
  for (let i = 0; i < left.length; i++) {
    const [x, y] = [left[i] as number, right[i] as number];
    if (x < y) return -1;
    if (x > y) return 1;
  }
  return 0;
}

/** AN-20, AN-62: exactly one known field, readable; else the policy isn't applied. */
function isSubject(cluster: Cluster, policy: Fields, pod: Pod): boolean {
  const subject = fieldsOf(specOf(policy).subject);
  if (!subject || !hasOnly(subject, ["namespaces", "pods"])) return false;
  if (isAbsent(subject.namespaces) === isAbsent(subject.pods)) return false;
  const selects = isAbsent(subject.pods) ? readNamespaces(subject.namespaces) : readPods(subject.pods);
  return selects?.(cluster, pod) ?? false;
}

type SelectsPod = (cluster: Cluster, pod: Pod) => boolean;

function readNamespaces(value: unknown): SelectsPod | null {
  const selector = readSelector(value);
  return selector && ((cluster, pod) => selector(namespaceLabels(cluster, pod.namespace)));
}

function readPods(value: unknown): SelectsPod | null {
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, ["namespaceSelector", "podSelector"])) return null;
  const namespaces = readNamespaces(fields.namespaceSelector);
  const pods: Test | null = readSelector(fields.podSelector);
  return namespaces && pods && ((cluster, pod) => namespaces(cluster, pod) && pods(pod.labels));
}

interface Rule {
  readonly action: "accept" | "deny" | "pass";
  readonly matches: Matches;
}

/** AN-26, AN-27, AN-28, AN-43, AN-63, AN-64. */
function readRule(policy: Fields, value: unknown, direction: "egress" | "ingress"): Rule | "deny-all" | "nothing" {
  const rule = fieldsOf(value) ?? {};
  const isV2 = policy.kind === "ClusterNetworkPolicy";
  const isBanp = policy.kind === "BaselineAdminNetworkPolicy";
  const peerKey = direction === "ingress" ? "from" : "to";
  const portsKey = isV2 ? "protocols" : "ports";
  const action =
    rule.action === "Allow" || rule.action === "Accept"
      ? "accept"
      : rule.action === "Deny"
        ? "deny"
        : rule.action === "Pass" && !isBanp
          ? "pass"
          : null;
  const invalid = action === "accept" ? "nothing" : "deny-all";
  if (action === null || !hasOnly(rule, ["name", "action", peerKey, portsKey])) return invalid;

  const peerFields = ["namespaces", "pods"];
  if (direction === "egress") peerFields.push("nodes", "networks", ...(isBanp ? [] : ["domainNames"]));
  const elements = itemsOf(rule[peerKey]);
  const peers = elements.map((element) => readPeer(element, peerFields));
  if (peers.length === 0 || peers.includes(null)) return invalid;
  const ports = readPorts(rule[portsKey], isV2);
  if (ports === "invalid") return invalid;

  const fieldsUsed = elements.flatMap((element) => Object.keys(fieldsOf(element) ?? {}));
  const isNamedPort = itemsOf(rule[portsKey]).some((p) => {
    const fields = fieldsOf(p) ?? {};
    return !isAbsent(fields.namedPort) || !isAbsent(fields.destinationNamedPort);
  });
  if (isNamedPort && fieldsUsed.some((f) => f !== "namespaces" && f !== "pods")) return invalid;
  if (fieldsUsed.includes("domainNames") && action !== "accept") return invalid;
  return {
    action,
    matches: (cluster, packet, ip) =>
      peers.some((peer) => peer?.(cluster, packet, ip)) && ports.some((port) => port(cluster, packet, ip)),
  };
}

/** AN-21 … AN-25, AN-62. */
function readPeer(value: unknown, known: readonly string[]): Matches | null {
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, known)) return null;
  const [field, second] = known.filter((key) => !isAbsent(fields[key]));
  if (field === undefined || second !== undefined) return null;
  const content = fields[field];
  if (field === "namespaces" || field === "pods") {
    const selects = field === "pods" ? readPods(content) : readNamespaces(content);
    return (
      selects &&
      ((cluster, _packet, ip) => {
        const pod = podAt(cluster, ip);
        return pod !== null && selects(cluster, pod);
      })
    );
  }
  if (field === "nodes") {
    const selector = readSelector(content);
    return selector && ((cluster, _packet, ip) => cluster.nodes.some((n) => selector(n.labels) && hasIp(n.ips, ip)));
  }
  const list = itemsOf(content);
  if (list.length === 0) return null;
  if (field === "networks") {
    const blocks = list.map(blockOf);
    return blocks.includes(null) ? null : (_cluster, _packet, ip) => blocks.some((b) => b && isInside(b, ip));
  }
  // AN-29, AN-30: offline no answer of the DNS has been seen.
  const isName = (name: unknown) => /^(\*\.)?([a-z0-9_-]+\.)+[a-z0-9-]+\.?$/i.test(textOf(name) ?? "");
  return list.every(isName) ? () => false : null;
}

/** AN-40 … AN-45: one of the elements must match; no element at all means all traffic. */
function readPorts(value: unknown, isV2: boolean): readonly Matches[] | "invalid" {
  if (isAbsent(value)) return [() => true];
  if (!Array.isArray(value)) return "invalid";
  if (value.length === 0) return [() => true];
  const ports = value.map((element) => (isV2 ? readProtocol(element) : readPort(element)));
  return ports.includes(null) ? "invalid" : (ports as Matches[]);
}

function oneField(value: unknown, known: readonly string[]): readonly [string, unknown] | null {
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, known)) return null;
  const present = known.filter((key) => !isAbsent(fields[key]));
  return present.length === 1 ? [present[0] as string, fields[present[0] as string]] : null;
}

function readPort(value: unknown): Matches | null {
  const [field, content] = oneField(value, ["portNumber", "portRange", "namedPort"]) ?? [];
  if (field === "namedPort") return named(content);
  const fields = fieldsOf(content);
  const known = field === "portNumber" ? ["protocol", "port"] : ["protocol", "start", "end"];
  if (!fields || !hasOnly(fields, known)) return null;
  const protocol = protocolNumbers[`${fields.protocol ?? "TCP"}`];
  const [from, to] = field === "portNumber" ? [fields.port, fields.port] : [fields.start, fields.end];
  if (protocol === undefined || !isWhole(from, 1, 65535) || !isWhole(to, from, 65535)) return null;
  return range(protocol, from, to);
}

function readProtocol(value: unknown): Matches | null {
  const [field, content] = oneField(value, ["tcp", "udp", "sctp", "destinationNamedPort"]) ?? [];
  if (field === undefined) return null;
  if (field === "destinationNamedPort") return named(content);
  const fields = fieldsOf(content);
  const protocol = { tcp: TCP, udp: UDP, sctp: SCTP }[field] as number;
  if (!fields || !hasOnly(fields, ["destinationPort"])) return null;
  // AN-41, AN-62: omitted or empty means every port.
  if (isAbsent(fields.destinationPort)) return range(protocol, 0, 65535);
  const port = fieldsOf(fields.destinationPort);
  if (!port || !hasOnly(port, ["number", "range"])) return null;
  if (isAbsent(port.number) && isAbsent(port.range)) return range(protocol, 0, 65535);
  if (isAbsent(port.range)) return isWhole(port.number, 1, 65535) ? range(protocol, port.number, port.number) : null;
  const bounds = fieldsOf(port.range);
  if (!isAbsent(port.number) || !bounds || !hasOnly(bounds, ["start", "end"])) return null;
  const { start, end } = bounds;
  // AN-44.
  return isWhole(start, 1, 65535) && isWhole(end, start + 1, 65535) ? range(protocol, start, end) : null;
}

function range(protocol: number, from: number, to: number): Matches {
  return (_cluster, packet) =>
    packet.protocol === protocol &&
    !packet.isFragment &&
    from <= packet.destinationPort &&
    packet.destinationPort <= to;
}

function named(content: unknown): Matches | null {
  if (typeof content !== "string" || !isPortName(content)) return null;
  return (cluster, packet) => !packet.isFragment && isNamed(cluster, content, packet);
}
