/**
 * Kinds of addresses: those of pods that the same terms select and that answer alike to the names of ports, and those of
 * nodes that the same terms select. Pods of one namespace with the same labels, as far as any term there asks for them,
 * and the same ports are a profile; a kind has the profiles that come to the same.
 *
 * A term that comes or goes changes kinds where they are, if it concerns all of a kind's pods, and splits or joins them
 * otherwise; it's the fewer pods that move.
 */
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { areEqual, ByHash } from "./by-hash.ts";
import { membersOf, sizeOf, withMember, withoutMember } from "./few.ts";
import type { Group } from "./groups.ts";
import {
  Diversion,
  diversionOf,
  groupByKind,
  hashOfKind,
  type Kind,
  type Profile,
  podsOf,
  Role,
  withTerm,
} from "./kind.ts";
import type { Term } from "./namespaces.ts";
import type { PortAnswers } from "./port-names.ts";
import { KindField, kindWords } from "./tables.ts";

/** Profiles of one kind that get these terms and answers now. */
export interface Part {
  readonly terms: readonly Term[];
  readonly answers: PortAnswers;
  readonly profiles: readonly Profile[];
}

/** A kind of more pods than this isn't joined with another one that came to mean the same. */
const fewPods = 2000;

export class Kinds {
  readonly #words: PagedWords;
  readonly #lists: PagedLists;
  readonly #numbers = new FreeNumbers(1);
  readonly #byHash = new ByHash<Kind>();
  /** Every kind that policies can restrict. */
  readonly ofSubjects = new Set<Kind>();
  /** Kinds whose subjects have to be looked at. */
  readonly stale = new Set<Kind>();
  /** Groups that have lost a kind. */
  readonly loosened = new Set<Group>();
  /** Kinds with other groups than before. */
  readonly regrouped = new Set<Kind>();
  /** Tells the owner of the pods that they have another kind. */
  readonly #onMove: (profile: Profile) => void;

  constructor(words: PagedWords, lists: PagedLists, onMove: (profile: Profile) => void) {
    this.#words = words;
    this.#lists = lists;
    this.#onMove = onMove;
    words.reserve(kindWords);
  }

  get size(): number {
    return this.#byHash.size;
  }

  /** The kind of these terms, sorted by number. `like` is one with the same subjects, if there is one. */
  obtain(terms: readonly Term[], answers: PortAnswers, role: Role, like: Kind | null = null): Kind {
    const hash = hashOfKind(terms, answers, role);
    const known = this.#find(hash, terms, answers, role);
    if (known) return known;
    const kind: Kind = {
      number: this.#numbers.take(),
      role,
      terms,
      answers,
      hash,
      isListed: true,
      start: 0,
      profiles: null,
      size: 0,
      groups: [null, null, null, null, null, null],
      diversion: Diversion.none,
    };
    this.#byHash.add(kind);
    for (const term of terms) term.kinds = withMember(term.kinds, kind);
    if (role === Role.subject) {
      this.ofSubjects.add(kind);
      like?.groups.forEach((group, i) => {
        kind.groups[i] = group;
        if (group) group.kinds++;
      });
      // Pods that move are looked at one by one.
      kind.diversion = diversionOf(kind);
      if (like === null || this.stale.has(like)) this.stale.add(kind);
    }
    const at = kind.number * kindWords;
    this.#words.reserve(at + kindWords);
    this.#words.set(at + KindField.isPod, role === Role.node ? 0 : 1);
    kind.groups.forEach((group, i) => {
      this.#words.set(at + KindField.groups + i, group?.number ?? 0);
    });
    this.#writeTerms(kind);
    this.#writeAnswers(kind);
    return kind;
  }

  setGroup(kind: Kind, field: number, group: Group | null): void {
    const before = kind.groups[field] ?? null;
    if (before === group) return;
    if (before) this.#loosen(before);
    if (group) group.kinds++;
    kind.groups[field] = group;
    if (kind.diversion !== diversionOf(kind)) this.regrouped.add(kind);
    this.#words.set(kind.number * kindWords + KindField.groups + field, group?.number ?? 0);
  }

