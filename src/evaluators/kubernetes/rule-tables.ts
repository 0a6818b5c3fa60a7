/**
 * Ordered rules, compiled to plain data: which rules a subject's class has, cut by traffic, and for each rule a row of
 * bits saying which classes are its peers. Names of ports are resolved here, so that nothing is left to compare but
 * numbers.
 *
 *   class ──group──▶ intervals of traffic ──list──▶ entries in order ──row──▶ is the peer's class in it?
 */
import type { KubernetesInventory } from "../../model/kubernetes.ts";
import { Direction } from "../../model/verdict.ts";
import type { AddressClassesData } from "../../net/address-classes.ts";
import { buildPodClasses, type NamedPort, type PodClasses, portKey } from "./pod-classes.ts";
import type { PeerTerm, PolicyTerm, PortTerm, RuleTerm } from "./terms.ts";
import { noPorts, protocolBase } from "./traffic-key.ts";

/** Plain data; structured clone carries it. */
export interface RuleTables {
  readonly classes: AddressClassesData;
  /** By class: 1 for pods. */
  readonly isPod: Uint8Array;
  readonly egress: DirectionTables;
  readonly ingress: DirectionTables;
}

export interface DirectionTables {
  /** By class, as a subject: its group; 0 for one that no policy restricts. */
  readonly group: Uint32Array;
  /** By group, 1 more than groups: where its intervals start in `starts`. */
  readonly intervals: Uint32Array;
  /** First traffic number of each interval, ascending within a group; a group's first one is 0. */
  readonly starts: Uint32Array;
  /** By interval: its list of entries. */
  readonly list: Uint32Array;
  /** By list, 1 more than lists: where its entries start in `members`. */
  readonly lists: Uint32Array;
  readonly members: Uint32Array;
  /** By list: where its row starts in `firstMatch`, plus 1; 0 for a list short enough to be walked. */
  readonly dense: Uint32Array;
  /** By peer class: the first matching entry of the list, plus 1. */
  readonly firstMatch: Uint32Array;
  readonly entries: EntryTables;
  /** By group: its policies, and its entries in order; for explanations. */
  readonly groupPolicies: readonly (readonly number[])[];
  readonly groupEntries: readonly (readonly number[])[];
}

/** By entry: a rule, or the part of it that concerns one interval of traffic. */
export interface EntryTables {
  readonly verdict: Uint8Array;
  readonly rule: Uint32Array;
  /** Inclusive traffic numbers. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  /** Where the row of bits by peer class starts in `bits`. */
  readonly row: Uint32Array;
  readonly bits: Uint32Array;
}

/** Longer lists get a row of answers by class, so that no packet pays for the number of rules, … */
const longList = 8;
/** … within this many numbers for each direction (16 MB); beyond it they are walked. */
const denseBudget = 4_000_000;

export function buildRuleTables(policies: readonly PolicyTerm[], kubernetes: KubernetesInventory): RuleTables {
  const classes = buildPodClasses(policies, kubernetes);
  return {
    classes: classes.data,
    isPod: classes.isPod,
    egress: buildDirection(policies, classes, Direction.egress),
    ingress: buildDirection(policies, classes, Direction.ingress),
  };
}

