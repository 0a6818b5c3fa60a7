/** Selectors that may hold for some labels, found through one of the labels that they need. */
import type { Labels } from "../../model/labels.ts";
import type { Selector } from "../../model/selector.ts";

export class SelectorIndex<T extends { readonly selector: Selector }> {
  readonly #byLabel = new Map<string, T[]>();
  /** Those that need no label. */
  readonly #others: T[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    this.#size++;
    for (const place of placesOf(item.selector)) {
      const list = place === null ? this.#others : this.#byLabel.get(place);
      if (list) list.push(item);
      else if (place !== null) this.#byLabel.set(place, [item]);
    }
  }

  remove(item: T): void {
    this.#size--;
    for (const place of placesOf(item.selector)) {
      const list = place === null ? this.#others : (this.#byLabel.get(place) ?? []);
      const at = list.indexOf(item);
      if (at >= 0) list.splice(at, 1);
      if (list.length === 0 && place !== null) this.#byLabel.delete(place);
    }
  }

  /** The item with the same requirements in the same order. */
  find(selector: Selector): T | undefined {
    const place = placesOf(selector)[0] ?? null;
    const list = place === null ? this.#others : this.#byLabel.get(place);
    return list?.find((item) => areSame(item.selector, selector));
  }

  /** Every item whose selector holds, and some more; each once. */
  visitCandidates(labels: Labels, visit: (item: T) => void): void {
    this.#others.forEach(visit);
    if (this.#byLabel.size === 0) return;
    for (const key in labels)
      if (Object.hasOwn(labels, key)) this.#byLabel.get(placeOf(key, labels[key] as string))?.forEach(visit);
  }
}

/** Objects by their labels, to be found by a selector. */
export class LabelIndex<T> {
  readonly #byLabel = new Map<string, Set<T>>();
  readonly #all = new Set<T>();

  add(labels: Labels, item: T): void {
    this.#all.add(item);
    for (const [key, value] of Object.entries(labels)) {
      const place = placeOf(key, value);
      const set = this.#byLabel.get(place);
      if (set) set.add(item);
      else this.#byLabel.set(place, new Set([item]));
    }
  }

  remove(labels: Labels, item: T): void {
    this.#all.delete(item);
    for (const [key, value] of Object.entries(labels)) {
      const place = placeOf(key, value);
      const set = this.#byLabel.get(place);
      set?.delete(item);
      if (set?.size === 0) this.#byLabel.delete(place);
    }
  }

  /** Every object for which the selector holds, and some more; each once. */
  candidates(selector: Selector): readonly T[] {
    const needed = selector.find(({ operator }) => operator === "In");
    if (!needed) return [...this.#all];
    return [...new Set(needed.values)].flatMap((value) => [...(this.#byLabel.get(placeOf(needed.key, value)) ?? [])]);
  }
}

/** Equal for selectors with the same requirements in the same order, and only for those. */
export function selectorKey(selector: Selector): string {
  let key = "";
  for (const { key: label, operator, values } of selector) {
    key += `${operator} ${placeOf(label, "")}${values.length} `;
    for (const value of values) key += placeOf(value, "");
  }
  return key;
}

function areSame(a: Selector, b: Selector): boolean {
  if (a.length !== b.length) return false;
  return a.every((one, i) => {
    const other = b[i];
    return (
      one.key === other?.key &&
      one.operator === other.operator &&
      one.values.length === other.values.length &&
      one.values.every((value, j) => value === other.values[j])
    );
  });
}

function placesOf(selector: Selector): readonly (string | null)[] {
  const needed = selector.find(({ operator }) => operator === "In");
  // Without a value it never holds, and has to be found all the same.
  if (!needed || needed.values.length === 0) return [null];
  if (needed.values.length === 1) return [placeOf(needed.key, needed.values[0] as string)];
  return [...new Set(needed.values)].map((value) => placeOf(needed.key, value));
}

/** No two pairs have the same one, whatever is in them. */
export function placeOf(key: string, value: string): string {
  return `${key.length}:${key}${value}`;
}
