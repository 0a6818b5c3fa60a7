/**
 * What a group is to readers, as one list: see GroupField. Rules are turned round: for each term and prefix that some rule
 * means, the rules that mean it, in order. Where they are many they are cut by traffic, so that no packet walks them.
 */
import { cutByTraffic, oneRule } from "./find-rule.ts";
import type { Group } from "./groups.ts";
import type { CompiledRule } from "./policies.ts";
import type { PrefixRecord } from "./prefixes.ts";
import { anyone, firstDomain } from "./tables.ts";
import { noPorts } from "./traffic-key.ts";

const allTraffic = [0, noPorts];
/** As many are walked. */
const fewRules = 12;

interface Meant {
  readonly number: number;
  readonly except: readonly PrefixRecord[];
  readonly rules: CompiledRule[];
}

const none: readonly never[] = [];

export function renderGroup(group: Pick<Group, "policies" | "direction">) {
  const byTerm = new Map<number, Meant>();
  const byPrefix = new Map<number | string, Meant>();
  let usesNames = false;
  for (const { rules } of group.policies) {
    for (const rule of rules[group.direction] ?? none) {
      usesNames ||= rule.usesNames;
      if (rule.terms === null) add(byTerm, anyone, anyone, none, rule);
      else for (const { number } of rule.terms) add(byTerm, number, number, none, rule);
      for (const { number } of rule.domains) add(byTerm, number, number, none, rule);
      for (const { prefix, except } of rule.blocks) {
        const { number } = prefix;
        const key = except.length === 0 ? number : `${number} ${except.map((one) => one.number)}`;
        add(byPrefix, key, number, except, rule);
      }
    }
  }
  const terms = [...byTerm.values()].sort(byNumber);
  const prefixes = [...byPrefix.values()].sort(byNumber);
  const domainAt = terms.findIndex(({ number }) => number >= firstDomain);
  const words = new Array<number>(2 * terms.length + 3 * prefixes.length).fill(0);
  const refer = (rules: readonly CompiledRule[]): number => {
    if (rules.length === 1) return (rules[0] as CompiledRule).number | oneRule;
    const at = words.length;
    if (rules.length > fewRules) {
      appendPieces(words, rules);
      return at | cutByTraffic;
    }
    words.push(rules.length, ...rules.map((rule) => rule.number));
    return at;
  };
  terms.forEach(({ number, rules }, i) => {
    words[i] = number;
    words[terms.length + i] = refer(rules);
  });
  const start = 2 * terms.length;
  prefixes.forEach(({ number, rules, except }, i) => {
    words[start + i] = number;
    words[start + prefixes.length + i] = refer(rules);
    if (except.length === 0) return;
    words[start + 2 * prefixes.length + i] = words.length;
    const numbers = [...new Set(except.map((one) => one.number))];
    words.push(numbers.length, ...numbers);
  });
  return {
    words,
    termCount: terms.length,
    prefixCount: prefixes.length,
    usesNames,
    firstDomain: domainAt < 0 ? terms.length : domainAt,
  };
}

function add<K>(map: Map<K, Meant>, key: K, number: number, except: readonly PrefixRecord[], rule: CompiledRule): void {
  const meant = map.get(key);
  if (!meant) map.set(key, { number, except, rules: [rule] });
  else if (meant.rules.at(-1) !== rule) meant.rules.push(rule);
}

function byNumber(a: Meant, b: Meant): number {
  return a.number - b.number;
}

/** More intervals than a group has; a number of traffic times this is still a whole number. */
const manyIntervals = 2 ** 31;

/**
 * Where each piece of traffic starts, then the first rule of each piece, plus 1. The rules that hold at a place are kept in
 * a heap, the first one on top; those that have ended are taken out when they come up.
 */
function appendPieces(words: number[], rules: readonly CompiledRule[]): void {
  const from: number[] = [];
  const to: number[] = [];
  const owner: number[] = [];
  const bounds: number[] = [0];
  rules.forEach((rule, place) => {
    const intervals = rule.ports ?? allTraffic;
    for (let i = 0; i < intervals.length; i += 2) {
      from.push(intervals[i] as number);
      to.push(intervals[i + 1] as number);
      owner.push(place);
      bounds.push(intervals[i] as number, (intervals[i + 1] as number) + 1);
    }
  });
  // A start and its interval in one number, so that they are sorted as numbers.
  const byStart = Float64Array.from(from, (start, i) => start * manyIntervals + i).sort();
  const starts: number[] = [];
  const firsts: number[] = [];
  const heap = new OpenRules();
  let next = 0;
  for (const bound of Float64Array.from(bounds).sort()) {
    if (starts.length > 0 && bound === starts.at(-1)) continue;
    for (; next < byStart.length; next++) {
      const packed = byStart[next] as number;
      if (packed >= (bound + 1) * manyIntervals) break;
      const i = packed % manyIntervals;
      heap.push(owner[i] as number, to[i] as number);
    }
    const first = heap.firstAt(bound);
    const rule = first < 0 ? 0 : (rules[first] as CompiledRule).number + 1;
    if (starts.length > 0 && firsts.at(-1) === rule) continue;
    starts.push(bound);
    firsts.push(rule);
  }
  words.push(starts.length);
  for (const start of starts) words.push(start);
  for (const first of firsts) words.push(first);
}

/** A heap of places with their ends. */
class OpenRules {
  readonly #places: number[] = [];
  readonly #ends: number[] = [];

  push(place: number, end: number): void {
    let at = this.#places.length;
    this.#places.push(place);
    this.#ends.push(end);
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if ((this.#places[above] as number) <= (this.#places[at] as number)) break;
      this.#swap(above, at);
      at = above;
    }
  }

  /** The smallest place that has not ended before this number, or -1. */
  firstAt(number: number): number {
    while (this.#places.length > 0 && (this.#ends[0] as number) < number) this.#pop();
    return this.#places[0] ?? -1;
  }

  #pop(): void {
    this.#swap(0, this.#places.length - 1);
    this.#places.pop();
    this.#ends.pop();
    const count = this.#places.length;
    for (let at = 0; ; ) {
      let smallest = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < count && (this.#places[below] as number) < (this.#places[smallest] as number)) smallest = below;
      }
      if (smallest === at) return;
      this.#swap(at, smallest);
      at = smallest;
    }
  }

  #swap(a: number, b: number): void {
    const [place, end] = [this.#places[a] as number, this.#ends[a] as number];
    this.#places[a] = this.#places[b] as number;
    this.#ends[a] = this.#ends[b] as number;
    this.#places[b] = place;
    this.#ends[b] = end;
  }
}