function buildDirection(policies: readonly PolicyTerm[], classes: PodClasses, direction: Direction): DirectionTables {
  const entries = new EntryBuilder(classes);
  const numbers = new Map<string, number>();
  const group = new Uint32Array(classes.count);
  const groupPolicies: number[][] = [[]];
  const groupEntries: number[][] = [[]];
  for (let c = 0; c < classes.count; c++) {
    const chosen = (classes.policies[c] ?? []).filter((p) => policies[p]?.rules[direction]);
    if (chosen.length === 0) continue;
    const rules = chosen.flatMap((p) => policies[p]?.rules[direction] ?? []);
    // NP-43: the destination's names count, and on the way in that is the subject.
    const usesNames = rules.some((rule) => rule.ports?.some((port) => port.name !== null));
    const own = direction === Direction.egress ? null : usesNames ? (classes.namedPorts[c] ?? []) : [];
    const key = `${chosen} ${own?.map(portKey)}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = groupPolicies.length;
      numbers.set(key, number);
      groupPolicies.push(chosen);
      groupEntries.push(rules.flatMap((rule) => entries.add(rule, own)));
    }
    group[c] = number;
  }
  return { group, groupPolicies, groupEntries, ...cutByTraffic(groupEntries, entries, classes.count) };
}

/** Rows and entries, each once. */
class EntryBuilder {
  readonly verdict: number[] = [];
  readonly rule: number[] = [];
  readonly from: number[] = [];
  readonly to: number[] = [];
  readonly row: number[] = [];
  readonly #rows: Uint32Array[] = [];
  readonly #rowOfRule = new Map<string, number>();
  readonly #rowNumbers = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  readonly #classes: PodClasses;
  readonly #words: number;
  /** Every named port of every pod, with the classes that have it. */
  readonly #named = new Map<string, { readonly port: NamedPort; readonly classes: Set<number> }>();

  constructor(classes: PodClasses) {
    this.#classes = classes;
    this.#words = (classes.count + 31) >>> 5;
    classes.namedPorts.forEach((ports, c) => {
      for (const port of ports) {
        const known = this.#named.get(portKey(port));
        if (known) known.classes.add(c);
        else this.#named.set(portKey(port), { port, classes: new Set([c]) });
      }
    });
  }

  /** The entries of a rule. `own` are the subject's named ports, or null where the peer's count. */
  add(rule: RuleTerm, own: readonly NamedPort[] | null): number[] {
    if (rule.ports === null) return this.#entry(rule, null, 0, noPorts);
    return rule.ports.flatMap((port) => {
      if (port.name === null) {
        const base = protocolBase(port.protocol as number);
        const { from, to } = port.range ?? { from: 0, to: 65535 };
        return this.#entry(rule, null, base + from, base + to);
      }
      if (own) return own.filter((named) => isNamed(port, named)).flatMap((named) => this.#point(rule, named, null));
      return [...this.#named].flatMap(([key, { port: named }]) =>
        isNamed(port, named) ? this.#point(rule, named, key) : [],
      );
    });
  }

  tables(): EntryTables {
    const bits = new Uint32Array(this.#rows.length * this.#words);
    this.#rows.forEach((row, i) => {
      bits.set(row, i * this.#words);
    });
    return {
      verdict: Uint8Array.from(this.verdict),
      rule: Uint32Array.from(this.rule),
      from: Uint32Array.from(this.from),
      to: Uint32Array.from(this.to),
      row: Uint32Array.from(this.row, (row) => row * this.#words),
      bits,
    };
  }

  rowOf(entry: number): Uint32Array {
    return this.#rows[this.row[entry] as number] as Uint32Array;
  }

  #point(rule: RuleTerm, { protocol, port }: NamedPort, onlyNamed: string | null): number[] {
    const key = protocolBase(protocol) + port;
    return this.#entry(rule, onlyNamed, key, key);
  }

  #entry(rule: RuleTerm, onlyNamed: string | null, from: number, to: number): number[] {
    const place = `${rule.rule} ${onlyNamed}`;
    const row = this.#rowOfRule.get(place) ?? this.#row(rule.peers, onlyNamed);
    this.#rowOfRule.set(place, row);
    const key = `${rule.rule} ${row} ${from} ${to}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.rule.length;
      this.#numbers.set(key, number);
      this.verdict.push(rule.verdict);
      this.rule.push(rule.rule);
      this.from.push(from);
      this.to.push(to);
      this.row.push(row);
    }
    return [number];
  }

  #row(peers: readonly PeerTerm[] | null, onlyNamed: string | null): number {
    const key = JSON.stringify([peers, onlyNamed]);
    let number = this.#rowNumbers.get(key);
    if (number === undefined) {
      number = this.#rows.length;
      this.#rowNumbers.set(key, number);
      this.#rows.push(this.#bits(peers, onlyNamed));
    }
    return number;
  }

  #bits(peers: readonly PeerTerm[] | null, onlyNamed: string | null): Uint32Array {
    const wanted = onlyNamed === null ? null : (this.#named.get(onlyNamed)?.classes ?? new Set<number>());
    const row = new Uint32Array(this.#words);
    const set = (c: number): void => {
      if (wanted === null || wanted.has(c)) row[c >>> 5] = (row[c >>> 5] as number) | (1 << (c & 31));
    };
    if (peers === null) for (let c = 0; c < this.#classes.count; c++) set(c);
    else for (const peer of peers) this.#classes.classesOf(peer).forEach(set);
    return row;
  }
}

function isNamed(port: PortTerm, named: NamedPort): boolean {
  return named.name === port.name && (port.protocol === null || named.protocol === port.protocol);
}

/** Cuts each group's traffic where an entry starts or ends, and gives each piece its list of entries. */
function cutByTraffic(groups: readonly (readonly number[])[], entries: EntryBuilder, classCount: number) {
  const intervals: number[] = [0];
  const starts: number[] = [];
  const list: number[] = [];
  const numbers = new Map<string, number>();
  const lists: (readonly number[])[] = [];
  for (const group of groups) {
    const cuts = new Set([0]);
    for (const e of group) cuts.add(entries.from[e] as number).add((entries.to[e] as number) + 1);
    let before = -1;
    for (const start of [...cuts].sort((a, b) => a - b)) {
      const found = group.filter((e) => (entries.from[e] as number) <= start && start <= (entries.to[e] as number));
      const key = found.join();
      let number = numbers.get(key);
      if (number === undefined) {
        number = lists.length;
        numbers.set(key, number);
        lists.push(found);
      }
      if (number !== before) {
        starts.push(start);
        list.push(number);
      }
      before = number;
    }
    intervals.push(starts.length);
  }
  return {
    intervals: Uint32Array.from(intervals),
    starts: Uint32Array.from(starts),
    list: Uint32Array.from(list),
    lists: Uint32Array.from([0, ...lists], sumOfLengths()),
    members: Uint32Array.from(lists.flat()),
    ...answerLongLists(lists, entries, classCount),
    entries: entries.tables(),
  };
}

function sumOfLengths(): (members: number | readonly number[]) => number {
  let sum = 0;
  return (members) => {
    sum += typeof members === "number" ? 0 : members.length;
    return sum;
  };
}

function answerLongLists(lists: readonly (readonly number[])[], entries: EntryBuilder, classCount: number) {
  const dense = new Uint32Array(lists.length);
  const long = lists.flatMap((members, i) => (members.length > longList ? [i] : []));
  const chosen = long.slice(0, Math.floor(denseBudget / classCount));
  const firstMatch = new Uint32Array(chosen.length * classCount);
  chosen.forEach((i, nth) => {
    const base = nth * classCount;
    dense[i] = base + 1;
    const open = new Uint32Array((classCount + 31) >>> 5).fill(0xffffffff);
    for (const e of lists[i] ?? []) {
      const row = entries.rowOf(e);
      for (let w = 0; w < open.length; w++) {
        const hits = (row[w] as number) & (open[w] as number);
        open[w] = (open[w] as number) & ~hits;
        for (let rest = hits; rest !== 0; rest &= rest - 1)
          firstMatch[base + w * 32 + 31 - Math.clz32(rest & -rest)] = e + 1;
      }
    }
  });
  return { dense, firstMatch };
}
