/**
 * The addresses of this node's pods, and which of them somebody has: a pod of the inventory, wherever it runs, or this
 * host (NP-64).
 */
import type { InventoryChange, KubernetesChange } from "../../model/inventory-change.ts";
import type { Pod } from "../../model/kubernetes.ts";
import { noPodRangeChange, type PodRangeChange } from "../../model/pod-range.ts";
import { type Address, addressKey } from "../../net/address.ts";
import { containsAddress, formatPrefix, type Prefix } from "../../net/prefix.ts";

export interface PodRangeOptions {
  /** The range; where there is none, the Node's. */
  readonly prefixes: readonly Prefix[];
  readonly nodeName: string | null;
  /** All pods as they are now: for a range that is another. */
  readonly pods: () => Iterable<Pod>;
}

export class PodRangeMembers {
  readonly #options: PodRangeOptions;
  #prefixes: readonly Prefix[] = [];
  readonly #pods = new Map<string, Address>();
  readonly #host = new Map<string, Address>();
  #hostAddresses: readonly Address[] = [];
  #isFirst = true;

  constructor(options: PodRangeOptions) {
    this.#options = options;
  }

  get hasRange(): boolean {
    return this.#prefixes.length > 0;
  }

  update(changes: readonly InventoryChange[]): PodRangeChange {
    const host = changes.findLast(({ kubernetes }) => kubernetes.hostAddresses !== null)?.kubernetes.hostAddresses;
    if (host) this.#hostAddresses = host;
    const prefixes = this.#newPrefixes(changes);
    this.#isFirst = false;
    if (prefixes !== null) this.#prefixes = prefixes;
    if (this.#prefixes.length === 0) return noPodRangeChange;
    const concerned = prefixes === null && !host ? changes.flatMap(addressesOf) : "all";
    const before = this.#known(concerned);
    if (prefixes === null) for (const { kubernetes } of changes) this.#follow(kubernetes);
    else
      this.#refill(
        this.#pods,
        [...this.#options.pods()].flatMap(({ addresses }) => addresses),
      );
    this.#refill(this.#host, this.#hostAddresses);
    const after = this.#known(concerned);
    return { prefixes, known: { added: lacking(before, after), removed: lacking(after, before) } };
  }

  /** Null: they are what they were. A Node that says none, or is gone, changes nothing. */
  #newPrefixes(changes: readonly InventoryChange[]): readonly Prefix[] | null {
    const { prefixes: given, nodeName } = this.#options;
    if (given.length > 0) return this.#isFirst ? given : null;
    let said: readonly Prefix[] = [];
    for (const { kubernetes } of changes) {
      for (const { after } of kubernetes.nodes) if (after !== null && after.name === nodeName) said = after.podRanges;
    }
    const isSame = said.map(formatPrefix).join() === this.#prefixes.map(formatPrefix).join();
    return said.length === 0 || isSame ? null : said;
  }

  /** Of the addresses, those that somebody has. */
  #known(concerned: readonly Address[] | "all"): ReadonlyMap<string, Address> {
    if (concerned === "all") return new Map([...this.#pods, ...this.#host]);
    const keyed = concerned.map((address) => [addressKey(address), address] as const);
    return new Map(keyed.filter(([key]) => this.#pods.has(key) || this.#host.has(key)));
  }

  /** An address that one pod leaves and another has, in one change, stays. */
  #follow({ pods }: KubernetesChange): void {
    for (const { before } of pods)
      for (const address of before?.addresses ?? []) this.#pods.delete(addressKey(address));
    for (const { after } of pods) {
      for (const address of after?.addresses ?? []) {
        if (this.#isInside(address)) this.#pods.set(addressKey(address), address);
      }
    }
  }

  #refill(members: Map<string, Address>, addresses: readonly Address[]): void {
    members.clear();
    for (const address of addresses) if (this.#isInside(address)) members.set(addressKey(address), address);
  }

  #isInside(address: Address): boolean {
    return this.#prefixes.some((prefix) => containsAddress(prefix, address));
  }
}

function addressesOf({ kubernetes: { pods } }: InventoryChange): readonly Address[] {
  return pods.flatMap(({ before, after }) => [...(before?.addresses ?? []), ...(after?.addresses ?? [])]);
}

/** What the second one has and the first one lacks. */
function lacking(first: ReadonlyMap<string, Address>, second: ReadonlyMap<string, Address>): readonly Address[] {
  return [...second].filter(([key]) => !first.has(key)).map(([, address]) => address);
}
