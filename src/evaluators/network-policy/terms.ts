/** NetworkPolicies as the ordered rules that the tables are built from, with the words that name and describe them. */

import type { RuleRef } from "../../model/evaluator.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule } from "../../model/network-policy.ts";
import { type DirectionName, Verdict } from "../../model/verdict.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { formatNamespaces, formatPods, formatPorts, type RuleText } from "../kubernetes/rule-text.ts";
import type { PeerTerm, PolicyTerm, RuleTerm } from "../kubernetes/terms.ts";

export interface PolicyTerms {
  readonly policies: readonly PolicyTerm[];
  readonly refs: readonly RuleRef[];
  /** By rule, as `refs`. */
  readonly texts: readonly RuleText[];
}

/** Policies must be in text order; the first rule in that order names the answer where several match. */
export function networkPolicyTerms(policies: readonly NetworkPolicy[], ipBlockMatchesPods: boolean): PolicyTerms {
  const refs: RuleRef[] = [];
  const texts: RuleText[] = [];
  const term = (policy: NetworkPolicy, direction: DirectionName): RuleTerm[] =>
    policy[direction].map((rule, i) => {
      refs.push({ policy: `${policy.namespace}/${policy.name}`, rule: `${direction}[${i}]` });
      texts.push(textOf(rule, policy.namespace));
      return {
        verdict: Verdict.accept,
        peers: rule.peers?.map((peer) => peerTerm(peer, policy.namespace, ipBlockMatchesPods)) ?? null,
        ports: rule.ports,
        rule: refs.length - 1,
      };
    });
  return {
    policies: policies.map((policy) => ({
      subject: { namespaces: policy.namespace, pods: policy.podSelector },
      rules: [
        policy.isolatesEgress ? term(policy, "egress") : null,
        policy.isolatesIngress ? term(policy, "ingress") : null,
      ],
    })),
    refs,
    texts,
  };
}

/** NP-30 … NP-37. */
function peerTerm(peer: NetworkPolicyPeer, namespace: string, matchesPods: boolean): PeerTerm {
  if (peer.kind === "ip-block") return { kind: "block", prefix: peer.prefix, except: peer.except, matchesPods };
  return { kind: "pods", pods: { namespaces: peer.namespaces ?? namespace, pods: peer.pods } };
}

function textOf(rule: NetworkPolicyRule, namespace: string): RuleText {
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
