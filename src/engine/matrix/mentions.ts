/** What the policies and endpoints of an inventory name: ports, ICMP types, protocols and prefixes. */
import type { Inventory } from "../../model/inventory.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import { hasPorts, isIcmp, Protocol } from "../../net/protocol.ts";

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface Mentions {
  /** By protocol with ports. A range of all ports names none. */
  readonly ports: ReadonlyMap<number, readonly PortRange[]>;
  /** ICMP and ICMPv6; type and code are null for all of them. */
  readonly icmp: readonly { readonly protocol: number; readonly type: number | null; readonly code: number | null }[];
  /** Other IP protocols. */
  readonly protocols: readonly number[];
}

export function listMentions({ ec2, kubernetes }: Inventory): Mentions {
  const ports = new Map<number, PortRange[]>([
    [Protocol.tcp, []],
    [Protocol.udp, []],
  ]);
  const icmp: { protocol: number; type: number | null; code: number | null }[] = [];
  const protocols = new Set<number>();
  const addRange = (protocol: number, range: PortRange | null): void => {
    const list = ports.get(protocol) ?? [];
    ports.set(protocol, list);
    if (range !== null && !isAllPorts(range)) list.push(range);
  };
  const rules = [
    ...ec2.securityGroups.flatMap((group) => [...group.ingress, ...group.egress]),
    ...ec2.networkAcls.flatMap((acl) => [...acl.ingress, ...acl.egress]),
  ];
  for (const rule of rules) {
    if (rule.protocol === null) continue;
    if (hasPorts(rule.protocol)) addRange(rule.protocol, rule.ports);
    else if (isIcmp(rule.protocol))
      icmp.push({ protocol: rule.protocol, ...(rule.icmp ?? { type: null, code: null }) });
    else protocols.add(rule.protocol);
  }
  for (const policy of kubernetes.networkPolicies) {
    for (const rule of [...policy.ingress, ...policy.egress]) {
      for (const port of rule.ports ?? []) if (port.name === null) addRange(port.protocol, port.range);
    }
  }
  for (const policy of kubernetes.adminPolicies) {
    for (const rule of [...policy.ingress, ...policy.egress]) {
      for (const { protocol, range } of rule.ports ?? []) if (protocol !== null) addRange(protocol, range);
    }
  }
  // Named ports are container ports (NP-43).
  for (const pod of kubernetes.pods) {
    for (const { protocol, port } of pod.ports) addRange(protocol, { from: port, to: port });
  }
  return { ports, icmp, protocols: [...protocols].sort((a, b) => a - b) };
}

/** Every prefix that some policy or route names, those of length 0 aside; each once. */
export function listMentionedPrefixes({ ec2, kubernetes }: Inventory): readonly Prefix[] {
  const rules = ec2.securityGroups.flatMap((group) => [...group.ingress, ...group.egress]);
  const peers = kubernetes.networkPolicies.flatMap((policy) =>
    [...policy.ingress, ...policy.egress].flatMap((rule) => rule.peers ?? []),
  );
  const adminPeers = kubernetes.adminPolicies.flatMap((policy) =>
    [...policy.ingress, ...policy.egress].flatMap((rule) => rule.peers ?? []),
  );
  const all = [
    ...rules.flatMap(({ peer }) => (peer.kind === "prefix" ? [peer.prefix] : [])),
    ...ec2.prefixLists.flatMap((list) => list.prefixes),
    ...ec2.networkAcls.flatMap((acl) => [...acl.ingress, ...acl.egress].map((entry) => entry.prefix)),
    ...ec2.routeTables.flatMap((table) =>
      table.routes.flatMap(({ destination }) => ("prefix" in destination ? [destination.prefix] : [])),
    ),
    ...peers.flatMap((peer) => (peer.kind === "ip-block" ? [peer.prefix, ...peer.except] : [])),
    ...adminPeers.flatMap((peer) => (peer.kind === "network" ? [peer.prefix] : [])),
  ];
  return [...new Map(all.filter((p) => p.length > 0).map((prefix) => [formatPrefix(prefix), prefix])).values()];
}

function isAllPorts({ from, to }: PortRange): boolean {
  return from <= 1 && to === 65535;
}
