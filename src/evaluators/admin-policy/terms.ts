/** An admin or baseline policy as the ordered rules that the compiler takes, and the words that describe them. */
import type { AdminPeer, AdminPolicy, AdminRule } from "../../model/admin-policy.ts";
import { canonicalName } from "../../model/domain-name.ts";
import { formatSelector } from "../../model/selector.ts";
import { type DirectionName, Verdict } from "../../model/verdict.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { formatNamespaces, formatPods, formatPorts, type RuleText } from "../kubernetes/rule-text.ts";
import { Tier } from "../kubernetes/tables.ts";
import type { PeerTerm, PolicyTerm, RuleTerm } from "../kubernetes/terms.ts";

const verdicts = { accept: Verdict.accept, deny: Verdict.deny, pass: Verdict.next } as const;

export function adminPolicyTerm(policy: AdminPolicy): PolicyTerm {
  const rules = (direction: DirectionName): RuleTerm[] | null => {
    // AN-10.
    if (policy[direction].length === 0) return null;
    return policy[direction].map((rule, i) => ({
      name: rule.name ?? `${direction}[${i}]`,
      verdict: verdicts[rule.action],
      peers: rule.peers?.flatMap(peerTerm) ?? null,
      ports: rule.ports,
    }));
  };
  return {
    tier: policy.tier === "admin" ? Tier.admin : Tier.baseline,
    name: policy.name,
    subject: policy.subject,
    rules: [rules("egress"), rules("ingress")],
  };
}

function peerTerm(peer: AdminPeer): PeerTerm[] {
  switch (peer.kind) {
    case "pods":
      return [{ kind: "pods", pods: { namespaces: peer.namespaces, pods: peer.pods } }];
    case "nodes":
      return [{ kind: "nodes", nodes: peer.nodes }];
    case "network":
      return [{ kind: "block", prefix: peer.prefix, except: [] }];
    case "domain-name":
      return [{ kind: "domain", pattern: canonicalName(peer.domainName) }];
  }
}

export function adminRuleText(rule: AdminRule): RuleText {
  const peers =
    rule.peers === null ? "anywhere, because the rule is invalid" : rule.peers.map(peerText).join(" or ") || "nowhere";
  return { peers, ports: formatPorts(rule.ports) };
}

function peerText(peer: AdminPeer): string {
  switch (peer.kind) {
    case "pods":
      return `${formatPods(peer.pods)} in ${formatNamespaces(peer.namespaces)}`;
    case "nodes":
      return peer.nodes.length === 0 ? "all nodes" : `nodes ${formatSelector(peer.nodes)}`;
    case "network":
      return formatPrefix(peer.prefix);
    case "domain-name":
      return `addresses that DNS told the pod for ${peer.domainName}`;
  }
}
