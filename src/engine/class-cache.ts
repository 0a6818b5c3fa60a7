/**
 * Address → what every evaluator of the program makes of it, found with one probe. The tuple of an address's classes is
 * a number of its own, its joint class: no evaluator tells two addresses of one joint class apart by their classes.
 *
 * Bounded, and it allocates nothing once it is made. It never is the authority: what it doesn't know, and what doesn't
 * fit, is asked of the evaluators. A program's entries bear its stamp, so that a change of programs forgets them all.
 */
import type { CompiledEvaluator } from "../model/evaluator.ts";
import type { Address } from "../net/address.ts";
import type { Program } from "./program.ts";

/** Stamp, family, four words, joint class; two entries to a cache line. */
const ENTRY = 8;
const NONE = -1;

export class ClassCache {
  readonly #entries: Int32Array;
  readonly #entryMask: number;
  /** The joint classes' tuples, one after the other. */
  readonly #tuples: Uint32Array;
  /** Stamp and joint class by hash of the tuple, at most half full. */
  readonly #numbers: Int32Array;
  readonly #numberMask: number;
  #most = 0;
  /** Those that have a way of their own to class addresses, one column of a tuple each. */
  #classifiers: readonly CompiledEvaluator[] = [];
  /** The column of each evaluator: those that share a `classOf` share a column. */
  #columns: readonly number[] = [];
  #stamp = 0;
  #count = 0;
  #isFull = false;

  /** Both powers of two; with tuples of more than eight there is room for fewer classes. */
  constructor({ addresses, classes }: { readonly addresses: number; readonly classes: number }) {
    this.#entries = new Int32Array(addresses * ENTRY);
    this.#entryMask = addresses - 1;
    this.#tuples = new Uint32Array(classes * 8);
    this.#numbers = new Int32Array(classes * 4);
    this.#numberMask = classes * 2 - 1;
  }

  /** There was no room for a class. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** `forget` must follow. */
  useProgram({ evaluators }: Program): void {
    const all = evaluators.map(({ compiled }) => compiled);
    this.#classifiers = all.filter((a, i) => all.findIndex((b) => b.classOf === a.classOf) === i);
    this.#columns = all.map((a) => this.#classifiers.findIndex((b) => b.classOf === a.classOf));
    // One place behind the last one holds what is looked for.
    const room = Math.floor(this.#tuples.length / Math.max(1, this.#classifiers.length)) - 1;
    this.#most = Math.min(room, this.#numbers.length / 4);
  }

  /** What bears another stamp isn't there. */
  forget(stamp: number): void {
    this.#stamp = stamp;
    this.#count = 0;
    this.#isFull = false;
  }

  /** For stamps that begin again. */
  clear(): void {
    this.#entries.fill(0);
    this.#numbers.fill(0);
  }

  /** The class that the evaluator with this index gives the addresses of a joint class. */
  classAt(joint: number, evaluator: number): number {
    return this.#tuples[joint * this.#classifiers.length + (this.#columns[evaluator] as number)] as number;
  }

  /** The joint class of an address; -1 where it can't be remembered. Throws what an evaluator throws. */
  find(address: Address): number {
    const { family, w0, w1, w2, w3 } = address;
    const entries = this.#entries;
    const stamp = this.#stamp;
    const a = w0 | 0;
    const b = w1 | 0;
    const c = w2 | 0;
    const d = w3 | 0;
    const first = (hashAddress(a, b, c, d) & this.#entryMask) * ENTRY;
    // The other place is its neighbour, in the same cache line.
    for (let way = 0; way < 2; way++) {
      const at = first ^ (way * ENTRY);
      if (
        entries[at + 5] === d &&
        entries[at] === stamp &&
        entries[at + 4] === c &&
        entries[at + 3] === b &&
        entries[at + 2] === a &&
        entries[at + 1] === family
      ) {
        return entries[at + 6] as number;
      }
    }
    const joint = this.#intern(address);
    if (joint === NONE) return NONE;
    // The newer one of two is searched first.
    if (entries[first] === stamp) entries.copyWithin(first ^ ENTRY, first, first + ENTRY);
    entries[first] = stamp;
    entries[first + 1] = family;
    entries[first + 2] = a;
    entries[first + 3] = b;
    entries[first + 4] = c;
    entries[first + 5] = d;
    entries[first + 6] = joint;
    return joint;
  }

  #intern(address: Address): number {
    const classifiers = this.#classifiers;
    const width = classifiers.length;
    const tuples = this.#tuples;
    const base = this.#count * width;
    let hash = width;
    for (let i = 0; i < width; i++) {
      const found = (classifiers[i] as CompiledEvaluator).classOf(address);
      tuples[base + i] = found;
      // A class that isn't a whole number of 32 bits can't be told from another one here.
      if (tuples[base + i] !== found) return NONE;
      hash = Math.imul(hash ^ found, 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & this.#numberMask;
    const numbers = this.#numbers;
    const stamp = this.#stamp;
    while (numbers[slot * 2] === stamp) {
      const joint = numbers[slot * 2 + 1] as number;
      if (isEqualTuple(tuples, joint * width, base, width)) return joint;
      slot = (slot + 1) & this.#numberMask;
    }
    if (this.#count >= this.#most) {
      this.#isFull = true;
      return NONE;
    }
    const joint = this.#count++;
    numbers[slot * 2] = stamp;
    numbers[slot * 2 + 1] = joint;
    return joint;
  }
}

function isEqualTuple(tuples: Uint32Array, a: number, b: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (tuples[a + i] !== tuples[b + i]) return false;
  return true;
}

/** Neighbours in one subnet go to different places, whatever their upper words. */
function hashAddress(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x27d4eb2f), 0x85ebca6b);
  h = Math.imul(d ^ h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 15);
}
