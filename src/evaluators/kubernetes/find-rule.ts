/** The rule that decides a packet, found in the tables. Runs for each packet: allocates nothing, throws nothing. */
import { Direction } from "../../model/verdict.ts";
import {
  anyDomain,
  anyone,
  anyPod,
  ClassField,
  classWords,
  GroupField,
  groupField,
  groupWords,
  KindField,
  type KubernetesTables,
  kindWords,
  noDomains,
  PrefixNode,
  prefixNodeWords,
  RuleField,
  ruleWords,
  Tier,
} from "./tables.ts";
import { namedTraffic } from "./traffic-key.ts";

/** A reference to rules that is one rule, or that starts a list cut by traffic. */
export const oneRule = 1 << 30;
export const cutByTraffic = 1 << 29;

/**
 * The first rule of the group of that tier that holds the traffic and the peer, or -1. The group isn't 0. `learnt` says by
 * which domains the peer counts (`learntOf`).
 */
export function findRule(
  tables: KubernetesTables,
  tier: Tier,
  direction: Direction,
  subjectClass: number,
  peerClass: number,
  traffic: number,
  learnt: number = noDomains,
): number {
  const { classes, kinds, groups, lists } = tables;
  const subjectKind = classes.get(subjectClass * classWords + ClassField.kind);
  const group = kinds.get(subjectKind * kindWords + groupField(tier, direction));
  const found = findForTraffic(tables, tier, group, peerClass, traffic, learnt, -1);
  if (groups.get(group * groupWords + GroupField.usesNames) === 0) return found;
  // NP-43: the destination's names count.
  const peerKind = classes.get(peerClass * classWords + ClassField.kind);
  const kind = (direction === Direction.egress ? peerKind : subjectKind) * kindWords;
  const start = kinds.get(kind + KindField.namedPorts);
  const end = start + 2 * kinds.get(kind + KindField.namedPortCount);
  let best = found;
  for (let at = start; at < end; at += 2) {
    if (lists.get(at) !== traffic) continue;
    best = findForTraffic(tables, tier, group, peerClass, namedTraffic(lists.get(at + 1)), learnt, best);
  }
  return best;
}

function findForTraffic(
  tables: KubernetesTables,
  tier: Tier,
  group: number,
  peerClass: number,
  traffic: number,
  learnt: number,
  found: number,
): number {
  const { classes, kinds, groups, lists } = tables;
  const at = group * groupWords;
  const start = groups.get(at + GroupField.start);
  const termCount = groups.get(at + GroupField.termCount);
  const peerKind = classes.get(peerClass * classWords + ClassField.kind) * kindWords;
  const isPod = kinds.get(peerKind + KindField.isPod) === 1;
  let best = found;
  if (termCount > 0) {
    best = bestOfTerm(tables, start, termCount, anyone, traffic, best);
    if (isPod) best = bestOfTerm(tables, start, termCount, anyPod, traffic, best);
    const terms = kinds.get(peerKind + KindField.terms);
    const count = kinds.get(peerKind + KindField.termCount);
    if (count <= termCount) {
      for (let i = 0; i < count; i++) {
        best = bestOfTerm(tables, start, termCount, lists.get(terms + i), traffic, best);
      }
    } else {
      for (let i = 0; i < termCount; i++) {
        if (findSorted(tables, terms, count, lists.get(start + i)) < 0) continue;
        best = bestOf(tables, start, lists.get(start + termCount + i), traffic, best);
      }
    }
  }
  if (learnt !== noDomains) best = bestOfDomains(tables, start, at, termCount, learnt, traffic, best);
  const prefixCount = groups.get(at + GroupField.prefixCount);
  // NP-37; AN-25: the networks of admin policies hold pods whatever the knob says.
  if (prefixCount > 0 && (!isPod || tier !== Tier.networkPolicy || tables.knobs.ipBlockMatchesPods === "true")) {
    best = bestOfPrefixes(tables, start + 2 * termCount, start, prefixCount, peerClass, traffic, best);
  }
  return best;
}

function bestOfTerm(
  tables: KubernetesTables,
  start: number,
  termCount: number,
  term: number,
  traffic: number,
  found: number,
): number {
  const i = findSorted(tables, start, termCount, term);
  return i < 0 ? found : bestOf(tables, start, tables.lists.get(start + termCount + i), traffic, found);
}