  #loosen(group: Group): void {
    group.kinds--;
    this.loosened.add(group);
  }

  join(kind: Kind, profile: Profile): void {
    kind.profiles = withMember(kind.profiles, profile);
    kind.size += profile.pods.length;
  }

  leave(kind: Kind, profile: Profile): void {
    kind.profiles = withoutMember(kind.profiles, profile);
    kind.size -= profile.pods.length;
    this.dropIfUnused(kind);
  }

  /** Kinds of nodes have no profiles, only a size. */
  dropIfUnused(kind: Kind): void {
    if (kind.profiles !== null || kind.size > 0) return;
    if (kind.isListed) this.#byHash.delete(kind);
    for (const term of kind.terms) term.kinds = withoutMember(term.kinds, kind);
    this.#lists.remove(kind.start, kind.terms.length);
    this.ofSubjects.delete(kind);
    this.stale.delete(kind);
    for (const group of kind.groups) if (group) this.#loosen(group);
    this.regrouped.delete(kind);
    this.#numbers.giveBack(kind.number);
  }

  /** A term that no kind has yet selects these profiles. */
  addTerm(term: Term, profiles: readonly Profile[]): void {
    for (const [kind, concerned] of groupByKind(profiles)) {
      const terms = withTerm(kind.terms, term);
      if (concerned.length === sizeOf(kind.profiles)) this.#become(kind, terms, kind.answers);
      else this.change(kind, [{ terms, answers: kind.answers, profiles: concerned }], true);
    }
  }

  /** A term that is nobody's subject any more goes. */
  removeTerm(term: Term): void {
    for (const kind of membersOf(term.kinds)) {
      const terms = kind.terms.filter((other) => other !== term);
      const hash = hashOfKind(terms, kind.answers, kind.role);
      if (this.#find(hash, terms, kind.answers, kind.role) === undefined) {
        this.#become(kind, terms, kind.answers);
        continue;
      }
      this.change(kind, [{ terms, answers: kind.answers, profiles: membersOf(kind.profiles) }], true);
    }
  }

  /** Parts of a kind become others. `keepsSubjects`: no policy begins or ceases to select them by that. */
  change(kind: Kind, parts: readonly Part[], keepsSubjects: boolean): void {
    const concerned = new Set(parts.flatMap((part) => part.profiles));
    const isWhole = concerned.size === sizeOf(kind.profiles);
    const largest = parts.reduce((a, b) => (podsOf(b.profiles) > podsOf(a.profiles) ? b : a));
    const pods = podsOf(largest.profiles);
    const hash = hashOfKind(largest.terms, largest.answers, kind.role);
    const isTaken = this.#find(hash, largest.terms, largest.answers, kind.role) !== undefined;
    const stays = pods >= kind.size - podsOf([...concerned]) && (!isTaken || (isWhole && pods > fewPods));
    const moving = parts.filter((part) => !stays || part !== largest);
    if (stays) {
      const profiles = isWhole ? [] : membersOf(kind.profiles).filter((profile) => !concerned.has(profile));
      if (profiles.length > 0) moving.push({ terms: kind.terms, answers: kind.answers, profiles });
      this.#become(kind, largest.terms, largest.answers);
      if (!keepsSubjects) this.stale.add(kind);
    }
    // All of them first: the old kind may go with its last profile.
    const targets = moving.map((part) => this.obtain(part.terms, part.answers, kind.role, keepsSubjects ? kind : null));
    moving.forEach((part, i) => {
      for (const profile of part.profiles) this.move(profile, targets[i] as Kind);
    });
  }

  move(profile: Profile, to: Kind): void {
    const from = profile.kind;
    if (from === to) return;
    this.join(to, profile);
    profile.kind = to;
    this.#onMove(profile);
    this.leave(from, profile);
  }

  #find(hash: number, terms: readonly Term[], answers: PortAnswers, role: Role): Kind | undefined {
    return this.#byHash.find(
      hash,
      (kind) => kind.answers === answers && kind.role === role && areEqual(kind.terms, terms),
    );
  }

  #become(kind: Kind, terms: readonly Term[], answers: PortAnswers): void {
    if (kind.isListed) this.#byHash.delete(kind);
    const before = kind.terms;
    kind.hash = hashOfKind(terms, answers, kind.role);
    kind.isListed = this.#find(kind.hash, terms, answers, kind.role) === undefined;
    if (before !== terms) {
      // Both are sorted, so what is in one of them alone shows up as they are walked together.
      for (let i = 0, j = 0; i < before.length || j < terms.length; ) {
        const [old, next] = [before[i], terms[j]];
        if (old === next) {
          i++;
          j++;
        } else if (next === undefined || (old !== undefined && old.number < next.number)) {
          i++;
          if (old) old.kinds = withoutMember(old.kinds, kind);
        } else {
          j++;
          next.kinds = withMember(next.kinds, kind);
        }
      }
      this.#lists.remove(kind.start, before.length);
      kind.terms = terms;
      this.#writeTerms(kind);
    }
    if (kind.answers !== answers) {
      kind.answers = answers;
      this.#writeAnswers(kind);
    }
    if (kind.isListed) this.#byHash.add(kind);
  }

  #writeTerms(kind: Kind): void {
    kind.start = this.#lists.add(kind.terms.map((term) => term.number));
    const at = kind.number * kindWords;
    this.#words.set(at + KindField.terms, kind.start);
    this.#words.set(at + KindField.termCount, kind.terms.length);
  }

  #writeAnswers(kind: Kind): void {
    const at = kind.number * kindWords;
    this.#words.set(at + KindField.namedPorts, kind.answers.start);
    this.#words.set(at + KindField.namedPortCount, kind.answers.pairs.length / 2);
  }
}
