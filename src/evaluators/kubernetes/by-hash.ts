/** Objects found by a hash of what they hold; whoever asks compares. Equal hashes are rare. */
export class ByHash<T extends { readonly hash: number }> {
  readonly #found = new Map<number, T | T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(hash: number, isWanted: (one: T) => boolean): T | undefined {
    const found = this.#found.get(hash);
    if (found === undefined) return undefined;
    if (Array.isArray(found)) return found.find(isWanted);
    return isWanted(found) ? found : undefined;
  }

  add(one: T): void {
    const found = this.#found.get(one.hash);
    if (found === undefined) this.#found.set(one.hash, one);
    else this.#found.set(one.hash, Array.isArray(found) ? [...found, one] : [found, one]);
    this.#size++;
  }

  /** While it still has the hash that it was added with. */
  delete(one: T): void {
    const found = this.#found.get(one.hash);
    const rest = Array.isArray(found) ? found.filter((other) => other !== one) : [];
    if (!Array.isArray(found) && found !== one) return;
    if (rest.length === 0) this.#found.delete(one.hash);
    else this.#found.set(one.hash, rest.length === 1 ? (rest[0] as T) : rest);
    this.#size--;
  }
}

/** A number's share in a sum that is the hash of a set: the order of members doesn't matter, and one may be taken out. */
export function hashOf(number: number): number {
  let h = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}

export function areEqual<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
