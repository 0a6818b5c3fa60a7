/** The policies of all tiers: compiled one by one, and numbered in the order in which each tier asks them. */
import { type AdminPolicy, compareAdminPolicies } from "../../model/admin-policy.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { NetworkPolicy } from "../../model/network-policy.ts";
import { Direction } from "../../model/verdict.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { adminPolicyTerm } from "../admin-policy/terms.ts";
import { compareNetworkPolicies, networkPolicyTerm } from "../network-policy/terms.ts";
import type { Namespaces, Term } from "./namespaces.ts";
import type { Nodes } from "./nodes.ts";
import type { PortNames } from "./port-names.ts";
import type { Prefixes, PrefixRecord } from "./prefixes.ts";
import { anyone, RuleField, ruleWords, Tier } from "./tables.ts";
import type { PeerTerm, PortTerm, RuleTerm } from "./terms.ts";
import { namedTraffic, noPorts, protocolBase } from "./traffic-key.ts";

export type PolicyObject = NetworkPolicy | AdminPolicy;

/** Whom a rule means: a term, or a prefix without some others. */
export interface PeerKey {
  readonly isPrefix: boolean;
  readonly number: number;
  /** Numbers of prefixes, sorted. */
  readonly except: readonly number[];
}

export interface CompiledRule {
  readonly number: number;
  readonly peers: readonly PeerKey[];
  /** First and last number of traffic, in turn; sorted out by nobody. */
  readonly ports: readonly number[];
  readonly usesNames: boolean;
}

export interface CompiledPolicy {
  readonly id: number;
  readonly tier: Tier;
  readonly name: string;
  readonly object: PolicyObject;
  readonly subject: Term;
  /** By direction. */
  readonly rules: readonly [egress: readonly CompiledRule[] | null, ingress: readonly CompiledRule[] | null];
  /** Ascending in the order in which the tier asks. */
  order: number;
}

/** What a policy's rules are made of, each to be given back. */
interface Holdings {
  readonly terms: Term[];
  readonly nodes: Term[];
  readonly prefixes: PrefixRecord[];
  readonly names: PortTerm[];
}

export interface PolicyParts {
  readonly rules: PagedWords;
  readonly lists: PagedLists;
  readonly namespaces: Namespaces;
  readonly nodes: Nodes;
  readonly prefixes: Prefixes;
  readonly ports: PortNames;
}

const nothing: RuleRef = { policy: "", rule: null };
const orderLimit = 2 ** 30;
const allTraffic = [0, noPorts];

export class Policies {
  /** By number of rule; and the references of groups. */
  readonly refs: RuleRef[] = [];
  /** By number of rule. */
  readonly owners: (CompiledPolicy | undefined)[] = [];
  readonly ruleNumbers = new FreeNumbers(0);
  readonly #parts: PolicyParts;
  readonly #ids = new FreeNumbers(0);
  readonly #holdings = new Map<CompiledPolicy, Holdings>();
  readonly #byObject = new Map<PolicyObject, CompiledPolicy>();
  /** By tier, in order. */
  readonly #ordered: CompiledPolicy[][] = [[], [], []];

  constructor(parts: PolicyParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#byObject.size;
  }

  get(object: PolicyObject): CompiledPolicy | undefined {
    return this.#byObject.get(object);
  }

  /** Compiles policies and gives them their place. */
  add(objects: readonly PolicyObject[]): readonly CompiledPolicy[] {
    const added = objects.map((object) => this.#compile(object));
    for (const tier of [Tier.admin, Tier.networkPolicy, Tier.baseline]) {
      this.#insert(
        tier,
        added.filter((policy) => policy.tier === tier),
      );
    }
    return added;
  }

  remove(policy: CompiledPolicy): void {
    const { lists, namespaces, nodes, prefixes, ports, rules } = this.#parts;
    const ordered = this.#ordered[policy.tier] as CompiledPolicy[];
    // Beside it may lie the one that replaces it.
    ordered.splice(ordered.indexOf(policy, lowerBound(ordered, policy)), 1);
    for (const rule of [...(policy.rules[0] ?? []), ...(policy.rules[1] ?? [])]) {
      lists.remove(rules.get(rule.number * ruleWords + RuleField.ports), rule.ports.length);
      this.forgetRule(rule.number);
    }
    const held = this.#holdings.get(policy);
    for (const { name, protocol } of held?.names ?? []) ports.release(name as string, protocol);
    for (const prefix of held?.prefixes ?? []) prefixes.release(prefix);
    for (const term of held?.nodes ?? []) nodes.releaseTerm(term);
    for (const term of held?.terms ?? []) namespaces.release(term);
    this.#holdings.delete(policy);
    this.#byObject.delete(policy.object);
    this.#ids.giveBack(policy.id);
  }

  /** The number may be another rule's from now on. */
  forgetRule(number: number): void {
    this.refs[number] = nothing;
    this.owners[number] = undefined;
    this.ruleNumbers.giveBack(number);
  }

