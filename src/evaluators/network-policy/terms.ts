/** A NetworkPolicy as the ordered rules that the compiler takes, and the words that describe them. */
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule } from "../../model/network-policy.ts";
import { type DirectionName, Verdict } from "../../model/verdict.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { formatNamespaces, formatPods, formatPorts, type RuleText } from "../kubernetes/rule-text.ts";
import { Tier } from "../kubernetes/tables.ts";
import type { PeerTerm, PolicyTerm, RuleTerm } from "../kubernetes/terms.ts";

export function networkPolicyTerm(policy: NetworkPolicy): PolicyTerm {
  const { namespace, name, podSelector, isolatesEgress, isolatesIngress } = policy;
  const rules = (direction: DirectionName): RuleTerm[] =>
    policy[direction].map((rule, i) => ({
      name: `${direction}[${i}]`,
      verdict: Verdict.accept,
      peers: rule.peers?.map((peer) => peerTerm(peer, namespace)) ?? null,
      ports: rule.ports,
    }));
  return {
    tier: Tier.networkPolicy,
    name: `${namespace}/${name}`,
    subject: { namespaces: namespace, pods: podSelector },
    rules: [isolatesEgress ? rules("egress") : null, isolatesIngress ? rules("ingress") : null],
  };
}

/** In text order; the first rule in that order names the answer where several match. */
export function compareNetworkPolicies(a: NetworkPolicy, b: NetworkPolicy): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** NP-30 … NP-37. */
function peerTerm(peer: NetworkPolicyPeer, namespace: string): PeerTerm {
  if (peer.kind === "ip-block") return { kind: "block", prefix: peer.prefix, except: peer.except };
  return { kind: "pods", pods: { namespaces: peer.namespaces ?? namespace, pods: peer.pods } };
}

export function networkPolicyText(rule: NetworkPolicyRule, namespace: string): RuleText {
  return {
    peers:
      rule.peers === null ? "anywhere" : rule.peers.map((peer) => peerText(peer, namespace)).join(" or ") || "nowhere",
    ports: formatPorts(rule.ports),
  };
}

function peerText(peer: NetworkPolicyPeer, namespace: string): string {
  if (peer.kind === "pods") return `${formatPods(peer.pods)} in ${formatNamespaces(peer.namespaces ?? namespace)}`;
  const except = peer.except.length === 0 ? "" : ` except ${peer.except.map(formatPrefix).join(", ")}`;
  return `${formatPrefix(peer.prefix)}${except}`;
}
