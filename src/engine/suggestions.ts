/** Names of an inventory's endpoints that somebody may have meant who wrote one that it doesn't have. */
import type { Inventory } from "../model/inventory.ts";
import { nearestOf } from "../model/nearest.ts";

/** Each search walks all names: a file of a million wrong ones isn't searched for each. */
const searches = 100;
const longest = 300;

export class Suggestions {
  readonly #inventory: Inventory;
  #names: ReadonlySet<string> | null = null;
  #left = searches;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  /** The same name in another namespace or of another kind, up to three; else the one that is spelt most like it. */
  find(text: string): readonly string[] {
    if (text === "" || text.length > longest || this.#left-- <= 0) return [];
    this.#names ??= namesOf(this.#inventory);
    const name = text.slice(text.indexOf(":") + 1);
    if (name !== text && this.#names.has(name)) return [name];
    const ending = `/${name.slice(name.lastIndexOf("/") + 1)}`;
    const namesakes = [...this.#names].filter((one) => one.endsWith(ending));
    if (ending !== "/" && namesakes.length > 0) return namesakes.slice(0, 3);
    const nearest = nearestOf(name, this.#names);
    return nearest === null ? [] : [nearest];
  }
}

function namesOf({ ec2, kubernetes }: Inventory): ReadonlySet<string> {
  return new Set([
    ...ec2.interfaces.flatMap(({ id, instanceId }) => (instanceId === null ? [id] : [instanceId, id])),
    ...kubernetes.pods.flatMap(({ namespace, name, owner }) =>
      owner === null ? [`${namespace}/${name}`] : [`${namespace}/${owner.name}`, `${namespace}/${name}`],
    ),
  ]);
}
