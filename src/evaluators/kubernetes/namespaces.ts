/**
 * Namespaces, and the terms by which policies mean pods: a selector of pods within a scope, which is one namespace or
 * those that a selector holds for. Equal terms are one.
 */
import { type Namespace, namespaceNameLabel } from "../../model/kubernetes.ts";
import type { Labels } from "../../model/labels.ts";
import { type Selector, selects } from "../../model/selector.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { Few } from "./few.ts";
import type { Kind, Profile } from "./kind.ts";
import type { CompiledPolicy } from "./policies.ts";
import { LabelIndex, SelectorIndex, selectorKey } from "./selector-index.ts";
import { anyPod, firstTerm } from "./tables.ts";
import type { PodTerm } from "./terms.ts";

export interface NamespaceRecord {
  readonly name: string;
  labels: Labels;
  hasObject: boolean;
  /** Those that it is in. */
  readonly scopes: Set<Scope>;
  /** Labels of pods that terms of its scopes ask for, and how many scopes do. */
  readonly usedKeys: Map<string, number>;
  readonly profiles: Map<string, Profile>;
}

export interface Scope {
  readonly key: string;
  /** It is the one namespace of this name, and not what the selector holds for. */
  readonly name: string | null;
  readonly selector: Selector;
  readonly namespaces: Set<NamespaceRecord>;
  readonly terms: SelectorIndex<Term>;
  /** Labels that its terms ask for, and how many do. */
  readonly keys: Map<string, number>;
}

export interface Term {
  readonly number: number;
  /** Null: every pod, or nodes. */
  readonly scope: Scope | null;
  readonly isOfNodes: boolean;
  readonly selector: Selector;
  uses: number;
  /** Those that it selects; none for the term that selects every pod. */
  kinds: Few<Kind>;
  /** Policies whose subject it is. */
  subjects: Few<CompiledPolicy>;
}

/** What has to be done to pods. */
export interface TermListener {
  /** Pods of the namespace are told apart by this label too from now on. */
  onKey(namespace: NamespaceRecord, key: string): void;
  onTerm(term: Term, profiles: readonly Profile[]): void;
  onTermGone(term: Term): void;
  /** Other terms select the pods of the namespace. */
  onScopes(namespace: NamespaceRecord): void;
}

export class Namespaces {
  readonly everyPod: Term = createTerm(anyPod, null, []);
  readonly #listener: TermListener;
  readonly #termNumbers: FreeNumbers;
  readonly #records = new Map<string, NamespaceRecord>();
  readonly #byLabel = new LabelIndex<NamespaceRecord>();
  readonly #scopes = new Map<string, Scope>();
  readonly #selectors = new SelectorIndex<Scope>();

  constructor(listener: TermListener, termNumbers: FreeNumbers = new FreeNumbers(firstTerm)) {
    this.#listener = listener;
    this.#termNumbers = termNumbers;
  }

  /** Null: there is no object of this name any more (NP-25). */
  set(name: string, object: Namespace | null): void {
    const record = this.obtain(name);
    record.hasObject = object !== null;
    this.#byLabel.remove(record.labels, record);
    record.labels = object?.labels ?? { [namespaceNameLabel]: name };
    this.#byLabel.add(record.labels, record);
    const scopes = this.#selectorScopes(record.labels);
    const lost = [...record.scopes].filter((scope) => scope.name === null && !scopes.has(scope));
    const gained = [...scopes].filter((scope) => !record.scopes.has(scope));
    for (const scope of gained) this.#enter(scope, record);
    for (const scope of lost) this.#exit(scope, record);
    if ((gained.length > 0 || lost.length > 0) && record.profiles.size > 0) this.#listener.onScopes(record);
    this.dropIfUnused(record);
  }