/** Domains lie behind the other terms of a group. */
function bestOfDomains(
  tables: KubernetesTables,
  start: number,
  group: number,
  termCount: number,
  learnt: number,
  traffic: number,
  found: number,
): number {
  const { groups, lists } = tables;
  const first = groups.get(group + GroupField.firstDomain);
  let best = found;
  if (learnt === anyDomain) {
    for (let i = first; i < termCount; i++)
      best = bestOf(tables, start, lists.get(start + termCount + i), traffic, best);
    return best;
  }
  if (first === termCount) return best;
  const set = tables.domainSets.get(learnt);
  const end = set + lists.get(set);
  for (let at = set + 1; at <= end; at++) best = bestOfTerm(tables, start, termCount, lists.get(at), traffic, best);
  return best;
}

/** From the peer's longest prefix outwards; a prefix comes as often as it has different exceptions. */
function bestOfPrefixes(
  tables: KubernetesTables,
  prefixes: number,
  start: number,
  count: number,
  peerClass: number,
  traffic: number,
  found: number,
): number {
  const { lists, prefixNodes } = tables;
  const longest = tables.classes.get(peerClass * classWords + ClassField.prefix);
  let best = found;
  for (let prefix = longest; prefix !== 0; prefix = prefixNodes.get(prefix * prefixNodeWords + PrefixNode.parent)) {
    let i = findSorted(tables, prefixes, count, prefix);
    if (i < 0) continue;
    for (; i < count && lists.get(prefixes + i) === prefix; i++) {
      const except = lists.get(prefixes + 2 * count + i);
      if (except !== 0 && isExcepted(tables, start + except, longest, prefix)) continue;
      best = bestOf(tables, start, lists.get(prefixes + count + i), traffic, best);
    }
  }
  return best;
}

/** Whether one of the prefixes from the longest outwards to this one is in the list of exceptions. */
function isExcepted(tables: KubernetesTables, except: number, longest: number, prefix: number): boolean {
  const count = tables.lists.get(except);
  for (let inner = longest; inner !== 0; inner = tables.prefixNodes.get(inner * prefixNodeWords + PrefixNode.parent)) {
    if (findSorted(tables, except + 1, count, inner) >= 0) return true;
    if (inner === prefix) return false;
  }
  return false;
}

/** The first place of a number in a sorted list, or -1. */
function findSorted({ lists }: KubernetesTables, start: number, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lists.get(start + middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low < count && lists.get(start + low) === wanted ? low : -1;
}

/** The earlier one of the rule found and those referred to that hold the traffic. */
function bestOf(tables: KubernetesTables, start: number, ref: number, traffic: number, found: number): number {
  if ((ref & oneRule) !== 0) return earlier(tables, ref & ~oneRule, traffic, found);
  const { lists } = tables;
  const at = start + (ref & ~cutByTraffic);
  const count = lists.get(at);
  if ((ref & cutByTraffic) === 0) {
    let best = found;
    for (let i = 1; i <= count; i++) best = earlier(tables, lists.get(at + i), traffic, best);
    return best;
  }
  // Where each piece of traffic starts, then the rule of each piece, plus 1.
  let low = 0;
  let high = count;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (lists.get(at + 1 + middle) > traffic) high = middle;
    else low = middle;
  }
  const rule = lists.get(at + 1 + count + low) - 1;
  return rule < 0 || (found >= 0 && !precedes(tables, rule, found)) ? found : rule;
}

function earlier(tables: KubernetesTables, rule: number, traffic: number, found: number): number {
  if (found >= 0 && !precedes(tables, rule, found)) return found;
  return holdsTraffic(tables, rule, traffic) ? rule : found;
}

function precedes({ rules }: KubernetesTables, a: number, b: number): boolean {
  const orderA = rules.get(a * ruleWords + RuleField.order);
  const orderB = rules.get(b * ruleWords + RuleField.order);
  if (orderA !== orderB) return orderA < orderB;
  return rules.get(a * ruleWords + RuleField.place) < rules.get(b * ruleWords + RuleField.place);
}

/** Whether one of the rule's ports is this one. */
export function holdsTraffic({ rules, lists }: KubernetesTables, rule: number, traffic: number): boolean {
  const count = rules.get(rule * ruleWords + RuleField.portCount);
  if (count < 0) return traffic < namedTraffic(0);
  const ports = rules.get(rule * ruleWords + RuleField.ports);
  for (let i = 0; i < count; i++) {
    if (lists.get(ports + 2 * i) <= traffic && traffic <= lists.get(ports + 2 * i + 1)) return true;
  }
  return false;
}

/** The verdict of a rule. */
export function verdictOfRule({ rules }: KubernetesTables, rule: number): number {
  return rules.get(rule * ruleWords + RuleField.place) & 3;
}
