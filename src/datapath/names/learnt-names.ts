/**
 * What DNS told each subject, and until when (AN-30). To know an address again costs nothing but its new end; what comes and
 * goes is told as changes. Bounded by name, by subject and in all: what was told longest ago makes room.
 */
import { canonicalName, visitPatterns } from "../../model/domain-name.ts";
import type { NameChange } from "../../model/inventory-change.ts";
import { type Address, addressKey } from "../../net/address.ts";
import type { DnsAnswer } from "../../net/dns-message.ts";

export interface LearntLimits {
  readonly addressesOfName: number;
  readonly addressesOfSubject: number;
  readonly addresses: number;
  /** Of times to live, in seconds. */
  readonly shortest: number;
  readonly longest: number;
}

export const learntLimits: LearntLimits = {
  addressesOfName: 256,
  addressesOfSubject: 4096,
  addresses: 131_072,
  shortest: 5,
  longest: 7 * 24 * 3600,
};

interface Entry {
  readonly key: string;
  readonly subject: Address;
  readonly name: string;
  readonly address: Address;
  readonly groups: readonly Map<string, Entry>[];
  /** The number of the batch of changes that tells of it. */
  readonly batch: number;
  endMs: number;
}

export class LearntNames {
  readonly #limits: LearntLimits;
  #patterns: ReadonlySet<string> = new Set();
  /** All, those of a subject, and those of a subject's name; in the order in which they were told last. */
  readonly #all = new Map<string, Entry>();
  readonly #ofSubject = new Map<string, Map<string, Entry>>();
  readonly #ofName = new Map<string, Map<string, Entry>>();
  /** By second: what may end then. Where an end was put off, it's looked at again. */
  readonly #ends = new Map<number, Entry[]>();
  #second = 0;
  #changes: NameChange[] = [];
  #batch = 1;
  #evicted = 0;

  constructor(limits: LearntLimits = learntLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Addresses that had to make room. */
  get evicted(): number {
    return this.#evicted;
  }

  usePatterns(patterns: readonly string[]): void {
    this.#patterns = new Set(patterns.map(canonicalName));
  }

  /** Whether some rule means the name. */
  isMeant(name: string): boolean {
    let isMeant = false;
    visitPatterns(name, (pattern) => {
      isMeant ||= this.#patterns.has(pattern);
    });
    return isMeant;
  }

  /** Whether something of it isn't known yet. */
  isNews(subject: Address, { name, addresses }: DnsAnswer): boolean {
    return addresses.some((address) => !this.#all.has(entryKey(subject, name, address)));
  }

  /** The number of the batch of changes that must be in force for all that the answer says to count. */
  learn(subject: Address, { name, addresses, ttlSeconds }: DnsAnswer, nowMs: number): number {
    const { shortest, longest } = this.#limits;
    const endMs = nowMs + Math.min(longest, Math.max(shortest, ttlSeconds)) * 1000;
    let batch = 0;
    for (const address of addresses) batch = Math.max(batch, this.#learn(subject, name, address, endMs));
    return batch;
  }

  /** To be called about once a second: what has ended since. */
  expire(nowMs: number): void {
    const last = Math.floor(nowMs / 1000);
    if (this.#second === 0) this.#second = last;
    for (; this.#second < last; this.#second++) {
      const due = this.#ends.get(this.#second);
      this.#ends.delete(this.#second);
      for (const entry of due ?? []) {
        if (this.#all.get(entry.key) !== entry) continue;
        if (entry.endMs < (this.#second + 1) * 1000) this.#drop(entry);
        else this.#endsAt(entry);
      }
    }
  }

  /** These addresses are somebody else's now. */
  forget(subjects: readonly Address[]): void {
    for (const subject of subjects) {
      for (const entry of [...(this.#ofSubject.get(addressKey(subject))?.values() ?? [])]) this.#drop(entry);
    }
  }

  /** What has changed since the last time, with its number; null: nothing. */
  takeChanges(): { readonly batch: number; readonly changes: readonly NameChange[] } | null {
    if (this.#changes.length === 0) return null;
    const taken = { batch: this.#batch++, changes: this.#changes };
    this.#changes = [];
    return taken;
  }

  #learn(subject: Address, name: string, address: Address, endMs: number): number {
    const subjectKey = addressKey(subject);
    const nameKey = `${subjectKey} ${name}`;
    const key = entryKey(subject, name, address);
    const known = this.#all.get(key);
    if (known) {
      known.endMs = Math.max(known.endMs, endMs);
      for (const group of known.groups) {
        group.delete(key);
        group.set(key, known);
      }
      return known.batch;
    }
    const { addressesOfName, addressesOfSubject, addresses } = this.#limits;
    const groups = [obtain(this.#ofName, nameKey), obtain(this.#ofSubject, subjectKey), this.#all];
    const limits = [addressesOfName, addressesOfSubject, addresses];
    const entry: Entry = { key, subject, name, address, groups, batch: this.#batch, endMs };
    groups.forEach((group, i) => {
      group.set(key, entry);
      if (group.size > (limits[i] as number)) this.#evictFirst(group);
    });
    this.#endsAt(entry);
    this.#changes.push({ subject, name, address, isLearnt: true });
    return entry.batch;
  }

  #evictFirst(group: ReadonlyMap<string, Entry>): void {
    for (const oldest of group.values()) {
      this.#evicted++;
      this.#drop(oldest);
      return;
    }
  }

  #drop(entry: Entry): void {
    const { key, subject, name, address } = entry;
    for (const group of entry.groups) group.delete(key);
    const subjectKey = addressKey(subject);
    if (this.#ofSubject.get(subjectKey)?.size === 0) this.#ofSubject.delete(subjectKey);
    const nameKey = `${subjectKey} ${name}`;
    if (this.#ofName.get(nameKey)?.size === 0) this.#ofName.delete(nameKey);
    this.#changes.push({ subject, name, address, isLearnt: false });
  }

  #endsAt(entry: Entry): void {
    const second = Math.floor(entry.endMs / 1000);
    const list = this.#ends.get(second);
    if (list) list.push(entry);
    else this.#ends.set(second, [entry]);
  }
}

function entryKey(subject: Address, name: string, address: Address): string {
  return `${addressKey(subject)} ${name} ${addressKey(address)}`;
}

function obtain(groups: Map<string, Map<string, Entry>>, key: string): Map<string, Entry> {
  const group = groups.get(key) ?? new Map<string, Entry>();
  groups.set(key, group);
  return group;
}
