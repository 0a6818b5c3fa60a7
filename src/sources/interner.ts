/**
 * One copy of what many objects say: labels, ports, owners, selectors, names of namespaces and nodes. Bounded: what
 * falls into an occupied slot takes it, and is merely kept twice then. Pure.
 */

/** A power of two. */
const SLOTS = 1 << 16;
/** Longer texts are seldom said twice. */
const MAX_TEXT = 128;
/** Shorter ones are never part of another one in memory. */
const MIN_PART = 13;

export class Interner {
  readonly #texts: string[] = new Array(SLOTS);
  readonly #values: object[] = new Array(SLOTS);
  /** Of what was shared last. */
  #hash = 0;

  text(text: string): string {
    this.#hash = hashText(text);
    if (text.length > MAX_TEXT) return ownText(text);
    const slot = this.#hash & (SLOTS - 1);
    const known = this.#texts[slot];
    if (known === text) return known;
    const own = ownText(text);
    this.#texts[slot] = own;
    return own;
  }

  /** For data that nobody will change: the copy shares all parts that are known. */
  value<T>(value: T): T {
    return this.#share(value) as T;
  }

  #share(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null) {
      this.#hash = typeof value === "number" ? value | 0 : value === true ? 1 : 2;
      return value;
    }
    const copy = Array.isArray(value) ? this.#shareElements(value) : this.#shareFields(value);
    const slot = (this.#hash ^ (this.#hash >>> 16)) & (SLOTS - 1);
    const known = this.#values[slot];
    if (known !== undefined && isSame(known, copy)) return known;
    this.#values[slot] = copy;
    return copy;
  }

  #shareElements(elements: readonly unknown[]): unknown[] {
    let hash = 17;
    // Of the exact length: a list that was pushed together has room for more.
    const copy = elements.map((element) => {
      const shared = this.#share(element);
      hash = mix(hash, this.#hash);
      return shared;
    });
    this.#hash = hash;
    return copy;
  }

  #shareFields(object: object): object {
    let hash = 19;
    const copy: Record<string, unknown> = { ...object };
    for (const key in copy) {
      const shared = this.#share(copy[key]);
      hash = mix(mix(hash, hashText(key)), this.#hash);
      // A label may have any name: this one wouldn't be set as one.
      if (key !== "__proto__") copy[key] = shared;
    }
    this.#hash = hash;
    return copy;
  }
}

/** In memory of its own: part of a file's text would keep all of it. */
export function ownText(text: string): string {
  return text.length < MIN_PART ? text : [text.slice(0, 1), text.slice(1)].join("");
}

/** The parts are shared already, so that one level tells, almost always. */
function isSame(a: object, b: object): boolean {
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => Object.is(one, b[i]));
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  let others = 0;
  for (const key in left) {
    if (!Object.hasOwn(right, key) || !Object.is(left[key], right[key])) return false;
    others++;
  }
  for (const _ in right) others--;
  return others === 0;
}

function hashText(text: string): number {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return hash;
}

function mix(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x5bd1e995) ^ (hash >>> 15);
}
