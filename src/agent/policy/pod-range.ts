/**
 * The addresses of this node's pods, and which of them somebody has: a pod of the inventory, wherever it runs, this
 * host, or another node (NP-64).
 *
 * Each kind has a watch of its own, so a server may tell of a pod before it tells of its Namespace. Without its labels
 * the pod would be judged as one whose namespace has none: so until then nobody is known to have its addresses.
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
  /** The source whose pods aren't known before their Namespace is: an API server. In files there may be none (NP-25). */
  readonly server: string | null;
  /** All pods as they are now: for a range that is another. */
  readonly pods: () => Iterable<Pod>;
}

export class PodRangeMembers {
  readonly #options: PodRangeOptions;
  #prefixes: readonly Prefix[] = [];
  readonly #pods = new Map<string, Address>();
  /** Those that wait for their Namespace, by the name of their object. */
  readonly #incomplete = new Map<string, Pod>();
  readonly #namespaces = new Set<string>();
  readonly #nodes = new Map<string, readonly Address[]>();
  /** This host's, and the nodes'. */
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
    const areNodesNew = this.#followNodes(changes);
    const completed = this.#followNamespaces(changes);
    const prefixes = this.#newPrefixes(changes);
    this.#isFirst = false;
    if (prefixes !== null) this.#prefixes = prefixes;
    if (this.#prefixes.length === 0) return noPodRangeChange;
    const isAll = prefixes !== null || host || areNodesNew;
    const concerned = isAll ? "all" : [...changes.flatMap(addressesOf), ...completed.flatMap((pod) => pod.addresses)];
    const before = this.#known(concerned);
    if (prefixes === null) {
      for (const { kubernetes } of changes) this.#follow(kubernetes);
      for (const pod of [...this.#incomplete.values()]) this.#add(pod);
    } else {
      this.#pods.clear();
      this.#incomplete.clear();
      for (const pod of this.#options.pods()) this.#add(pod);
    }
    if (isAll) {
      this.#host.clear();
      for (const address of [...this.#hostAddresses, ...[...this.#nodes.values()].flat()]) {
        if (this.#isInside(address)) this.#host.set(addressKey(address), address);
      }
    }
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

  #followNodes(changes: readonly InventoryChange[]): boolean {
    const nodes = changes.flatMap(({ kubernetes }) => kubernetes.nodes);
    for (const { before, after } of nodes) {
      if (before !== null) this.#nodes.delete(before.name);
      if (after !== null) this.#nodes.set(after.name, [...after.addresses, ...after.tunnelAddresses]);
    }
    return nodes.length > 0;
  }

  /** Returns the pods that have been waiting for a Namespace which is known now. One that goes leaves its pods as they are. */
  #followNamespaces(changes: readonly InventoryChange[]): readonly Pod[] {
    const namespaces = changes.flatMap(({ kubernetes }) => kubernetes.namespaces);
    for (const { before, after } of namespaces) {
      if (before !== null) this.#namespaces.delete(before.name);
      if (after !== null) this.#namespaces.add(after.name);
    }
    if (namespaces.length === 0) return [];
    return [...this.#incomplete.values()].filter(({ namespace }) => this.#namespaces.has(namespace));
  }

  /** Of the addresses, those that somebody has. */
  #known(concerned: readonly Address[] | "all"): ReadonlyMap<string, Address> {
    if (concerned === "all") return new Map([...this.#pods, ...this.#host]);
    const keyed = concerned.map((address) => [addressKey(address), address] as const);
    return new Map(keyed.filter(([key]) => this.#pods.has(key) || this.#host.has(key)));
  }

  /** An address that one pod leaves and another has, in one change, stays. */
  #follow({ pods }: KubernetesChange): void {
    for (const { before } of pods) {
      if (before === null || this.#incomplete.delete(before.origin.name)) continue;
      for (const address of before.addresses) this.#pods.delete(addressKey(address));
    }
    for (const { after } of pods) if (after !== null) this.#add(after);
  }

  #add(pod: Pod): void {
    const addresses = pod.addresses.filter((address) => this.#isInside(address));
    if (addresses.length === 0) return;
    if (pod.origin.file === this.#options.server && !this.#namespaces.has(pod.namespace)) {
      this.#incomplete.set(pod.origin.name, pod);
      return;
    }
    this.#incomplete.delete(pod.origin.name);
    for (const address of addresses) this.#pods.set(addressKey(address), address);
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
