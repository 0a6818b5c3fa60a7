/** NetworkPolicy's answers in words: what decided, and for a denial which rule came nearest and what would change it. */
import type { Explanation, PodLookup } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, type DirectionName, directionNames } from "../../model/verdict.ts";
import { type Address, equalAddresses, Family, formatAddress } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { hasPorts } from "../../net/protocol.ts";
import { findEntry, hasPeer } from "../kubernetes/find-entry.ts";
import { isOwnNode } from "../kubernetes/own-node.ts";
import { formatTraffic, withPortNumbers } from "../kubernetes/rule-text.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { remedyFor } from "./remedy.ts";
import type { NetworkPolicyTables } from "./tables.ts";

export function explainNetworkPolicy(
  tables: NetworkPolicyTables,
  view: FlowView,
  direction: Direction,
  podAt?: PodLookup,
): Explanation {
  const isEgress = direction === Direction.egress;
  const [subject, peer] = isEgress ? [view.source, view.destination] : [view.destination, view.source];
  const subjectClass = classOfAddress(tables.classes, subject);
  const peerClass = classOfAddress(tables.classes, peer);
  const way = isEgress ? "to" : "from";
  const end = `${way} ${nameOf(peer)}`;
  if (tables.isPod[subjectClass] !== 1) return say(`${nameOf(subject)} is no pod that a NetworkPolicy could select`);
  const rules = isEgress ? tables.egress : tables.ingress;
  const group = rules.group[subjectClass] as number;
  if (group === 0) return say(`no NetworkPolicy isolates the pod for ${directionNames[direction]}`);
  const names = (tables.refs[tables.noMatch[direction][group] as number]?.policy ?? "").split(",");
  const policies = names.join(", ");
  if (equalAddresses(subject, peer)) return say("a pod can always reach itself, whatever isolates it");
  if (tables.acceptsOwnNode[direction] && tables.isPod[peerClass] === 0 && isOwnNode(tables.ownNodes, subject, peer)) {
    return say(`${nameOf(peer)} is the pod's own node, whose traffic ${policies} can't restrict`);
  }
  const traffic = formatTraffic(view);
  if (tables.npNonL4 !== "peer-only" && !hasPorts(view.protocol)) {
    return say(`${traffic} is decided by the setting npNonL4=${tables.npNonL4}, not by the rules of ${policies}`);
  }
  const key = trafficKey(view);
  const entry = findEntry(rules, group, key, peerClass);
  if (entry >= 0) {
    const number = rules.entries.rule[entry] as number;
    const ref = tables.refs[number];
    const text = tables.texts[number];
    return say(
      `${ref?.rule} of ${ref?.policy} allows ${withPortNumbers(text?.ports ?? "", view, podAt)} ${way} ${text?.peers}`,
    );
  }

  const { from, to, rule: ruleOf } = rules.entries;
  const entries = rules.groupEntries[group] ?? [];
  const ofTraffic = entries.filter((e) => (from[e] as number) <= key && key <= (to[e] as number));
  const ofPeer = entries.filter((e) => hasPeer(rules, e, peerClass));
  const textsOf = (list: readonly number[], part: "peers" | "ports"): string =>
    [...new Set(list.map((e) => tables.texts[ruleOf[e] as number]?.[part]))].join(" or ");
  const isOne = names.length === 1;
  const name = directionNames[direction] as DirectionName;
  const count = tables.refs.filter(({ policy, rule }) => names.includes(policy) && rule?.startsWith(`${name}[`)).length;
  const allow = isOne ? "it allows" : "they allow";
  const hints = [
    ...(ofTraffic.length === 0 ? [] : [`${allow} it ${way} ${textsOf(ofTraffic, "peers")}`]),
    ...(ofPeer.length === 0 ? [] : [`${end} ${allow} ${withPortNumbers(textsOf(ofPeer, "ports"), view, podAt)}`]),
  ];
  const hint = hints.length === 0 ? "" : ` (${hints.join("; ")})`;
  const [isolate, have] = isOne ? ["isolates", "has"] : ["isolate", "have"];
  const what =
    count === 0
      ? `${policies} ${isolate} the pod for ${name} and ${have} no rule for it`
      : `none of the ${name} rules of ${policies} (${count}) allows ${traffic} ${end}`;
  // A policy that selects whole namespaces to close them isn't the one to open.
  const place = isOne && count > 0 ? (names[0] ?? null) : null;
  const subjectPod = podAt?.(subject) ?? null;
  if (subjectPod === null) {
    const where = place === null ? "a NetworkPolicy of the pod's own" : place;
    return { text: `${what}${hint}`, remedy: `add an ${name} rule to ${where} that allows ${traffic} ${end}` };
  }
  const peerPod = tables.isPod[peerClass] === 1 ? (podAt?.(peer) ?? null) : null;
  const remedy = remedyFor(place, subjectPod, { address: peer, pod: peerPod }, view, name);
  return { text: `${what}${hint}`, remedy };
}

function say(text: string): Explanation {
  return { text, remedy: null };
}

/** The engine knows names; an endpoint without an address is called what it is here. */
function nameOf(address: Address): string {
  return address.family === Family.none ? "the pod" : formatAddress(address);
}
