/** The policies of one tier as ordered rules, with the words that name and describe them. */
import type { AdminPeer, AdminPolicy, AdminRule } from "../../model/admin-policy.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import { formatSelector } from "../../model/selector.ts";
import { type DirectionName, Verdict } from "../../model/verdict.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { formatNamespaces, formatPods, formatPorts, type RuleText } from "../kubernetes/rule-text.ts";
import type { PeerTerm, PolicyTerm, RuleTerm } from "../kubernetes/terms.ts";

export interface TierTerms {
  readonly policies: readonly PolicyTerm[];
  /** By rule: `egress[2]` where it has no name of its own. */
  readonly refs: readonly RuleRef[];
  readonly texts: readonly RuleText[];
  /** By rule: the policy's kind. */
  readonly kinds: readonly AdminPolicy["kind"][];
}

const verdicts = { accept: Verdict.accept, deny: Verdict.deny, pass: Verdict.next } as const;

/** Policies must be in the order in which they are asked (AN-2). */
export function tierTerms(policies: readonly AdminPolicy[]): TierTerms {
  const refs: RuleRef[] = [];
  const texts: RuleText[] = [];
  const kinds: AdminPolicy["kind"][] = [];
  const term = (policy: AdminPolicy, direction: DirectionName): RuleTerm[] | null => {
    // AN-10.
    if (policy[direction].length === 0) return null;
    return policy[direction].map((rule, i) => {
      refs.push({ policy: policy.name, rule: rule.name ?? `${direction}[${i}]` });
      texts.push(textOf(rule));
      kinds.push(policy.kind);
      return {
        verdict: verdicts[rule.action],
        peers: rule.peers?.flatMap(peerTerm) ?? null,
        ports: rule.ports,
        rule: refs.length - 1,
      };
    });
  };
  return {
    policies: policies.map((policy) => ({
      subject: policy.subject,
      rules: [term(policy, "egress"), term(policy, "ingress")],
    })),
    refs,
    texts,
    kinds,
  };
}

/** Domain names match nothing as long as nobody observes DNS answers. */
function peerTerm(peer: AdminPeer): PeerTerm[] {
  switch (peer.kind) {
    case "pods":
      return [{ kind: "pods", pods: { namespaces: peer.namespaces, pods: peer.pods } }];
    case "nodes":
      return [{ kind: "nodes", nodes: peer.nodes }];
    case "network":
      // AN-25: pods are in networks, whatever the knob of NetworkPolicy says.
      return [{ kind: "block", prefix: peer.prefix, except: [], matchesPods: true }];
    case "domain-name":
      return [];
  }
}

function textOf(rule: AdminRule): RuleText {
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
      return `${peer.domainName} (not observed)`;
  }
}
