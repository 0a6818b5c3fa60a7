/** Nodes that the selectors of admin policies mean (AN-24), and the kinds of their addresses. */
import type { Node } from "../../model/kubernetes.ts";
import { type Selector, selects } from "../../model/selector.ts";
import { type Address, addressKey, equalAddresses, Family } from "../../net/address.ts";
import type { FreeNumbers } from "../../net/free-numbers.ts";
import type { AddressIndex } from "./address-index.ts";
import type { Affected } from "./affected.ts";
import type { Hosts } from "./hosts.ts";
import { type Kind, Role } from "./kind.ts";
import type { Kinds } from "./kinds.ts";
import type { Term } from "./namespaces.ts";
import type { PortNames } from "./port-names.ts";
import { selectorKey } from "./selector-index.ts";

interface NodeRecord {
  readonly node: Node;
  readonly terms: Set<Term>;
}

interface NodeAddress {
  readonly address: Address;
  /** Those whose object lists it. */
  readonly nodes: Set<NodeRecord>;
  kind: Kind | null;
}

export interface NodeParts {
  readonly addresses: AddressIndex;
  readonly kinds: Kinds;
  readonly ports: PortNames;
  readonly hosts: Hosts;
  readonly affected: Affected;
  readonly termNumbers: FreeNumbers;
}

export class Nodes {
  readonly #parts: NodeParts;
  readonly #byAddress = new Map<string, NodeAddress>();
  readonly #records = new Map<Node, NodeRecord>();
  readonly #terms = new Map<string, Term>();
  /** Addresses whose nodes, or whose nodes' terms, are others. */
  readonly #stale = new Set<NodeAddress>();
  /** Numbers that are free once no kind has them. */
  #goneTerms: number[] = [];

  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  /** To be given back by `releaseTerm`. */
  acquireTerm(selector: Selector): Term {
    const key = selectorKey(selector);
    let term = this.#terms.get(key);
    if (!term) {
      const number = this.#parts.termNumbers.take();
      term = { number, scope: null, isOfNodes: true, selector, uses: 0, kinds: null, subjects: null };
      this.#terms.set(key, term);
      for (const record of this.#records.values()) {
        if (!selects(selector, record.node.labels)) continue;
        record.terms.add(term);
        this.#expire(record);
      }
    }
    term.uses++;
    return term;
  }

  releaseTerm(term: Term): void {
    if (--term.uses > 0) return;
    this.#terms.delete(selectorKey(term.selector));
    for (const record of this.#records.values()) {
      if (record.terms.delete(term)) this.#expire(record);
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
    this.#parts.affected.addAll(old?.node.addresses ?? []);
    this.#parts.affected.addAll(after?.addresses ?? []);
  }

  #addNode(record: NodeRecord): void {
    const { node } = record;
    this.#records.set(node, record);
    this.#parts.hosts.joinNode(node.name, node.addresses);
    for (const address of node.addresses) {
      if (address.family !== Family.none) this.#obtain(address).nodes.add(record);
    }
    this.#expire(record);
  }

  #removeNode(record: NodeRecord): void {
    const { node } = record;
    this.#records.delete(node);
    this.#expire(record);
    for (const address of node.addresses) this.#byAddress.get(addressKey(address))?.nodes.delete(record);
    this.#parts.hosts.leaveNode(node.name, node.addresses);
  }

  /** The kind of an address that no pod has (any more). */
  kindOf(address: Address): number {
    return this.#byAddress.get(addressKey(address))?.kind?.number ?? 0;
  }

  /** Brings the kinds of addresses up to date. */
  settle(): void {
    for (const at of this.#stale) {
      this.#setKind(at);
      if (at.nodes.size === 0) this.#byAddress.delete(addressKey(at.address));
    }
    this.#stale.clear();
    for (const number of this.#goneTerms) this.#parts.termNumbers.giveBack(number);
    this.#goneTerms = [];
  }

  #setKind(at: NodeAddress): void {
    const { addresses, kinds, ports } = this.#parts;
    const terms = [...new Set([...at.nodes].flatMap((record) => [...record.terms]))];
    terms.sort((a, b) => a.number - b.number);
    const kind = terms.length === 0 ? null : kinds.obtain(terms, ports.none, Role.node);
    const before = at.kind;
    if (kind === before) return;
    if (kind) kind.size++;
    at.kind = kind;
    // A pod's address is the pod's, whatever a Node object says of it (AN-24).
    if (addresses.ownerOf(at.address) < 0) addresses.setKind(at.address, kind?.number ?? 0);
    if (!before) return;
    before.size--;
    kinds.dropIfUnused(before);
  }

  #expire({ node }: NodeRecord): void {
    for (const address of node.addresses) {
      if (address.family !== Family.none) this.#stale.add(this.#obtain(address));
    }
  }

  #obtain(address: Address): NodeAddress {
    const key = addressKey(address);
    const at = this.#byAddress.get(key) ?? { address, nodes: new Set(), kind: null };
    this.#byAddress.set(key, at);
    return at;
  }
}

function areSame(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address, i) => equalAddresses(address, b[i] as Address));
}
