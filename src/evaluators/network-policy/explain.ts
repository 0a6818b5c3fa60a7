/** NetworkPolicy's answers in words: what decided, and for a denial which rule came nearest and what would change it. */
import type { Explanation, PodLookup } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, type DirectionName, directionNames } from "../../model/verdict.ts";
import { type Address, equalAddresses, Family, formatAddress } from "../../net/address.ts";
import { hasPorts } from "../../net/protocol.ts";
import { findRule } from "../kubernetes/find-rule.ts";
import type { DescribedRule } from "../kubernetes/rule-names.ts";
import { holdsPeer, holdsTrafficOfSomebody } from "../kubernetes/rule-peers.ts";
import { formatTraffic, withPortNumbers } from "../kubernetes/rule-text.ts";
import {
  acceptsOwnNode,
  classOfAddress,
  groupOfClass,
  isOwnNode,
  isPodClass,
  type KubernetesTables,
  type Tier,
} from "../kubernetes/tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { remedyFor } from "./remedy.ts";

export function explainNetworkPolicy(
  tables: KubernetesTables,
  tier: Tier,
  view: FlowView,
  direction: Direction,
  podAt?: PodLookup,
): Explanation | null {
  const { knobs, names: words } = tables;
  if (words === null) return null;
  const isEgress = direction === Direction.egress;
  const [subject, peer] = isEgress ? [view.source, view.destination] : [view.destination, view.source];
  const subjectClass = classOfAddress(tables, subject);
  const peerClass = classOfAddress(tables, peer);
  const way = isEgress ? "to" : "from";
  const end = `${way} ${nameOf(peer)}`;
  if (!isPodClass(tables, subjectClass)) return say(`${nameOf(subject)} is no pod that a NetworkPolicy could select`);
  const group = groupOfClass(tables, subjectClass, tier, direction);
  if (group === 0) return say(`no NetworkPolicy isolates the pod for ${directionNames[direction]}`);
  const names = words.policiesOf(group);
  const policies = names.join(", ");
  if (equalAddresses(subject, peer)) return say("a pod can always reach itself, whatever isolates it");
  if (acceptsOwnNode(tables, direction) && !isPodClass(tables, peerClass) && isOwnNode(tables, subject, peer)) {
    return say(`${nameOf(peer)} is the pod's own node, whose traffic ${policies} can't restrict`);
  }
  const traffic = formatTraffic(view);
  if (knobs.npNonL4 !== "peer-only" && !hasPorts(view.protocol)) {
    return say(`${traffic} is decided by the setting npNonL4=${knobs.npNonL4}, not by the rules of ${policies}`);
  }
  const key = trafficKey(view);
  const found = findRule(tables, tier, direction, subjectClass, peerClass, key);
  const rule = found < 0 ? null : words.describe(found);
  if (rule) {
    const ref = words.refs[found];
    const ports = withPortNumbers(rule.text.ports, view, podAt);
    return say(`${ref?.rule} of ${ref?.policy} allows ${ports} ${way} ${rule.text.peers}`);
  }

  const rules = words.rulesOf(group, direction);
  const question = { tables, direction, subjectClass, peerClass, traffic: key };
  const ofTraffic = rules.filter((one) => holdsTrafficOfSomebody(question, one));
  const ofPeer = rules.filter((one) => holdsPeer(question, one));
  const textsOf = (list: readonly DescribedRule[], part: "peers" | "ports"): string =>
    [...new Set(list.map(({ text }) => text[part]))].join(" or ");
  const isOne = names.length === 1;
  const name = directionNames[direction] as DirectionName;
  const count = rules.length;
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
  const peerPod = isPodClass(tables, peerClass) ? (podAt?.(peer) ?? null) : null;
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
