/**
 * Nodes: which of them the selectors of admin policies mean (AN-24), and whose address an address is, so that a pod's own
 * node is known (NP-56, NP-57, AN-60). A node's addresses are its object's, its pods' `hostIPs`, its `hostNetwork` pods'
 * (NP-59), and all addresses of this host for a node that has one of them.
 */
import { isSelectable, type Node, type Pod } from "../../model/kubernetes.ts";
import { type Selector, selects } from "../../model/selector.ts";
import { type Address, addressKey, equalAddresses, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { AddressIndex } from "./address-index.ts";
import type { Affected } from "./affected.ts";
import type { Kind, Kinds } from "./kinds.ts";
import type { Term } from "./namespaces.ts";
import type { PortNames } from "./port-names.ts";
import { selectorKey } from "./selector-index.ts";

/** A node, or the host of pods that name none. */
export interface Host {
  readonly number: number;
  /** Its node's object and its pods. */
  members: number;
  /** Pods that have it as their own node. */
  pods: number;
  /** Addresses that it's known by, and how often they were said. */
  readonly known: { readonly address: Address; count: number }[];
  isThisMachine: boolean;
}

interface NodeAddress {
  readonly address: Address;
  readonly hosts: Map<Host, number>;
  /** Nodes whose object lists it. */
  readonly nodes: Set<NodeRecord>;
  kind: Kind | null;
  start: number;
  length: number;
}

interface NodeRecord {
  readonly node: Node;
  readonly terms: Set<Term>;
}

export class Nodes {
  readonly #addresses: AddressIndex;
  readonly #lists: PagedLists;
  readonly #kinds: Kinds;
  readonly #ports: PortNames;
  readonly #affected: Affected;
  readonly #termNumbers: FreeNumbers;
  readonly #hostNumbers = new FreeNumbers(1);
  readonly #hosts = new Map<string, Host>();
  readonly #byAddress = new Map<string, NodeAddress>();
  readonly #records = new Map<Node, NodeRecord>();
  readonly #terms = new Map<string, Term>();
  /** This machine's addresses, by key. */
  #machine = new Map<string, Address>();
  /** Addresses whose hosts, or whose nodes' terms, are others. */
  readonly #staleHosts = new Set<NodeAddress>();
  readonly #staleKinds = new Set<NodeAddress>();
  /** Numbers that are free once no kind has them. */
  #goneTerms: number[] = [];

  constructor(
    addresses: AddressIndex,
    lists: PagedLists,
    kinds: Kinds,
    ports: PortNames,
    affected: Affected,
    termNumbers: FreeNumbers,
  ) {
    this.#addresses = addresses;
    this.#lists = lists;
    this.#kinds = kinds;
    this.#ports = ports;
    this.#affected = affected;
    this.#termNumbers = termNumbers;
  }

  /** To be given back by `releaseTerm`. */
  acquireTerm(selector: Selector): Term {
    const key = selectorKey(selector);
    let term = this.#terms.get(key);
    if (!term) {
      const number = this.#termNumbers.take();
      term = { number, scope: null, isOfNodes: true, selector, uses: 0, kinds: null, subjects: null };
      this.#terms.set(key, term);
      for (const record of this.#records.values()) {
        if (!selects(selector, record.node.labels)) continue;
        record.terms.add(term);
        this.#expireKinds(record);
      }
    }
    term.uses++;
    return term;
  }

  releaseTerm(term: Term): void {
    if (--term.uses > 0) return;
    this.#terms.delete(selectorKey(term.selector));
    for (const record of this.#records.values()) {
      if (record.terms.delete(term)) this.#expireKinds(record);
    }
    this.#goneTerms.push(term.number);
  }

  /** What comes is learnt before what goes is forgotten, so that what stays isn't touched. */
  changeNode(before: Node | null, after: Node | null): void {
    const old = before ? this.#records.get(before) : undefined;
    const terms = after ? [...this.#terms.values()].filter((term) => selects(term.selector, after.labels)) : [];
    if (after) this.#addNode({ node: after, terms: new Set(terms) });
    if (old) this.#removeNode(old);
    const isSame =
      old !== undefined &&
      after !== null &&
      old.terms.size === terms.length &&
      terms.every((term) => old.terms.has(term)) &&
      areSame(old.node.addresses, after.addresses);
    if (isSame) return;
    this.#affected.addAll(old?.node.addresses ?? []);
    this.#affected.addAll(after?.addresses ?? []);
  }

  #addNode(record: NodeRecord): void {
    const { node } = record;
    this.#records.set(node, record);
    this.#learn(this.#join(hostKey(node.name, [])), node.addresses, true);
    for (const address of node.addresses) {
      if (address.family !== Family.none) this.#obtain(address).nodes.add(record);
    }
    this.#expireKinds(record);
  }

  #removeNode(record: NodeRecord): void {
    const { node } = record;
    this.#records.delete(node);
    this.#expireKinds(record);
    for (const address of node.addresses) this.#byAddress.get(addressKey(address))?.nodes.delete(record);
    const key = hostKey(node.name, []);
    const host = this.#hosts.get(key);
    if (!host) return;
    this.#unlearn(host, node.addresses, true);
    this.#leave(host, key);
  }

  /** Says what a pod says of its node; the host that it has as its own, or null. */
  join(pod: Pod): Host | null {
    if (pod.nodeName === null && pod.hostAddresses.length === 0) return null;
    const host = this.#join(hostKey(pod.nodeName, pod.hostAddresses));
    this.#learn(host, pod.hostAddresses, true);
    if (pod.hostNetwork) this.#learn(host, pod.addresses, false);
    if (!isSelectable(pod)) return null;
    host.pods++;
    return host;
  }

  leave(pod: Pod): void {
    const key = hostKey(pod.nodeName, pod.hostAddresses);
    const host = this.#hosts.get(key);
    if (!host || (pod.nodeName === null && pod.hostAddresses.length === 0)) return;
    if (isSelectable(pod)) host.pods--;
    if (pod.hostNetwork) this.#unlearn(host, pod.addresses, false);
    this.#unlearn(host, pod.hostAddresses, true);
    this.#leave(host, key);
  }

  setMachine(addresses: readonly Address[]): void {
    const before = [...this.#machine.values()];
    for (const host of this.#hosts.values()) if (host.isThisMachine) for (const a of before) this.#forget(host, a);
    this.#machine = new Map(addresses.map((address) => [addressKey(address), address]));
    for (const host of this.#hosts.values()) {
      host.isThisMachine = host.known.some(({ address }) => this.#machine.has(addressKey(address)));
      if (host.isThisMachine) for (const address of addresses) this.#note(host, address);
    }
  }

  /** The kind of an address that no pod has (any more). */
  kindOf(address: Address): number {
    return this.#byAddress.get(addressKey(address))?.kind?.number ?? 0;
  }

  settle(): void {
    for (const at of this.#staleHosts) this.#writeHosts(at);
    for (const at of this.#staleKinds) this.#setKind(at);
    for (const at of [...this.#staleHosts, ...this.#staleKinds]) this.#dropIfUnused(at);
    this.#staleHosts.clear();
    this.#staleKinds.clear();
    for (const number of this.#goneTerms) this.#termNumbers.giveBack(number);
    this.#goneTerms = [];
  }

  #setKind(at: NodeAddress): void {
    const terms = [...new Set([...at.nodes].flatMap((record) => [...record.terms]))];
    terms.sort((a, b) => a.number - b.number);
    const kind = terms.length === 0 ? null : this.#kinds.obtain(terms, this.#ports.none, false);
    const before = at.kind;
    if (kind === before) return;
    if (kind) kind.size++;
    at.kind = kind;
    // A pod's address is the pod's, whatever a Node object says of it (AN-24).
    if (this.#addresses.ownerOf(at.address) < 0) this.#addresses.setKind(at.address, kind?.number ?? 0);
    if (!before) return;
    before.size--;
    this.#kinds.dropIfUnused(before);
  }

  #writeHosts(at: NodeAddress): void {
    this.#lists.remove(at.start, at.length);
    const numbers = [...at.hosts.keys()].map(({ number }) => number);
    const list = numbers.length < 2 ? [] : [numbers.length, ...numbers];
    at.start = this.#lists.add(list);
    at.length = list.length;
    this.#addresses.setNodes(at.address, numbers.length < 2 ? (numbers[0] ?? 0) : -at.start);
  }

  #expireKinds({ node }: NodeRecord): void {
    for (const address of node.addresses) {
      if (address.family !== Family.none) this.#staleKinds.add(this.#obtain(address));
    }
  }

  #obtain(address: Address): NodeAddress {
    const key = addressKey(address);
    let at = this.#byAddress.get(key);
    if (!at) {
      at = { address, hosts: new Map(), nodes: new Set(), kind: null, start: 0, length: 0 };
      this.#byAddress.set(key, at);
    }
    return at;
  }

  #dropIfUnused(at: NodeAddress): void {
    if (at.hosts.size === 0 && at.nodes.size === 0 && at.kind === null) this.#byAddress.delete(addressKey(at.address));
  }

  #join(key: string): Host {
    let host = this.#hosts.get(key);
    if (!host) {
      host = { number: this.#hostNumbers.take(), members: 0, pods: 0, known: [], isThisMachine: false };
      this.#hosts.set(key, host);
    }
    host.members++;
    return host;
  }

  #leave(host: Host, key: string): void {
    if (--host.members > 0) return;
    if (host.isThisMachine) for (const address of this.#machine.values()) this.#forget(host, address);
    this.#hosts.delete(key);
    this.#hostNumbers.giveBack(host.number);
  }

  /** `isOwn`: this address makes the host known. */
  #learn(host: Host, addresses: readonly Address[], isOwn: boolean): void {
    for (const address of addresses) {
      if (address.family === Family.none) continue;
      if (!isOwn) {
        this.#note(host, address);
        continue;
      }
      const known = host.known.find((one) => equalAddresses(one.address, address));
      if (known) {
        known.count++;
        continue;
      }
      host.known.push({ address, count: 1 });
      this.#note(host, address);
      if (host.isThisMachine || !this.#machine.has(addressKey(address))) continue;
      host.isThisMachine = true;
      for (const machine of this.#machine.values()) this.#note(host, machine);
    }
  }

  #unlearn(host: Host, addresses: readonly Address[], isOwn: boolean): void {
    for (const address of addresses) {
      if (address.family === Family.none) continue;
      if (!isOwn) {
        this.#forget(host, address);
        continue;
      }
      const at = host.known.findIndex((one) => equalAddresses(one.address, address));
      const known = host.known[at];
      if (!known || --known.count > 0) continue;
      host.known.splice(at, 1);
      this.#forget(host, address);
      if (!host.isThisMachine || host.known.some((one) => this.#machine.has(addressKey(one.address)))) continue;
      host.isThisMachine = false;
      for (const machine of this.#machine.values()) this.#forget(host, machine);
    }
  }

  #note(host: Host, address: Address): void {
    const at = this.#obtain(address);
    const count = at.hosts.get(host) ?? 0;
    at.hosts.set(host, count + 1);
    if (count === 0) this.#expireHosts(at, host);
  }

  #forget(host: Host, address: Address): void {
    const at = this.#byAddress.get(addressKey(address));
    const count = at?.hosts.get(host);
    if (!at || count === undefined) return;
    if (count > 1) at.hosts.set(host, count - 1);
    else at.hosts.delete(host);
    if (count === 1) this.#expireHosts(at, host);
  }

  /** Only flows between the address and the host's pods may be judged otherwise. */
  #expireHosts(at: NodeAddress, host: Host): void {
    this.#staleHosts.add(at);
    if (host.pods > 0) this.#affected.add(at.address);
  }
}

function hostKey(nodeName: string | null, addresses: readonly Address[]): string {
  return nodeName === null ? `host ${addresses.map(addressKey)}` : `node ${nodeName}`;
}

function areSame(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address, i) => equalAddresses(address, b[i] as Address));
}
