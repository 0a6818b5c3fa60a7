/**
 * Groups: the policies of one tier that restrict a kind in one direction. Kinds with the same ones share a group, and what
 * a group looks like to readers is made anew when its policies are others.
 */
import type { RuleRef } from "../../model/evaluator.ts";
import { Direction } from "../../model/verdict.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { areEqual, ByHash, hashOf } from "./by-hash.ts";
import { membersOf, visit } from "./few.ts";
import { renderGroup } from "./group-words.ts";
import { type Kind, Role } from "./kind.ts";
import type { Kinds } from "./kinds.ts";
import type { Term } from "./namespaces.ts";
import type { CompiledPolicy, Policies } from "./policies.ts";
import { GroupField, groupField, groupWords, KindField, type TableName, Tier } from "./tables.ts";

export interface Group {
  readonly number: number;
  readonly hash: number;
  readonly field: number;
  readonly tier: Tier;
  readonly direction: Direction;
  /** In order. */
  readonly policies: readonly CompiledPolicy[];
  /** Some rule means domains. */
  readonly namesDomains: boolean;
  kinds: number;
  isRendered: boolean;
  /** Where it is in `lists`. */
  start: number;
  length: number;
  /** NetworkPolicy's references to all of them; -1 for the other tiers. */
  readonly noMatch: number;
  readonly nonL4: number;
}

/** Names of thousands of policies are put together only if somebody asks. */
class GroupRef implements RuleRef {
  readonly #policies: readonly CompiledPolicy[];
  readonly rule: string | null;

  constructor(policies: readonly CompiledPolicy[], rule: string | null) {
    this.#policies = policies;
    this.rule = rule;
  }

  get policy(): string {
    return this.#policies.map(({ name }) => name).join();
  }
}

/** Policies that began or ceased to have this subject. */
export interface SubjectChange {
  readonly removed: Set<CompiledPolicy>;
  readonly added: Set<CompiledPolicy>;
}

const fields = [Tier.admin, Tier.networkPolicy, Tier.baseline].flatMap((tier) =>
  [Direction.egress, Direction.ingress].map((direction) => ({
    tier,
    direction,
    field: groupField(tier, direction) - KindField.groups,
  })),
);

export class Groups {
  readonly #arrays: Record<TableName, PagedWords>;
  readonly #lists: PagedLists;
  readonly #policies: Policies;
  readonly #kinds: Kinds;
  readonly #everyPod: Term;
  readonly #allowed: string | null;
  readonly #numbers = new FreeNumbers(1);
  readonly #byHash = new ByHash<Group>();
  readonly #byNumber: (Group | undefined)[] = [];
  /** Made since the last `settle`. */
  readonly #made = new Set<Group>();

  /** `allowed` is the rule by which `npNonL4` lets something pass. */
  constructor(
    arrays: Record<TableName, PagedWords>,
    lists: PagedLists,
    policies: Policies,
    kinds: Kinds,
    everyPod: Term,
    allowed: string | null,
  ) {
    this.#arrays = arrays;
    this.#lists = lists;
    this.#policies = policies;
    this.#kinds = kinds;
    this.#everyPod = everyPod;
    this.#allowed = allowed;
    arrays.groups.reserve(groupWords);
  }

  get size(): number {
    return this.#byHash.size;
  }

  policiesOf(number: number): readonly CompiledPolicy[] {
    return this.#byNumber[number]?.policies ?? [];
  }