  #compile(object: PolicyObject): CompiledPolicy {
    const { namespaces } = this.#parts;
    const term = "podSelector" in object ? networkPolicyTerm(object) : adminPolicyTerm(object);
    const held: Holdings = { terms: [], nodes: [], prefixes: [], names: [] };
    const subject = namespaces.acquire(term.subject);
    held.terms.push(subject);
    const compile = (rules: readonly RuleTerm[] | null) =>
      rules?.map((rule, i) => this.#compileRule(rule, i, term.name, held)) ?? null;
    const policy: CompiledPolicy = {
      id: this.#ids.take(),
      tier: term.tier,
      name: term.name,
      object,
      subject,
      rules: [compile(term.rules[Direction.egress]), compile(term.rules[Direction.ingress])],
      order: 0,
    };
    this.#holdings.set(policy, held);
    this.#byObject.set(object, policy);
    for (const list of policy.rules) for (const { number } of list ?? []) this.owners[number] = policy;
    return policy;
  }

  #compileRule(rule: RuleTerm, place: number, policy: string, held: Holdings): CompiledRule {
    const { rules, lists } = this.#parts;
    const number = this.ruleNumbers.take();
    const ports = rule.ports?.flatMap((port) => this.#trafficOf(port, held)) ?? null;
    const at = number * ruleWords;
    rules.set(at + RuleField.place, place * 4 + rule.verdict);
    rules.set(at + RuleField.ports, ports === null ? 0 : lists.add(ports));
    rules.set(at + RuleField.portCount, ports === null ? -1 : ports.length / 2);
    this.refs[number] = { policy, rule: rule.name };
    const peers = rule.peers?.map((peer) => this.#keyOf(peer, held)) ?? [
      { isPrefix: false, number: anyone, except: [] },
    ];
    const usesNames = rule.ports?.some(({ name }) => name !== null) ?? false;
    return { number, peers, ports: ports ?? [], usesNames };
  }

  #trafficOf(port: PortTerm, held: Holdings): readonly number[] {
    const { name, protocol, range } = port;
    if (name !== null) {
      held.names.push(port);
      const traffic = namedTraffic(this.#parts.ports.acquire(name, protocol));
      return [traffic, traffic];
    }
    const base = protocolBase(protocol as number);
    return [base + (range?.from ?? 0), base + (range?.to ?? 65535)];
  }

  #keyOf(peer: PeerTerm, held: Holdings): PeerKey {
    const { namespaces, nodes, prefixes } = this.#parts;
    if (peer.kind === "pods") {
      const term = namespaces.acquire(peer.pods);
      held.terms.push(term);
      return { isPrefix: false, number: term.number, except: [] };
    }
    if (peer.kind === "nodes") {
      const term = nodes.acquireTerm(peer.nodes);
      held.nodes.push(term);
      return { isPrefix: false, number: term.number, except: [] };
    }
    const [record, ...except] = [peer.prefix, ...peer.except].map((prefix) => {
      const acquired = prefixes.acquire(prefix);
      held.prefixes.push(acquired);
      return acquired;
    });
    const numbers = [...new Set(except.map(({ number }) => number))].sort((a, b) => a - b);
    return { isPrefix: true, number: record?.number ?? 0, except: numbers };
  }

  #insert(tier: Tier, added: readonly CompiledPolicy[]): void {
    const ordered = this.#ordered[tier] as CompiledPolicy[];
    if (added.length > 16) {
      const all = [...ordered, ...added].sort(comparePolicies);
      this.#ordered[tier] = all;
      this.#number(all);
      return;
    }
    for (const policy of added) {
      const at = lowerBound(ordered, policy);
      const before = ordered[at - 1]?.order ?? 0;
      const after = ordered[at]?.order ?? orderLimit;
      ordered.splice(at, 0, policy);
      if (after - before < 2) this.#number(ordered);
      else this.#setOrder(policy, before + ((after - before) >>> 1));
    }
  }

  /** Anew, with room between them. */
  #number(all: readonly CompiledPolicy[]): void {
    const step = Math.max(1, Math.floor(orderLimit / (all.length + 1)));
    all.forEach((policy, i) => {
      this.#setOrder(policy, (i + 1) * step);
    });
  }

  #setOrder(policy: CompiledPolicy, order: number): void {
    policy.order = order;
    for (const list of policy.rules) {
      for (const { number } of list ?? []) this.#parts.rules.set(number * ruleWords + RuleField.order, order);
    }
  }
}

/** The traffic of a rule with or without ports, as first and last numbers. */
export function trafficOfRule(words: PagedWords, { number, ports }: CompiledRule): readonly number[] {
  return words.get(number * ruleWords + RuleField.portCount) < 0 ? allTraffic : ports;
}

function lowerBound(list: readonly CompiledPolicy[], policy: CompiledPolicy): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePolicies(list[middle] as CompiledPolicy, policy) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Those of one tier. */
function comparePolicies(a: CompiledPolicy, b: CompiledPolicy): number {
  if ("podSelector" in a.object && "podSelector" in b.object) return compareNetworkPolicies(a.object, b.object);
  return compareAdminPolicies(a.object as AdminPolicy, b.object as AdminPolicy);
}
