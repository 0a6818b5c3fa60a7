/**
 * Groups: the policies of one tier that restrict a kind in one direction. Kinds with the same ones share a group, and what
 * a group looks like to readers is made anew when its policies are others.
 */
import type { RuleRef } from "../../model/evaluator.ts";
import { Direction } from "../../model/verdict.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { renderGroup } from "./group-words.ts";
import type { Kind, Kinds } from "./kinds.ts";
import type { Term } from "./namespaces.ts";
import type { CompiledPolicy, Policies } from "./policies.ts";
import { GroupField, groupField, groupWords, KindField, type TableName, Tier } from "./tables.ts";

export interface Group {
  readonly number: number;
  readonly key: string;
  readonly field: number;
  readonly tier: Tier;
  readonly direction: Direction;
  /** In order. */
  readonly policies: readonly CompiledPolicy[];
  kinds: number;
  isRendered: boolean;
  /** Where it is in `lists`. */
  start: number;
  length: number;
  /** NetworkPolicy's references to all of them. */
  readonly noMatch: number;
  readonly nonL4: number;
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
  readonly #byKey = new Map<string, Group>();
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
    return this.#byKey.size;
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
    if (!kind.isPod) return;
    const lists: CompiledPolicy[][] = [[], [], [], [], [], []];
    const collect = ({ subjects }: Term): void => {
      for (const policy of subjects) {
        if (policy.rules[0]) lists[policy.tier * 2]?.push(policy);
        if (policy.rules[1]) lists[policy.tier * 2 + 1]?.push(policy);
      }
    };
    collect(this.#everyPod);
    for (const term of kind.terms) if (term.subjects.size > 0) collect(term);
    for (const { field } of fields) this.#assign(kind, field, (lists[field] as CompiledPolicy[]).sort(byOrder));
  }

  /**
   * What came and went of some terms' policies changes the groups of the kinds that they select, each combination once. To
   * be called while those terms still have their kinds.
   */
  regroup(changes: ReadonlyMap<Term, SubjectChange>): void {
    const concerned = new Map<Kind, Term[]>();
    for (const term of changes.keys()) {
      for (const kind of term === this.#everyPod ? this.#kinds.ofPods : term.kinds) {
        if (this.#kinds.stale.has(kind)) continue;
        const terms = concerned.get(kind);
        if (terms) terms.push(term);
        else concerned.set(kind, [term]);
      }
    }
    const known = new Map<string, readonly (Group | null)[]>();
    for (const [kind, terms] of concerned) {
      const key = `${terms.map(({ number }) => number)}/${kind.groups.map((group) => group?.number ?? 0)}`;
      const after = known.get(key);
      if (after) {
        for (const { field } of fields) this.#kinds.setGroup(kind, field, after[field] ?? null);
        continue;
      }
      const removed = new Set(terms.flatMap((term) => [...(changes.get(term)?.removed ?? [])]));
      const added = terms.flatMap((term) => [...(changes.get(term)?.added ?? [])]);
      for (const { field, tier, direction } of fields) {
        const more = added.filter((policy) => policy.tier === tier && policy.rules[direction]);
        const before = kind.groups[field]?.policies ?? [];
        const kept = removed.size === 0 ? before : before.filter((policy) => !removed.has(policy));
        if (more.length === 0 && kept.length === before.length) continue;
        this.#assign(kind, field, [...kept, ...more].sort(byOrder));
      }
      known.set(key, [...kind.groups]);
    }
  }

  #assign(kind: Kind, field: number, policies: readonly CompiledPolicy[]): void {
    this.#kinds.setGroup(kind, field, policies.length === 0 ? null : this.#obtain(field, policies));
  }

  #obtain(field: number, policies: readonly CompiledPolicy[]): Group {
    let key = `${field}`;
    for (const { id } of policies) key += ` ${id}`;
    const known = this.#byKey.get(key);
    if (known) return known;
    const { tier, direction } = fields[field] as (typeof fields)[number];
    const number = this.#numbers.take();
    const isNetworkPolicy = tier === Tier.networkPolicy;
    const group: Group = {
      number,
      key,
      field,
      tier,
      direction,
      policies,
      kinds: 0,
      isRendered: false,
      start: 0,
      length: 0,
      noMatch: isNetworkPolicy ? this.#refer(policies, null) : -1,
      nonL4: isNetworkPolicy ? this.#refer(policies, this.#allowed) : -1,
    };
    this.#byKey.set(key, group);
    this.#byNumber[number] = group;
    this.#made.add(group);
    return group;
  }

  /** Names of thousands of policies are put together only if somebody asks. */
  #refer(policies: readonly CompiledPolicy[], rule: string | null): number {
    const number = this.#policies.ruleNumbers.take();
    const ref: RuleRef = {
      get policy() {
        return policies.map(({ name }) => name).join();
      },
      rule,
    };
    this.#policies.refs[number] = ref;
    return number;
  }

  #render(group: Group): void {
    if (group.isRendered) return;
    const { words, termCount, prefixCount, usesNames } = renderGroup(group, this.#arrays);
    group.start = this.#lists.add(words);
    group.length = words.length;
    group.isRendered = true;
    const at = group.number * groupWords;
    const { groups } = this.#arrays;
    groups.set(at + GroupField.start, group.start);
    groups.set(at + GroupField.termCount, termCount);
    groups.set(at + GroupField.prefixCount, prefixCount);
    groups.set(at + GroupField.usesNames, usesNames ? 1 : 0);
    groups.set(at + GroupField.noMatch, group.noMatch);
    groups.set(at + GroupField.nonL4, group.nonL4);
  }

  #drop(group: Group): void {
    if (this.#byNumber[group.number] !== group) return;
    this.#lists.remove(group.start, group.length);
    this.#byKey.delete(group.key);
    this.#byNumber[group.number] = undefined;
    this.#numbers.giveBack(group.number);
    for (const number of [group.noMatch, group.nonL4]) {
      if (number < 0) continue;
      this.#policies.forgetRule(number);
    }
  }
}

function byOrder(a: CompiledPolicy, b: CompiledPolicy): number {
  return a.order - b.order;
}
