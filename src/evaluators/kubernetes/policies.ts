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
import type { Domain, Domains } from "./domains.ts";
import type { Namespaces, Term } from "./namespaces.ts";
import type { Nodes } from "./nodes.ts";
import type { PortNames } from "./port-names.ts";
import type { Prefixes, PrefixRecord } from "./prefixes.ts";
import { RuleField, ruleWords, Tier } from "./tables.ts";
import type { PortTerm, RuleTerm } from "./terms.ts";
import { namedTraffic, protocolBase } from "./traffic-key.ts";

export type PolicyObject = NetworkPolicy | AdminPolicy;

/** Addresses of a prefix without those of some others. */
export interface Block {
  readonly prefix: PrefixRecord;
  readonly except: readonly PrefixRecord[];
}

export interface CompiledRule {
  readonly number: number;
  /** Null: everybody. */
  readonly terms: readonly Term[] | null;
  readonly blocks: readonly Block[];
  readonly domains: readonly Domain[];
  /** First and last number of traffic, in turn, port by port; null: any traffic. */
  readonly ports: readonly number[] | null;
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

export interface PolicyParts {
  readonly rules: PagedWords;
  readonly lists: PagedLists;
  readonly namespaces: Namespaces;
  readonly nodes: Nodes;
  readonly prefixes: Prefixes;
  readonly ports: PortNames;
  readonly domains: Domains;
}

const nothing: RuleRef = { policy: "", rule: null };
const orderLimit = 2 ** 30;
const none: readonly never[] = [];

export class Policies {
  /** By number of rule; and the references of groups. */
  readonly refs: RuleRef[] = [];
  /** By number of rule. */
  readonly owners: (CompiledPolicy | undefined)[] = [];
  readonly ruleNumbers = new FreeNumbers(0);
  readonly #parts: PolicyParts;
  readonly #ids = new FreeNumbers(0);
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
    const { lists, namespaces, nodes, prefixes, ports, rules, domains } = this.#parts;
    const ordered = this.#ordered[policy.tier] as CompiledPolicy[];
    // Beside it may lie the one that replaces it.
    ordered.splice(ordered.indexOf(policy, lowerBound(ordered, policy)), 1);
    policy.rules.forEach((list, direction) => {
      for (const rule of list ?? none) {
        lists.remove(rules.get(rule.number * ruleWords + RuleField.ports), rule.ports?.length ?? 0);
        this.forgetRule(rule.number);
        for (const term of rule.terms ?? none) {
          if (term.isOfNodes) nodes.releaseTerm(term);
          else namespaces.release(term);
        }
        for (const domain of rule.domains) domains.release(domain);
        for (const { prefix, except } of rule.blocks) for (const one of [prefix, ...except]) prefixes.release(one);
      }
      for (const { name, protocol } of namesOf(policy.object, direction as Direction)) ports.release(name, protocol);
    });
    namespaces.release(policy.subject);
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
    const term = "podSelector" in object ? networkPolicyTerm(object) : adminPolicyTerm(object);
    const compile = (rules: readonly RuleTerm[] | null) =>
      rules === null ? null : rules.map((rule, i) => this.#compileRule(rule, i, term.name));
    const policy: CompiledPolicy = {
      id: this.#ids.take(),
      tier: term.tier,
      name: term.name,
      object,
      subject: this.#parts.namespaces.acquire(term.subject),
      rules: [compile(term.rules[Direction.egress]), compile(term.rules[Direction.ingress])],
      order: 0,
    };
    this.#byObject.set(object, policy);
    for (const list of policy.rules) for (const { number } of list ?? none) this.owners[number] = policy;
    return policy;
  }

  #compileRule({ name, verdict, peers, ports }: RuleTerm, place: number, policy: string): CompiledRule {
    const { rules, lists, namespaces, nodes, prefixes, domains } = this.#parts;
    const number = this.ruleNumbers.take();
    // Copied, here and below: an array that grew has room that nothing will use.
    const traffic = ports === null ? null : ports.flatMap((port) => this.#trafficOf(port)).slice();
    const at = number * ruleWords;
    rules.set(at + RuleField.place, place * 4 + verdict);
    rules.set(at + RuleField.ports, traffic === null ? 0 : lists.add(traffic));
    rules.set(at + RuleField.portCount, traffic === null ? -1 : traffic.length / 2);
    this.refs[number] = { policy, rule: name };
    const terms: Term[] = [];
    const blocks: Block[] = [];
    const names: Domain[] = [];
    for (const peer of peers ?? none) {
      if (peer.kind === "pods") terms.push(namespaces.acquire(peer.pods));
      else if (peer.kind === "nodes") terms.push(nodes.acquireTerm(peer.nodes));
      else if (peer.kind === "domain") names.push(domains.acquire(peer.pattern));
      else {
        const except = peer.except.map((prefix) => prefixes.acquire(prefix));
        except.sort((a, b) => a.number - b.number);
        blocks.push({ prefix: prefixes.acquire(peer.prefix), except: except.length === 0 ? none : except });
      }
    }
    return {
      number,
      terms: peers === null ? null : terms.length === 0 ? none : terms.slice(),
      blocks: blocks.length === 0 ? none : blocks.slice(),
      domains: names.length === 0 ? none : names.slice(),
      ports: traffic,
      usesNames: ports?.some((port) => port.name !== null) ?? false,
    };
  }

  #trafficOf({ name, protocol, range }: PortTerm): readonly number[] {
    if (name !== null) {
      const traffic = namedTraffic(this.#parts.ports.acquire(name, protocol));
      return [traffic, traffic];
    }
    const base = protocolBase(protocol as number);
    return [base + (range?.from ?? 0), base + (range?.to ?? 65535)];
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

/** The names of ports that the policy's rules ask for, as often as they do. */
function namesOf(object: PolicyObject, direction: Direction) {
  const term = "podSelector" in object ? networkPolicyTerm(object) : adminPolicyTerm(object);
  const ports = (term.rules[direction] ?? none).flatMap((rule) => rule.ports ?? none);
  return ports.flatMap(({ name, protocol }) => (name === null ? [] : [{ name, protocol }]));
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
