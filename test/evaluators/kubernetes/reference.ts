/**
 * The `k8s` stage written down as the rules say it, with nothing compiled: what the evaluators are compared with.
 * It judges flows between addresses of one inventory, by walking every policy, rule, peer and port; with `nodeName` only for
 * that node's pods.
 */
import type { AdminPeer, AdminPolicy, AdminPort, AdminTier } from "../../../src/model/admin-policy.ts";
import { type Flow, hasKnownPorts } from "../../../src/model/flow.ts";
import type { Inventory } from "../../../src/model/inventory.ts";
import type { NameChange } from "../../../src/model/inventory-change.ts";
import { namespaceLabels, type Pod } from "../../../src/model/kubernetes.ts";
import type { NetworkPolicyPeer, NetworkPolicyPort } from "../../../src/model/network-policy.ts";
import { selects } from "../../../src/model/selector.ts";
import { type Address, equalAddresses, formatAddress } from "../../../src/net/address.ts";
import { containsAddress } from "../../../src/net/prefix.ts";

/** `learnt` in order: what counts of it is what was said last of a pod, a name and an address. */
export function isAcceptedByReference(
  { kubernetes }: Inventory,
  flow: Flow,
  { nodeName = null, learnt = [] }: { readonly nodeName?: string | null; readonly learnt?: readonly NameChange[] } = {},
): boolean {
  const labelsOf = namespaceLabels(kubernetes);
  const has = (list: readonly Address[], address: Address) => list.some((other) => equalAddresses(other, address));
  const podOf = (address: Address) => kubernetes.pods.find((pod) => !pod.hostNetwork && has(pod.addresses, address));
  const destinationPod = podOf(flow.destination);

  const isNamed = (name: string, protocol: number): boolean =>
    destinationPod?.ports.some(
      (port) =>
        port.name === name &&
        port.protocol === protocol &&
        port.protocol === flow.protocol &&
        port.port === flow.destinationPort,
    ) ?? false;
  const matchesPort = (port: NetworkPolicyPort | AdminPort): boolean => {
    if (!hasKnownPorts(flow)) return false;
    if (port.name !== null) return isNamed(port.name, port.protocol ?? flow.protocol);
    if (port.protocol !== flow.protocol) return false;
    return port.range === null || (port.range.from <= flow.destinationPort && flow.destinationPort <= port.range.to);
  };
  const matchesNetworkPolicyPeer = (peer: NetworkPolicyPeer, namespace: string, address: Address): boolean => {
    if (peer.kind === "ip-block") {
      return containsAddress(peer.prefix, address) && !peer.except.some((prefix) => containsAddress(prefix, address));
    }
    const pod = podOf(address);
    if (!pod || !selects(peer.pods, pod.labels)) return false;
    return peer.namespaces === null ? pod.namespace === namespace : selects(peer.namespaces, labelsOf(pod.namespace));
  };
  const hasLearnt = (domainName: string): boolean => {
    const pod = podOf(flow.source);
    const inForce = new Map<string, boolean>();
    for (const { subject, name, address, isLearnt } of learnt) {
      if (podOf(subject) !== pod || !equalAddresses(address, flow.destination)) continue;
      if (matchesName(domainName, name)) inForce.set(`${name} ${formatAddress(subject)}`, isLearnt);
    }
    return [...inForce.values()].includes(true);
  };
  const matchesAdminPeer = (peer: AdminPeer, address: Address): boolean => {
    switch (peer.kind) {
      case "pods": {
        const pod = podOf(address);
        return pod !== undefined && selects(peer.namespaces, labelsOf(pod.namespace)) && selects(peer.pods, pod.labels);
      }
      case "nodes":
        return (
          podOf(address) === undefined &&
          kubernetes.nodes.some((node) => selects(peer.nodes, node.labels) && has(node.addresses, address))
        );
      case "network":
        return containsAddress(peer.prefix, address);
      case "domain-name":
        return hasLearnt(peer.domainName);
    }
  };
  const isOwnNode = (pod: Pod, address: Address): boolean =>
    podOf(address) === undefined &&
    (has(pod.hostAddresses, address) ||
      kubernetes.nodes.some((node) => node.name === pod.nodeName && has(node.addresses, address)) ||
      kubernetes.pods.some(
        (other) =>
          pod.nodeName !== null &&
          other.nodeName === pod.nodeName &&
          (has(other.hostAddresses, address) || (other.hostNetwork && has(other.addresses, address))),
      ));

  const askTier = (tier: AdminTier, direction: "egress" | "ingress", subject: Pod, peer: Address): boolean | null => {
    const policies: readonly AdminPolicy[] = kubernetes.adminPolicies.filter((p) => p.tier === tier);
    for (const policy of policies) {
      const { namespaces, pods } = policy.subject;
      if (!selects(namespaces, labelsOf(subject.namespace)) || !selects(pods, subject.labels)) continue;
      for (const rule of policy[direction]) {
        const isPeer =
          rule.peers === null
            ? direction === "egress" || !isOwnNode(subject, peer)
            : rule.peers.some((p) => matchesAdminPeer(p, peer));
        if (!isPeer || !(rule.ports?.some(matchesPort) ?? true)) continue;
        return rule.action === "pass" ? null : rule.action === "accept";
      }
    }
    return null;
  };
  const askNetworkPolicies = (direction: "egress" | "ingress", subject: Pod, peer: Address): boolean | null => {
    const isolating = kubernetes.networkPolicies.filter(
      (policy) =>
        policy.namespace === subject.namespace &&
        selects(policy.podSelector, subject.labels) &&
        (direction === "egress" ? policy.isolatesEgress : policy.isolatesIngress),
    );
    if (isolating.length === 0) return null;
    if (has(subject.addresses, peer) || isOwnNode(subject, peer)) return true;
    return isolating.some((policy) =>
      policy[direction].some(
        (rule) =>
          (rule.peers?.some((p) => matchesNetworkPolicyPeer(p, policy.namespace, peer)) ?? true) &&
          (rule.ports?.some(matchesPort) ?? true),
      ),
    );
  };
  const passes = (direction: "egress" | "ingress"): boolean => {
    const [own, peer] = direction === "egress" ? [flow.source, flow.destination] : [flow.destination, flow.source];
    const subject = podOf(own);
    if (!subject || (nodeName !== null && subject.nodeName !== nodeName)) return true;
    if (has(subject.addresses, peer) && !flow.viaService) return true;
    return (
      askTier("admin", direction, subject, peer) ??
      askNetworkPolicies(direction, subject, peer) ??
      askTier("baseline", direction, subject, peer) ??
      true
    );
  };
  return passes("egress") && passes("ingress");
}

/** AN-29, by labels from the end. */
function matchesName(pattern: string, name: string): boolean {
  const labelsOf = (text: string): string[] => text.toLowerCase().replace(/\.$/, "").split(".").reverse();
  const [wanted, given] = [labelsOf(pattern), labelsOf(name)];
  const isWild = wanted.at(-1) === "*";
  if (isWild) wanted.pop();
  return (
    wanted.every((label, i) => given[i] === label) &&
    (isWild ? given.length > wanted.length : given.length === wanted.length)
  );
}
