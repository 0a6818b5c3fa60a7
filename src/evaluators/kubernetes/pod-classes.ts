/**
 * The classes of addresses that a list of policies can tell apart, and what each class stands for: which pod terms
 * select it, which prefixes contain it, which named ports it has, which node selectors name it.
 */
import { isSelectable, type KubernetesInventory, type Pod } from "../../model/kubernetes.ts";
import { selects } from "../../model/selector.ts";
import { type Address, addressKey } from "../../net/address.ts";
import { type AddressClassesData, buildAddressClasses } from "../../net/address-classes.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import { createPodMatcher } from "./match-pods.ts";
import type { PeerTerm, PodTerm, PolicyTerm, RuleTerm } from "./terms.ts";

/** One container port with a name that some policy uses. */
export interface NamedPort {
  readonly name: string;
  readonly protocol: number;
  readonly port: number;
}

/** Classes are in ascending order in every list. */
export interface PodClasses {
  readonly data: AddressClassesData;
  readonly count: number;
  readonly isPod: Uint8Array;
  /** By class: the policies, as indexes, whose subject it is; ascending. */
  readonly policies: readonly (readonly number[])[];
  /** By class: its named ports. */
  readonly namedPorts: readonly (readonly NamedPort[])[];
  /** The classes that a peer stands for. */
  classesOf(peer: PeerTerm): readonly number[];
}

interface Known {
  readonly pods: readonly number[];
  readonly ports: readonly NamedPort[];
  readonly nodes: readonly number[];
  readonly isPod: boolean;
}

type NodePeer = Extract<PeerTerm, { kind: "nodes" }>;

const none: readonly never[] = [];

export function buildPodClasses(policies: readonly PolicyTerm[], kubernetes: KubernetesInventory): PodClasses {
  const rules = policies.flatMap((policy) => policy.rules.flatMap((list) => list ?? none));
  const peers = rules.flatMap((rule) => rule.peers ?? none);
  const pods = new Interner<PodTerm>((term) => JSON.stringify([term.namespaces, term.pods]));
  const prefixes = new Interner<Prefix>(formatPrefix);
  const nodes = new Interner<NodePeer>((peer) => JSON.stringify(peer.nodes));
  for (const policy of policies) pods.add(policy.subject);
  for (const peer of peers) {
    if (peer.kind === "pods") pods.add(peer.pods);
    else if (peer.kind === "nodes") nodes.add(peer);
    else for (const prefix of [peer.prefix, ...peer.except]) prefixes.add(prefix);
  }

  const kinds = new Map<string, Known>();
  const onNodes = nodeAddresses(kubernetes, nodes.items);
  const known = onNodes.map(({ address, nodes: members }): [Address, string] => {
    const key = `node ${members}`;
    kinds.set(key, { pods: none, ports: none, nodes: members, isPod: false });
    return [address, key];
  });
  // Later ones count: a pod's address is the pod's, whatever a Node object says of it (AN-24).
  const match = createPodMatcher(pods.items, kubernetes);
  const portsOf = createPortReader(rules);
  for (const pod of kubernetes.pods) {
    if (!isSelectable(pod)) continue;
    const matched = match(pod);
    const ports = portsOf(pod);
    const key = `pod ${matched} ${ports.map(portKey)}`;
    if (!kinds.has(key)) kinds.set(key, { pods: matched, ports, nodes: none, isPod: true });
    for (const address of pod.addresses) known.push([address, key]);
  }

  const { data, classes } = buildAddressClasses(known, prefixes.items);
  const kindOf = classes.map(({ key }) => (key === null ? null : (kinds.get(key) ?? null)));
  const byPods = invert(kindOf.map((kind) => kind?.pods ?? none));
  const byNodes = invert(kindOf.map((kind) => kind?.nodes ?? none));
  const byPrefix = invert(classes.map((c) => c.prefixes));
  const policiesOfTerm = invert(policies.map((policy) => [pods.indexOf(policy.subject)]));
  const isPod = Uint8Array.from(kindOf, (kind) => (kind?.isPod ? 1 : 0));
  return {
    data,
    count: classes.length,
    isPod,
    policies: kindOf.map((kind) =>
      (kind?.pods ?? none).flatMap((term) => policiesOfTerm[term] ?? none).sort((a, b) => a - b),
    ),
    namedPorts: kindOf.map((kind) => kind?.ports ?? none),
    classesOf(peer) {
      if (peer.kind === "pods") return byPods[pods.indexOf(peer.pods)] ?? none;
      if (peer.kind === "nodes") return byNodes[nodes.indexOf(peer)] ?? none;
      const outside = new Set(peer.except.flatMap((prefix) => byPrefix[prefixes.indexOf(prefix)] ?? none));
      const inside = byPrefix[prefixes.indexOf(peer.prefix)] ?? none;
      return inside.filter((c) => !outside.has(c) && (peer.matchesPods || isPod[c] === 0));
    },
  };
}

/** The addresses of nodes that some peer selects, with those peers' indexes. */
function nodeAddresses(kubernetes: KubernetesInventory, peers: readonly NodePeer[]) {
  const found = new Map<string, { readonly address: Address; nodes: readonly number[] }>();
  for (const node of peers.length === 0 ? [] : kubernetes.nodes) {
    const chosen = peers.flatMap((peer, i) => (selects(peer.nodes, node.labels) ? [i] : []));
    for (const address of chosen.length === 0 ? [] : node.addresses) {
      const entry = found.get(addressKey(address)) ?? { address, nodes: none };
      entry.nodes = [...new Set([...entry.nodes, ...chosen])].sort((a, b) => a - b);
      found.set(addressKey(address), entry);
    }
  }
  return [...found.values()];
}

export function portKey({ name, protocol, port }: NamedPort): string {
  return `${name}/${protocol}/${port}`;
}

/** A pod's ports whose names some rule uses; sorted, each once. */
function createPortReader(rules: readonly RuleTerm[]): (pod: Pod) => readonly NamedPort[] {
  const used = new Set(rules.flatMap((rule) => rule.ports ?? none).flatMap((port) => port.name ?? none));
  return (pod) => {
    if (used.size === 0 || pod.ports.length === 0) return none;
    const found = new Map<string, NamedPort>();
    for (const { name, protocol, port } of pod.ports) {
      if (name === null || !used.has(name)) continue;
      const named = { name, protocol, port };
      found.set(portKey(named), named);
    }
    return [...found.keys()].sort().map((key) => found.get(key) as NamedPort);
  };
}

/** Lists of numbers turned round: for each number, the indexes of the lists that hold it. */
function invert(lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const inverted: number[][] = [];
  lists.forEach((list, i) => {
    for (const member of list) {
      const owners = inverted[member];
      if (owners) owners.push(i);
      else inverted[member] = [i];
    }
  });
  return inverted;
}

/** Equal values share a number. */
class Interner<T> {
  readonly items: T[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #keyOf: (item: T) => string;

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf;
  }

  add(item: T): number {
    const key = this.#keyOf(item);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.items.length;
      this.#numbers.set(key, number);
      this.items.push(item);
    }
    return number;
  }

  /** -1 for one that was never added. */
  indexOf(item: T): number {
    return this.#numbers.get(this.#keyOf(item)) ?? -1;
  }
}
