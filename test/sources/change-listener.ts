/** Somebody who hears of changes alone, and holds each of them against what it knows. */
import { expect } from "vitest";
import type { Inventory } from "../../src/model/inventory.ts";
import type { Change, InventoryChange } from "../../src/model/inventory-change.ts";
import { saysTheSame } from "../../src/sources/same.ts";

export class ChangeListener {
  readonly #objects = new Map<string, object>();
  ec2: Inventory["ec2"] | null = null;

  hear({ ec2, kubernetes }: InventoryChange): void {
    if (ec2) this.ec2 = ec2;
    const { hostAddresses: _, names: __, ...lists } = kubernetes;
    for (const [list, changes] of Object.entries(lists)) this.#hear(list, changes);
  }

  #hear(list: string, changes: readonly Change<{ readonly origin: { readonly name: string } }>[]): void {
    for (const { before, after } of changes) {
      const name = `${list} ${(before ?? after)?.origin.name}`;
      expect(this.#objects.get(name) ?? null).toBe(before);
      expect(before === null || after === null || !saysTheSame(before, after)).toBe(true);
      expect(before === null && after === null).toBe(false);
      if (after) this.#objects.set(name, after);
      else this.#objects.delete(name);
    }
  }

  expectToKnow({ kubernetes }: Inventory): void {
    const all = Object.entries(kubernetes).flatMap(([list, objects]) =>
      (objects as readonly { origin: { name: string } }[]).map((o) => [`${list} ${o.origin.name}`, o] as const),
    );
    expect([...this.#objects.keys()].sort()).toEqual(all.map(([name]) => name).sort());
    for (const [name, object] of all) expect(saysTheSame(this.#objects.get(name) ?? {}, object)).toBe(true);
  }
}
