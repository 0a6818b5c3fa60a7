/** The admin and baseline tiers' answers in words. */
import type { Explanation, PodLookup } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, directionNames, Verdict } from "../../model/verdict.ts";
import { type Address, equalAddresses, Family, formatAddress } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { findEntry } from "../kubernetes/find-entry.ts";
import { isOwnNode } from "../kubernetes/own-node.ts";
import { formatTraffic, withPortNumbers } from "../kubernetes/rule-text.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import type { TierTables } from "./tables.ts";

export function explainTier(tables: TierTables, view: FlowView, direction: Direction, podAt?: PodLookup): Explanation {
  const isEgress = direction === Direction.egress;
  const [subject, peer] = isEgress ? [view.source, view.destination] : [view.destination, view.source];
  const peerClass = classOfAddress(tables.classes, peer);
  const subjectClass = classOfAddress(tables.classes, subject);
  const way = isEgress ? "to" : "from";
  const name = directionNames[direction];
  if (tables.isPod[subjectClass] !== 1)
    return say(
      `${nameOf(subject)} is no pod that ${tables.tier === "admin" ? "an admin" : "a baseline"} policy could select`,
    );
  if (!view.viaService && equalAddresses(subject, peer)) {
    return say("a pod that talks to its own address is subject to no policy");
  }
  const rules = isEgress ? tables.egress : tables.ingress;
  const group = rules.group[subjectClass] as number;
  if (group === 0) return say(`no ${tables.tier} policy has ${name} rules for the pod`);
  const entry = findEntry(rules, group, trafficKey(view), peerClass);
  const traffic = `${formatTraffic(view)} ${way} ${nameOf(peer)}`;
  if (entry < 0) return say(`no ${name} rule of the ${tables.tier} policies for the pod matches ${traffic}`);
  if (!isEgress && tables.isPod[peerClass] === 0 && isOwnNode(tables.ownNodes, subject, peer)) {
    return say(`${nameOf(peer)} is the pod's own node, which no ingress rule matches`);
  }
  const number = rules.entries.rule[entry] as number;
  const { policy = "", rule = "" } = tables.refs[number] ?? {};
  const text = tables.texts[number];
  const verdict = rules.entries.verdict[entry] as Verdict;
  const kind = tables.kinds[number];
  const verb = verdict === Verdict.accept ? "accepts" : verdict === Verdict.deny ? "denies" : "passes on";
  return {
    text: `${rule} of ${kind} ${policy} ${verb} ${withPortNumbers(text?.ports ?? "", view, podAt)} ${way} ${text?.peers}`,
    remedy:
      verdict === Verdict.deny ? remedyFor(tables, kind === "ClusterNetworkPolicy", policy, rule ?? "", traffic) : null,
  };
}

function remedyFor(tables: TierTables, isCluster: boolean, policy: string, rule: string, traffic: string): string {
  const accept = isCluster ? "Accept" : "Allow";
  const rest =
    tables.tier === "admin" ? ", or Pass to leave it to NetworkPolicies" : ", or add a NetworkPolicy that allows it";
  return `put a rule for ${traffic} in front of ${rule} of ${policy}, with action ${accept}${rest}`;
}

function say(text: string): Explanation {
  return { text, remedy: null };
}

function nameOf(address: Address): string {
  return address.family === Family.none ? "the pod" : formatAddress(address);
}
