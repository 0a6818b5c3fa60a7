/**
 * Lists of numbers in paged words: each lies in one piece and is known by where it starts. What is freed is used again by
 * a list of about the same length, so that lists that come and go take no more room in the end.
 */
import type { PagedWords } from "./paged-words.ts";

export class PagedLists {
  readonly #words: PagedWords;
  /** By capacity. */
  readonly #free = new Map<number, number[]>();
  /** 0 is no list. */
  #end = 1;

  constructor(words: PagedWords) {
    this.#words = words;
    words.reserve(1);
  }

  /** Where the list starts; 0 for an empty one. */
  add(list: ArrayLike<number>): number {
    if (list.length === 0) return 0;
    const capacity = capacityOf(list.length);
    let start = this.#free.get(capacity)?.pop();
    if (start === undefined) {
      start = this.#end;
      this.#end += capacity;
      this.#words.reserve(this.#end);
    }
    for (let i = 0; i < list.length; i++) this.#words.set(start + i, list[i] as number);
    return start;
  }

  remove(start: number, length: number): void {
    if (start === 0) return;
    const capacity = capacityOf(length);
    const free = this.#free.get(capacity);
    if (free) free.push(start);
    else this.#free.set(capacity, [start]);
  }
}

/** The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, …: a third is wasted at most. */
function capacityOf(length: number): number {
  const power = 1 << (32 - Math.clz32(length - 1));
  if (length <= 1) return 1;
  return length <= (power >>> 2) * 3 ? (power >>> 2) * 3 : power;
}
