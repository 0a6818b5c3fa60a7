/**
 * Kinds of addresses: those of pods that the same terms select and that answer alike to the names of ports, and those of
 * nodes that the same terms select. Pods of one namespace with the same labels, as far as any term there asks for them,
 * and the same ports are a profile; a kind has the profiles that come to the same.
 *
 * A term that comes or goes changes kinds where they are, if it concerns all of a kind's pods, and splits or joins them
 * otherwise; it's the fewer pods that move.
 */
import type { Labels } from "../../model/labels.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import type { Group } from "./groups.ts";
import type { NamespaceRecord, Term } from "./namespaces.ts";
import type { PortAnswers, PortShape } from "./port-names.ts";
import { KindField, kindWords } from "./tables.ts";

export interface Profile {
  readonly namespace: NamespaceRecord;
  readonly key: string;
  /** Those that terms may ask for. */
  readonly labels: Labels;
  readonly shape: PortShape;
  kind: Kind;
  /** Numbers of pods. */
  readonly pods: number[];
}

export interface Kind {
  readonly number: number;
  readonly isPod: boolean;
  /** Sorted by number. */
  terms: readonly Term[];
  answers: PortAnswers;
  key: string;
  /** The one that is found by its key; others that came to mean the same die out. */
  isListed: boolean;
  /** Where its terms are in `lists`. */
  start: number;
  readonly profiles: Set<Profile>;
  /** Pods of its profiles, or addresses of nodes. */
  size: number;
  /** By tier and direction. */
  readonly groups: (Group | null)[];
  /** As readers knew it last: whether some group restricts it. */
  wasCaptured: boolean;
}

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
  readonly #byKey = new Map<string, Kind>();
  /** Every kind of pods. */
  readonly ofPods = new Set<Kind>();
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
    return this.#byKey.size;
  }

  /** The kind of these terms, sorted by number. `like` is one with the same subjects, if there is one. */
  obtain(terms: readonly Term[], answers: PortAnswers, isPod: boolean, like: Kind | null = null): Kind {
    const key = keyOf(terms, answers, isPod);
    const known = this.#byKey.get(key);
    if (known) return known;
    const kind: Kind = {
      number: this.#numbers.take(),
      isPod,
      terms,
      answers,
      key,
      isListed: true,
      start: 0,
      profiles: new Set(),
      size: 0,
      groups: [null, null, null, null, null, null],
      wasCaptured: false,
    };
    this.#byKey.set(key, kind);
    for (const term of terms) term.kinds.add(kind);
    if (isPod) {
      this.ofPods.add(kind);
      like?.groups.forEach((group, i) => {
        kind.groups[i] = group;
        if (group) group.kinds++;
        // Pods that move are looked at one by one.
        kind.wasCaptured ||= group !== null;
      });
      if (like === null || this.stale.has(like)) this.stale.add(kind);
    }
    const at = kind.number * kindWords;
    this.#words.reserve(at + kindWords);
    this.#words.set(at + KindField.isPod, isPod ? 1 : 0);
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
    this.regrouped.add(kind);
    this.#words.set(kind.number * kindWords + KindField.groups + field, group?.number ?? 0);
  }

  #loosen(group: Group): void {
    group.kinds--;
    this.loosened.add(group);
  }

  join(kind: Kind, profile: Profile): void {
    kind.profiles.add(profile);
    kind.size += profile.pods.length;
  }

  leave(kind: Kind, profile: Profile): void {
    kind.profiles.delete(profile);
    kind.size -= profile.pods.length;
    this.dropIfUnused(kind);
  }

  /** Kinds of nodes have no profiles, only a size. */
  dropIfUnused(kind: Kind): void {
    if (kind.profiles.size > 0 || kind.size > 0) return;
    if (kind.isListed) this.#byKey.delete(kind.key);
    for (const term of kind.terms) term.kinds.delete(kind);
    this.#lists.remove(kind.start, kind.terms.length);
    this.ofPods.delete(kind);
    this.stale.delete(kind);
    for (const group of kind.groups) if (group) this.#loosen(group);
    this.regrouped.delete(kind);
    this.#numbers.giveBack(kind.number);
  }

  /** A term that no kind has yet selects these profiles. */
  addTerm(term: Term, profiles: readonly Profile[]): void {
    for (const [kind, concerned] of groupByKind(profiles)) {
      const terms = withTerm(kind.terms, term);
      this.change(kind, [{ terms, answers: kind.answers, profiles: concerned }], true);
    }
  }

  /** A term that is nobody's subject any more goes. */
  removeTerm(term: Term): void {
    for (const kind of [...term.kinds]) {
      const terms = kind.terms.filter((other) => other !== term);
      this.change(kind, [{ terms, answers: kind.answers, profiles: [...kind.profiles] }], true);
    }
  }

  /** Parts of a kind become others. `keepsSubjects`: no policy begins or ceases to select them by that. */
  change(kind: Kind, parts: readonly Part[], keepsSubjects: boolean): void {
    const concerned = new Set(parts.flatMap((part) => part.profiles));
    const isWhole = concerned.size === kind.profiles.size;
    const largest = parts.reduce((a, b) => (podsOf(b.profiles) > podsOf(a.profiles) ? b : a));
    const pods = podsOf(largest.profiles);
    const isTaken = this.#byKey.has(keyOf(largest.terms, largest.answers, true));
    const stays = pods >= kind.size - podsOf([...concerned]) && (!isTaken || (isWhole && pods > fewPods));
    const moving = parts.filter((part) => !stays || part !== largest);
    if (stays) {
      const profiles = isWhole ? [] : [...kind.profiles].filter((profile) => !concerned.has(profile));
      if (profiles.length > 0) moving.push({ terms: kind.terms, answers: kind.answers, profiles });
      this.#become(kind, largest.terms, largest.answers);
      if (!keepsSubjects) this.stale.add(kind);
    }
    // All of them first: the old kind may go with its last profile.
    const targets = moving.map((part) => this.obtain(part.terms, part.answers, true, keepsSubjects ? kind : null));
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

  #become(kind: Kind, terms: readonly Term[], answers: PortAnswers): void {
    if (kind.isListed) this.#byKey.delete(kind.key);
    const before = kind.terms;
    kind.key = keyOf(terms, answers, kind.isPod);
    kind.isListed = !this.#byKey.has(kind.key);
    if (kind.isListed) this.#byKey.set(kind.key, kind);
    if (before !== terms) {
      const kept = new Set(terms);
      for (const term of before) if (!kept.delete(term)) term.kinds.delete(kind);
      for (const term of kept) term.kinds.add(kind);
      this.#lists.remove(kind.start, before.length);
      kind.terms = terms;
      this.#writeTerms(kind);
    }
    if (kind.answers !== answers) {
      kind.answers = answers;
      this.#writeAnswers(kind);
    }
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

export function groupByKind(profiles: readonly Profile[]): Map<Kind, Profile[]> {
  const groups = new Map<Kind, Profile[]>();
  for (const profile of profiles) {
    const list = groups.get(profile.kind);
    if (list) list.push(profile);
    else groups.set(profile.kind, [profile]);
  }
  return groups;
}

function keyOf(terms: readonly Term[], answers: PortAnswers, isPod: boolean): string {
  let key = isPod ? `${answers.number}` : "n";
  for (const { number } of terms) key += ` ${number}`;
  return key;
}

function withTerm(terms: readonly Term[], term: Term): Term[] {
  const at = terms.findIndex((other) => other.number > term.number);
  return at < 0 ? [...terms, term] : [...terms.slice(0, at), term, ...terms.slice(at)];
}

function podsOf(profiles: readonly Profile[]): number {
  let pods = 0;
  for (const profile of profiles) pods += profile.pods.length;
  return pods;
}