  /** Brings the groups of kinds with other terms up to date, and what readers see of groups. */
  settle(): void {
    for (const kind of this.#kinds.stale) this.#group(kind);
    this.#kinds.stale.clear();
    for (const group of [...this.#kinds.loosened, ...this.#made]) if (group.kinds === 0) this.#drop(group);
    for (const group of this.#made) if (group.kinds > 0) this.#render(group);
    this.#kinds.loosened.clear();
    this.#made.clear();
  }

  /** From its terms. */
  #group(kind: Kind): void {
    if (kind.role !== Role.subject) return;
    const lists: CompiledPolicy[][] = [[], [], [], [], [], []];
    const collect = ({ subjects }: Term): void => {
      visit(subjects, (policy) => {
        if (policy.rules[0]) lists[policy.tier * 2]?.push(policy);
        if (policy.rules[1]) lists[policy.tier * 2 + 1]?.push(policy);
      });
    };
    collect(this.#everyPod);
    for (const term of kind.terms) if (term.subjects !== null) collect(term);
    for (const { field } of fields) {
      const policies = lists[field] as CompiledPolicy[];
      if (policies.length > 1) policies.sort(byOrder);
      this.#kinds.setGroup(kind, field, policies.length === 0 ? null : this.#obtain(field, policies));
    }
  }

  /**
   * What came and went of some terms' policies changes the groups of the kinds that they select, each combination once. To
   * be called while those terms still have their kinds.
   */
  regroup(changes: ReadonlyMap<Term, SubjectChange>): void {
    for (const [terms, kinds] of this.#concerned(changes)) {
      const removed = new Set(terms.flatMap((term) => [...(changes.get(term)?.removed ?? [])]));
      const added = terms.flatMap((term) => [...(changes.get(term)?.added ?? [])]);
      for (const { field, tier, direction } of fields) {
        const isOfField = (policy: CompiledPolicy): boolean => policy.tier === tier && policy.rules[direction] !== null;
        const more = added.filter(isOfField);
        if (more.length === 0 && ![...removed].some(isOfField)) continue;
        const after = new Map<Group | null, Group | null>();
        for (const kind of kinds) {
          const before = kind.groups[field] ?? null;
          let group = after.get(before);
          if (group === undefined) {
            const policies = (before?.policies ?? []).filter((policy) => !removed.has(policy));
            policies.push(...more);
            policies.sort(byOrder);
            group = policies.length === 0 ? null : this.#obtain(field, policies);
            after.set(before, group);
          }
          this.#kinds.setGroup(kind, field, group);
        }
      }
    }
  }

  /** Kinds by the terms of theirs that changed. */
  #concerned(changes: ReadonlyMap<Term, unknown>): readonly (readonly [readonly Term[], readonly Kind[]])[] {
    const kindsOf = (term: Term): readonly Kind[] => {
      const kinds = term === this.#everyPod ? [...this.#kinds.ofSubjects] : membersOf(term.kinds);
      return kinds.filter((kind) => kind.role === Role.subject && !this.#kinds.stale.has(kind));
    };
    const [only] = changes.keys();
    if (only && changes.size === 1) return [[[only], kindsOf(only)]];
    const byKind = new Map<Kind, Term[]>();
    for (const term of changes.keys()) {
      for (const kind of kindsOf(term)) {
        const terms = byKind.get(kind);
        if (terms) terms.push(term);
        else byKind.set(kind, [term]);
      }
    }
    const byTerms = new Map<string, readonly [Term[], Kind[]]>();
    for (const [kind, terms] of byKind) {
      const key = terms.map(({ number }) => number).join();
      const known = byTerms.get(key);
      if (known) known[1].push(kind);
      else byTerms.set(key, [terms, [kind]]);
    }
    return [...byTerms.values()];
  }

  #obtain(field: number, policies: readonly CompiledPolicy[]): Group {
    let hash = field;
    for (const { id } of policies) hash = (hash + hashOf(id)) | 0;
    const known = this.#byHash.find(hash, (group) => group.field === field && areEqual(group.policies, policies));
    if (known) return known;
    const { tier, direction } = fields[field] as (typeof fields)[number];
    const number = this.#numbers.take();
    const kept = policies.slice();
    const noMatch = tier === Tier.networkPolicy ? this.#refer(kept, null) : -1;
    const isAllowed = tier === Tier.networkPolicy && this.#allowed !== null;
    const group: Group = {
      number,
      hash,
      field,
      tier,
      direction,
      policies: kept,
      namesDomains: kept.some(({ rules }) => rules[direction]?.some(({ domains }) => domains.length > 0)),
      kinds: 0,
      isRendered: false,
      start: 0,
      length: 0,
      noMatch,
      nonL4: isAllowed ? this.#refer(kept, this.#allowed) : noMatch,
    };
    this.#byHash.add(group);
    this.#byNumber[number] = group;
    this.#made.add(group);
    return group;
  }

  #refer(policies: readonly CompiledPolicy[], rule: string | null): number {
    const number = this.#policies.ruleNumbers.take();
    this.#policies.refs[number] = new GroupRef(policies, rule);
    return number;
  }

  #render(group: Group): void {
    if (group.isRendered) return;
    const { words, termCount, prefixCount, usesNames, firstDomain } = renderGroup(group);
    group.start = this.#lists.add(words);
    group.length = words.length;
    group.isRendered = true;
    const at = group.number * groupWords;
    const { groups } = this.#arrays;
    groups.set(at + GroupField.start, group.start);
    groups.set(at + GroupField.termCount, termCount);
    groups.set(at + GroupField.prefixCount, prefixCount);
    groups.set(at + GroupField.firstDomain, firstDomain);
    groups.set(at + GroupField.usesNames, usesNames ? 1 : 0);
    groups.set(at + GroupField.noMatch, group.noMatch);
    groups.set(at + GroupField.nonL4, group.nonL4);
  }

  #drop(group: Group): void {
    if (this.#byNumber[group.number] !== group) return;
    this.#lists.remove(group.start, group.length);
    this.#byHash.delete(group);
    this.#byNumber[group.number] = undefined;
    this.#numbers.giveBack(group.number);
    if (group.noMatch >= 0) this.#policies.forgetRule(group.noMatch);
    if (group.nonL4 !== group.noMatch) this.#policies.forgetRule(group.nonL4);
  }
}

function byOrder(a: CompiledPolicy, b: CompiledPolicy): number {
  return a.order - b.order;
}
