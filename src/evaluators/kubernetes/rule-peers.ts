/** What of a flow a single rule holds, for explanations: they ask about rules that don't decide. */
import { Direction } from "../../model/verdict.ts";
import type { CompiledRule } from "./policies.ts";
import type { DescribedRule } from "./rule-names.ts";
import {
  anyPod,
  ClassField,
  classWords,
  isPodClass,
  KindField,
  type KubernetesTables,
  kindOfClass,
  kindWords,
  PrefixNode,
  prefixNodeWords,
} from "./tables.ts";
import { namedTraffic, noPorts } from "./traffic-key.ts";

/** The flow's ends as their classes, the subject's first. */
export interface RuleQuestion {
  readonly tables: KubernetesTables;
  readonly direction: Direction;
  readonly subjectClass: number;
  readonly peerClass: number;
  readonly traffic: number;
}

/** Whether the rule allows the traffic to or from somebody. A name on the way out may be any pod's. */
export function holdsTrafficOfSomebody(question: RuleQuestion, { rule, ports }: DescribedRule): boolean {
  const { tables, direction, subjectClass, traffic } = question;
  if (ports === null) return traffic <= noPorts;
  return ports.some(({ name, protocol }, i) => {
    const [from = 0, to = 0] = rule.ports?.slice(2 * i) ?? [];
    if (name === null) return from <= traffic && traffic <= to;
    if (direction === Direction.egress) return tables.names?.hasPort(name, protocol, traffic) === true;
    return namedPortsOf(tables, subjectClass).some((port) => port.name === from && port.traffic === traffic);
  });
}

/** Whether the rule allows anything to or from this peer. */
export function holdsPeer(question: RuleQuestion, { rule, ports }: DescribedRule): boolean {
  const { tables, direction, subjectClass, peerClass } = question;
  const destination = direction === Direction.egress ? peerClass : subjectClass;
  const hasPorts = ports?.some(
    ({ name }, i) =>
      name === null || namedPortsOf(tables, destination).some((port) => port.name === rule.ports?.[2 * i]),
  );
  return hasPorts !== false && isPeer(tables, rule, peerClass);
}

function isPeer(tables: KubernetesTables, { terms, blocks }: CompiledRule, peerClass: number): boolean {
  if (terms === null) return true;
  const isPod = isPodClass(tables, peerClass);
  const kind = kindOfClass(tables, peerClass) * kindWords;
  const start = tables.kinds.get(kind + KindField.terms);
  const count = tables.kinds.get(kind + KindField.termCount);
  const own = Array.from({ length: count }, (_, i) => tables.lists.get(start + i));
  if (terms.some(({ number }) => own.includes(number) || (number === anyPod && isPod))) return true;
  if (isPod && tables.knobs.ipBlockMatchesPods !== "true") return false;
  const chain = prefixesOf(tables, peerClass);
  return blocks.some(
    ({ prefix, except }) => chain.includes(prefix.number) && !except.some(({ number }) => chain.includes(number)),
  );
}

function prefixesOf(tables: KubernetesTables, classNumber: number): number[] {
  const chain: number[] = [];
  let prefix = tables.classes.get(classNumber * classWords + ClassField.prefix);
  while (prefix !== 0) {
    chain.push(prefix);
    prefix = tables.prefixNodes.get(prefix * prefixNodeWords + PrefixNode.parent);
  }
  return chain;
}

/** Names as numbers of traffic, as rules have them. */
function namedPortsOf(tables: KubernetesTables, classNumber: number) {
  const kind = kindOfClass(tables, classNumber) * kindWords;
  const start = tables.kinds.get(kind + KindField.namedPorts);
  return Array.from({ length: tables.kinds.get(kind + KindField.namedPortCount) }, (_, i) => ({
    traffic: tables.lists.get(start + 2 * i),
    name: namedTraffic(tables.lists.get(start + 2 * i + 1)),
  }));
}
