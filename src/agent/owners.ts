/**
 * Who has an address, so that what connection tracking remembers of one owner's flows isn't handed to the next one: a
 * flow admitted by one interface's groups says nothing about another's (SG-40).
 */

import type { AddressDelta } from "../model/address-change.ts";
import type { Ec2Inventory } from "../model/ec2.ts";
import type { Change, InventoryChange } from "../model/inventory-change.ts";
import type { Pod } from "../model/kubernetes.ts";
import { type Address, addressKey, addressOfKey } from "../net/address.ts";

/** Owner by address key. */
export type OwnerMap = ReadonlyMap<string, string>;

export class Owners {
  readonly #before: OwnerMap | null;
  /** All pods' flows are held under `npOnChange=new-only` alone. */
  readonly #keepsPods: boolean;
  #interfaces: OwnerMap = new Map();
  readonly #pods = new Map<string, string>();
  readonly #answered = new Set<string>();
  #isFirst = true;

  /** `before`: what an earlier run knew; null where that isn't known. */
  constructor(keepsPods: boolean, before: OwnerMap | null) {
    this.#keepsPods = keepsPods;
    this.#before = before;
  }

  /** The addresses that somebody has after this change who didn't have them before; `all` where that isn't known. */
  update({ ec2, kubernetes }: InventoryChange): readonly Address[] | "all" {
    const old = this.#interfaces;
    const found = new Set<string>();
    if (ec2 !== null) {
      this.#interfaces = interfaceOwners(ec2);
      for (const [key, owner] of this.#interfaces) if (old.get(key) !== owner) found.add(key);
    }
    if (this.#keepsPods) {
      for (const { before } of kubernetes.pods) {
        for (const address of before?.addresses ?? []) this.#pods.delete(addressKey(address));
      }
      for (const { before, after } of kubernetes.pods) {
        const had = new Set(before?.createdAt === after?.createdAt ? before?.addresses.map(addressKey) : []);
        for (const address of after?.addresses ?? []) {
          const key = addressKey(address);
          this.#pods.set(key, `${after?.origin.name}@${after?.createdAt}`);
          if (!had.has(key)) found.add(key);
        }
      }
    }
    if (!this.#isFirst) return [...found].map(addressOfKey);
    this.#isFirst = false;
    const known = this.#before;
    if (known === null) return "all";
    return [...this.entries()].filter(([key, owner]) => known.get(key) !== owner).map(([key]) => addressOfKey(key));
  }

  /**
   * The same for pods that names admit flows of (AN-30): those flows are held whatever the knob says. Who had an address is
   * remembered while no policy names domains for its pod: what it was told stays its own until it's somebody else's. To be
   * called before `update`, which tells of them at the start.
   */
  updateAnswered(
    { added, removed }: AddressDelta,
    pods: readonly Change<Pod>[],
    ownerOf: (address: Address) => string | null,
  ): readonly Address[] {
    if (this.#keepsPods) return [];
    for (const address of removed) this.#answered.delete(addressKey(address));
    for (const address of added) this.#answered.add(addressKey(address));
    if (this.#answered.size === 0 && this.#pods.size === 0) return [];
    const changed = pods.flatMap(({ before, after }) => [...(before?.addresses ?? []), ...(after?.addresses ?? [])]);
    const found = new Map<string, Address>();
    for (const address of [...added, ...changed]) {
      const key = addressKey(address);
      const known = this.#pods.get(key);
      const isAnswered = this.#answered.has(key);
      if (!isAnswered && known === undefined) continue;
      const owner = ownerOf(address);
      if (owner === known) continue;
      if (owner === null || !isAnswered) {
        this.#pods.delete(key);
        continue;
      }
      this.#pods.set(key, owner);
      found.set(key, address);
    }
    return this.#isFirst ? [] : [...found.values()];
  }

  /** Every address that has an owner, interface and pod where it has both. */
  *entries(): Generator<readonly [string, string]> {
    for (const [key, owner] of this.#interfaces) yield [key, `${owner} ${this.#pods.get(key) ?? ""}`];
    for (const [key, owner] of this.#pods) if (!this.#interfaces.has(key)) yield [key, owner];
  }
}

function interfaceOwners({ interfaces }: Ec2Inventory): OwnerMap {
  const owners = new Map<string, string>();
  for (const { id, instanceId, addresses, isRunning } of interfaces) {
    for (const address of isRunning ? addresses : []) {
      const key = addressKey(address);
      const known = owners.get(key);
      const owner = `${id}/${instanceId}`;
      owners.set(key, known === undefined ? owner : `${known} ${owner}`);
    }
  }
  return owners;
}
