/** The admin and baseline tiers' answers in words. */
import type { Explanation, PodLookup } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, directionNames, Verdict } from "../../model/verdict.ts";
import { type Address, equalAddresses, Family, formatAddress } from "../../net/address.ts";
import { findRule, verdictOfRule } from "../kubernetes/find-rule.ts";
import { formatTraffic, withPortNumbers } from "../kubernetes/rule-text.ts";
import {
  anyDomain,
  classOfAddress,
  groupOfClass,
  isOwnNode,
  isPodClass,
  type KubernetesTables,
  learntOf,
  noDomains,
  Tier,
} from "../kubernetes/tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";

export function explainTier(
  tables: KubernetesTables,
  tier: Tier,
  view: FlowView,
  direction: Direction,
  podAt?: PodLookup,
): Explanation | null {
  const words = tables.names;
  if (words === null) return null;
  const tierName = tier === Tier.admin ? "admin" : "baseline";
  const isEgress = direction === Direction.egress;
  const [subject, peer] = isEgress ? [view.source, view.destination] : [view.destination, view.source];
  const peerClass = classOfAddress(tables, peer);
  const subjectClass = classOfAddress(tables, subject);
  const way = isEgress ? "to" : "from";
  const name = directionNames[direction];
  if (!isPodClass(tables, subjectClass)) {
    return say(`${nameOf(subject)} is no pod that ${tier === Tier.admin ? "an" : "a"} ${tierName} policy could select`);
  }
  if (!view.viaService && equalAddresses(subject, peer)) {
    return say("a pod that talks to its own address is subject to no policy");
  }
  if (groupOfClass(tables, subjectClass, tier, direction) === 0) {
    return say(`no ${tierName} policy has ${name} rules for the pod`);
  }
  const learnt = isEgress ? learntOf(tables, subjectClass, view) : noDomains;
  const number = findRule(tables, tier, direction, subjectClass, peerClass, trafficKey(view), learnt);
  const rule = number < 0 ? null : words.describe(number);
  const traffic = `${formatTraffic(view)} ${way} ${nameOf(peer)}`;
  if (!rule) {
    return {
      text: `no ${name} rule of the ${tierName} policies for the pod matches ${traffic}`,
      remedy: isEgress ? learningRemedy(tables, tier, subjectClass, view, peer) : null,
    };
  }
  if (!isEgress && !isPodClass(tables, peerClass) && isOwnNode(tables, subject, peer)) {
    return say(`${nameOf(peer)} is the pod's own node, which no ingress rule matches`);
  }
  const { policy = "", rule: place = "" } = words.refs[number] ?? {};
  const { kind, text } = rule;
  const verdict = verdictOfRule(tables, number) as Verdict;
  const verb = verdict === Verdict.accept ? "accepts" : verdict === Verdict.deny ? "denies" : "passes on";
  const ports = withPortNumbers(text.ports, view, podAt);
  return {
    text: `${place} of ${kind} ${policy} ${verb} ${ports} ${way} ${text.peers}`,
    remedy:
      verdict === Verdict.deny ? remedyFor(tier, kind === "ClusterNetworkPolicy", policy, place ?? "", traffic) : null,
  };
}

/** AN-30: what only DNS can tell. */
function learningRemedy(
  tables: KubernetesTables,
  tier: Tier,
  subjectClass: number,
  view: FlowView,
  peer: Address,
): string | null {
  const number = findRule(tables, tier, Direction.egress, subjectClass, 0, trafficKey(view), anyDomain);
  const rule = number < 0 ? null : tables.names?.describe(number);
  if (!rule || rule.rule.domains.length === 0) return null;
  const patterns = rule.rule.domains.map(({ pattern }) => pattern).join(" or ");
  const { policy = "", rule: place = "" } = tables.names?.refs[number] ?? {};
  return `have the pod ask DNS for a name that ${patterns} means (${place} of ${policy}): ${nameOf(peer)} counts once an answer says so`;
}

function remedyFor(tier: Tier, isCluster: boolean, policy: string, rule: string, traffic: string): string {
  const accept = isCluster ? "Accept" : "Allow";
  const rest =
    tier === Tier.admin ? ", or Pass to leave it to NetworkPolicies" : ", or add a NetworkPolicy that allows it";
  return `put a rule for ${traffic} in front of ${rule} of ${policy}, with action ${accept}${rest}`;
}

function say(text: string): Explanation {
  return { text, remedy: null };
}

function nameOf(address: Address): string {
  return address.family === Family.none ? "the pod" : formatAddress(address);
}
