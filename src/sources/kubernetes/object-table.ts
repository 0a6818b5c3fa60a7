/**
 * The objects of one list by their names, so that a file that changes costs what it holds. Several files may claim one
 * name: the first in order of path counts. What a claim comes to among all other objects is settled late, once for
 * any number of files.
 *
 * ```
 *  replace (a file's claims) → settle (names that were touched) → commit (what differs from the commit before)
 * ```
 */
import type { Origin, Report } from "../../model/finding.ts";
import type { Change } from "../../model/inventory-change.ts";
import { reportDuplicate } from "../duplicate.ts";
import { saysTheSame } from "../same.ts";

export interface Claim {
  /** Its name is kind, namespace and name: unique in the cluster. */
  readonly origin: Origin;
}

/** What objects come to where it depends on others of their list. */
export interface Settler<T> {
  /** From the names that were touched, with what counted before, to all that may be different now. */
  settle(touched: ReadonlyMap<string, T | null>, winnerOf: (name: string) => T | null): ReadonlyMap<string, T | null>;
  /** What was given up before may be given to others. */
  committed(): void;
}

interface Entry<T> {
  /** The claim that counts; null where the last one went. */
  winner: T | null;
  /** Claims without effect, in order of path and place. */
  others: readonly T[];
  settled: T | null;
  /** As the last commit left it. */
  committed: T | null;
}

const nothing: readonly never[] = [];

export class ObjectTable<T extends Claim> {
  readonly #settler: Settler<T> | null;
  readonly #entries = new Map<string, Entry<T>>();
  /** One object without a list of its own: there may be as many files as objects. */
  readonly #byFile = new Map<string, T | readonly T[]>();
  /** Names that are claimed more than once. */
  readonly #contested = new Set<string>();
  /** Since the last settlement, with what counted then. */
  readonly #touched = new Map<string, T | null>();
  readonly #uncommitted = new Set<string>();
  #size = 0;

  constructor(settler: Settler<T> | null = null) {
    this.#settler = settler;
  }

  get size(): number {
    this.#settle();
    return this.#size;
  }

  /** All of a file's objects, in its order. One that says what it said before stays the object that it was. */
  replace(file: string, objects: readonly T[]): void {
    const before = groupByName(listOf(this.#byFile.get(file)));
    const after = groupByName(objects);
    for (const [name, claims] of after) {
      const old = before.get(name);
      before.delete(name);
      if (old?.length === claims.length && old.every((one, i) => saysTheSame(one, claims[i] ?? one))) {
        after.set(name, old);
      } else this.#claim(name, file, claims);
    }
    for (const name of before.keys()) this.#claim(name, file, nothing);
    const kept = objects.length === 0 ? nothing : [...after.values()].flat();
    if (kept.length === 0) this.#byFile.delete(file);
    else this.#byFile.set(file, kept.length === 1 && kept[0] ? kept[0] : kept);
  }

  /** One object of a source that has no files, by its own name; never of a file that `replace` knows. */
  put(object: T): void {
    const { file, name } = object.origin;
    const known = this.#claimOf(file, name);
    if (!known || !saysTheSame(known, object)) this.#claim(name, file, [object]);
  }

  /** What `put` made. */
  remove(file: string, name: string): void {
    if (this.#claimOf(file, name)) this.#claim(name, file, nothing);
  }

  get(name: string): T | null {
    return this.#entries.get(name)?.winner ?? null;
  }

  /** Of what `put` made, the names. Looks at all objects. */
  *namesOf(file: string): Generator<string> {
    for (const name of this.#entries.keys()) if (this.#claimOf(file, name)) yield name;
  }

  #claimOf(file: string, name: string): T | undefined {
    const entry = this.#entries.get(name);
    if (!entry?.winner) return undefined;
    return entry.winner.origin.file === file ? entry.winner : entry.others.find(({ origin }) => origin.file === file);
  }

  #claim(name: string, file: string, claims: readonly T[]): void {
    let entry = this.#entries.get(name);
    if (!entry) {
      entry = { winner: null, others: nothing, settled: null, committed: null };
      this.#entries.set(name, entry);
    }
    if (!this.#touched.has(name)) this.#touched.set(name, entry.winner);
    const all = entry.winner === null ? [] : [entry.winner, ...entry.others].filter((one) => one.origin.file !== file);
    const place = all.findIndex((one) => one.origin.file > file);
    all.splice(place < 0 ? all.length : place, 0, ...claims);
    entry.winner = all[0] ?? null;
    entry.others = all.length > 1 ? all.slice(1) : nothing;
    if (all.length > 1) this.#contested.add(name);
    else this.#contested.delete(name);
  }

  #settle(): void {
    if (this.#touched.size === 0) return;
    const winnerOf = (name: string): T | null => this.#entries.get(name)?.winner ?? null;
    if (this.#settler) {
      for (const [name, object] of this.#settler.settle(this.#touched, winnerOf)) this.#put(name, object);
    } else for (const name of this.#touched.keys()) this.#put(name, winnerOf(name));
    this.#touched.clear();
  }

  #put(name: string, settled: T | null): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#uncommitted.add(name);
    const old = entry.settled;
    if (old && settled && old.origin.file === settled.origin.file && saysTheSame(old, settled)) return;
    this.#size += (settled === null ? 0 : 1) - (old === null ? 0 : 1);
    entry.settled = settled;
  }

  /** What differs from the commit before. */
  commit(): Change<T>[] {
    this.#settle();
    const changes: Change<T>[] = [];
    for (const name of this.#uncommitted) {
      const entry = this.#entries.get(name);
      if (!entry) continue;
      const { committed: before, settled: after } = entry;
      if (before !== after && !(before && after && saysTheSame(before, after))) {
        changes.push({ before, after });
        entry.committed = after;
      }
      if (after === null) this.#entries.delete(name);
    }
    this.#uncommitted.clear();
    this.#settler?.committed();
    return changes;
  }

  /** What counts now, in no order. */
  *objects(): Generator<T> {
    this.#settle();
    for (const { settled } of this.#entries.values()) if (settled) yield settled;
  }

  /** Each claim that doesn't count, with the one that does. */
  reportDuplicates(report: Report): void {
    for (const name of [...this.#contested].sort()) {
      const entry = this.#entries.get(name);
      for (const other of entry?.others ?? nothing) if (entry?.winner) reportDuplicate(other, entry.winner, report);
    }
  }
}

function listOf<T extends Claim>(claims: T | readonly T[] | undefined): readonly T[] {
  if (claims === undefined) return nothing;
  return Array.isArray(claims) ? claims : [claims as T];
}

function groupByName<T extends Claim>(objects: readonly T[]): Map<string, readonly T[]> {
  const groups = new Map<string, readonly T[]>();
  for (const object of objects) {
    const group = groups.get(object.origin.name);
    groups.set(object.origin.name, group ? [...group, object] : [object]);
  }
  return groups;
}