  /** The record of the name; one without an object has only the label of its name (NP-25). */
  obtain(name: string): NamespaceRecord {
    const known = this.#records.get(name);
    if (known) return known;
    const record: NamespaceRecord = {
      name,
      labels: { [namespaceNameLabel]: name },
      hasObject: false,
      scopes: new Set(),
      usedKeys: new Map(),
      profiles: new Map(),
    };
    this.#records.set(name, record);
    this.#byLabel.add(record.labels, record);
    for (const scope of this.#selectorScopes(record.labels)) this.#enter(scope, record);
    return record;
  }

  dropIfUnused(record: NamespaceRecord): void {
    if (record.hasObject || record.profiles.size > 0) return;
    for (const scope of record.scopes) if (scope.name !== null) return;
    for (const scope of record.scopes) scope.namespaces.delete(record);
    this.#byLabel.remove(record.labels, record);
    this.#records.delete(record.name);
  }

  /** To be given back by `release`. */
  acquire({ namespaces, pods }: PodTerm): Term {
    if (typeof namespaces !== "string" && namespaces.length === 0 && pods.length === 0) return this.everyPod;
    const scope = this.#obtainScope(namespaces);
    const known = scope.terms.find(pods);
    if (known) {
      known.uses++;
      return known;
    }
    // Pods are told apart first, then the term is among those that profiles are made with.
    for (const label of keysOf(pods)) {
      const uses = scope.keys.get(label) ?? 0;
      scope.keys.set(label, uses + 1);
      if (uses === 0) for (const namespace of scope.namespaces) this.#useKey(namespace, label);
    }
    const term = createTerm(this.#termNumbers.take(), scope, pods);
    scope.terms.add(term);
    const profiles: Profile[] = [];
    for (const namespace of scope.namespaces) {
      if (namespace.profiles.size === 0) continue;
      for (const profile of namespace.profiles.values()) if (selects(pods, profile.labels)) profiles.push(profile);
    }
    if (profiles.length > 0) this.#listener.onTerm(term, profiles);
    return term;
  }

  release(term: Term): void {
    const { scope, selector } = term;
    if (scope === null || --term.uses > 0) return;
    this.#listener.onTermGone(term);
    scope.terms.remove(term);
    for (const label of keysOf(selector)) {
      const uses = (scope.keys.get(label) ?? 0) - 1;
      if (uses > 0) {
        scope.keys.set(label, uses);
        continue;
      }
      scope.keys.delete(label);
      for (const namespace of scope.namespaces) disuseKey(namespace, label);
    }
    this.#termNumbers.giveBack(term.number);
    if (scope.terms.size === 0) this.#dropScope(scope);
  }

  /** Every term that selects pods of the namespace with these labels, sorted by number. */
  termsOf(namespace: NamespaceRecord, labels: Labels): Term[] {
    const found: Term[] = [];
    for (const scope of namespace.scopes) {
      scope.terms.visitCandidates(labels, (term) => {
        if (selects(term.selector, labels)) found.push(term);
      });
    }
    // Copied: it is kept, and an array that grew has room that nothing will use.
    return found.sort((a, b) => a.number - b.number).slice();
  }

  #selectorScopes(labels: Labels): Set<Scope> {
    const found = new Set<Scope>();
    this.#selectors.visitCandidates(labels, (scope) => {
      if (selects(scope.selector, labels)) found.add(scope);
    });
    return found;
  }

  #obtainScope(namespaces: string | Selector): Scope {
    const key = typeof namespaces === "string" ? `name ${namespaces}` : `labels ${selectorKey(namespaces)}`;
    const known = this.#scopes.get(key);
    if (known) return known;
    const scope: Scope = {
      key,
      name: typeof namespaces === "string" ? namespaces : null,
      selector: typeof namespaces === "string" ? [] : namespaces,
      namespaces: new Set(),
      terms: new SelectorIndex(),
      keys: new Map(),
    };
    this.#scopes.set(key, scope);
    if (typeof namespaces === "string") {
      this.#enter(scope, this.obtain(namespaces));
      return scope;
    }
    this.#selectors.add(scope);
    for (const record of this.#byLabel.candidates(namespaces)) {
      if (selects(namespaces, record.labels)) this.#enter(scope, record);
    }
    return scope;
  }

  #dropScope(scope: Scope): void {
    this.#scopes.delete(scope.key);
    if (scope.name === null) this.#selectors.remove(scope);
    for (const record of scope.namespaces) {
      record.scopes.delete(scope);
      this.dropIfUnused(record);
    }
  }

  #enter(scope: Scope, record: NamespaceRecord): void {
    scope.namespaces.add(record);
    record.scopes.add(scope);
    for (const key of scope.keys.keys()) this.#useKey(record, key);
  }

  #exit(scope: Scope, record: NamespaceRecord): void {
    scope.namespaces.delete(record);
    record.scopes.delete(scope);
    for (const key of scope.keys.keys()) disuseKey(record, key);
  }

  #useKey(record: NamespaceRecord, key: string): void {
    const uses = record.usedKeys.get(key) ?? 0;
    record.usedKeys.set(key, uses + 1);
    if (uses === 0 && record.profiles.size > 0) this.#listener.onKey(record, key);
  }
}

/** Profiles stay as fine as they are; the next ones are coarser. */
function disuseKey(record: NamespaceRecord, key: string): void {
  const uses = (record.usedKeys.get(key) ?? 0) - 1;
  if (uses > 0) record.usedKeys.set(key, uses);
  else record.usedKeys.delete(key);
}

function createTerm(number: number, scope: Scope | null, selector: Selector): Term {
  return { number, scope, isOfNodes: false, selector, uses: 1, kinds: null, subjects: null };
}

/** Each once. */
function keysOf(selector: Selector): readonly string[] {
  if (selector.length < 2) return selector.map(({ key }) => key);
  return [...new Set(selector.map(({ key }) => key))];
}
