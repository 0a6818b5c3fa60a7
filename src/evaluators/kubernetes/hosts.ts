/**
 * Whose address an address is, so that a pod's own node is known (NP-56, NP-57, AN-60). A node's addresses are its object's,
 * its pods' `hostIPs`, its `hostNetwork` pods' (NP-59), and all addresses of this machine for the node that it is: a probe from
 * the kubelet carries the address of the interface that it leaves by, which no Node object lists. Which node this machine is
 * says its name, or, where nobody told it, that it has one of the node's addresses.
 */
import { isSelectable, type Pod } from "../../model/kubernetes.ts";
import { type Address, addressKey, equalAddresses, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { AddressIndex } from "./address-index.ts";
import type { Affected } from "./affected.ts";

/** A node, or the host of pods that name none. */
export interface Host {
  readonly number: number;
  /** Its node's object and its pods. */
  members: number;
  /** Pods that have it as their own node. */
  pods: number;
  /** Addresses that it's known by, and how often they were said. */
  readonly known: { readonly address: Address; count: number }[];
  /** It has the name that this machine was told to be its own. */
  readonly isNamed: boolean;
  isThisMachine: boolean;
}

interface HostAddress {
  readonly address: Address;
  /** How often each has it. */
  readonly hosts: Map<Host, number>;
  /** Where they are in `lists`, if they are several. */
  start: number;
  length: number;
}

export class Hosts {
  readonly #addresses: AddressIndex;
  readonly #lists: PagedLists;
  readonly #affected: Affected;
  readonly #machineName: string | null;
  readonly #numbers = new FreeNumbers(1);
  readonly #ofNodes = new Map<string, Host>();
  /** Of pods that name no node, by the addresses that they tell. */
  readonly #ofAddresses = new Map<string, Host>();
  readonly #byAddress = new Map<string, HostAddress>();
  /** By key. */
  #machine = new Map<string, Address>();
  readonly #stale = new Set<HostAddress>();

  constructor(addresses: AddressIndex, lists: PagedLists, affected: Affected, machineName: string | null) {
    this.#addresses = addresses;
    this.#lists = lists;
    this.#affected = affected;
    this.#machineName = machineName;
  }

  joinNode(name: string, addresses: readonly Address[]): void {
    this.#learn(this.#join(this.#ofNodes, name), addresses, true);
  }

  leaveNode(name: string, addresses: readonly Address[]): void {
    const host = this.#ofNodes.get(name);
    if (!host) return;
    this.#unlearn(host, addresses, true);
    this.#leave(this.#ofNodes, name, host);
  }

  /** Says what a pod says of its node; the host that it has as its own, or null. */
  joinPod(pod: Pod): Host | null {
    const place = this.#placeOf(pod);
    if (place === null) return null;
    const host = this.#join(place.hosts, place.key);
    this.#learn(host, pod.hostAddresses, true);
    if (pod.hostNetwork) this.#learn(host, pod.addresses, false);
    if (!isSelectable(pod)) return null;
    host.pods++;
    return host;
  }

  leavePod(pod: Pod): void {
    const place = this.#placeOf(pod);
    const host = place?.hosts.get(place.key);
    if (!place || !host) return;
    if (isSelectable(pod)) host.pods--;
    if (pod.hostNetwork) this.#unlearn(host, pod.addresses, false);
    this.#unlearn(host, pod.hostAddresses, true);
    this.#leave(place.hosts, place.key, host);
  }

  setMachine(addresses: readonly Address[]): void {
    const all = [...this.#ofNodes.values(), ...this.#ofAddresses.values()];
    const before = [...this.#machine.values()];
    this.#machine = new Map(addresses.map((address) => [addressKey(address), address]));
    for (const host of all) {
      const was = host.isThisMachine;
      host.isThisMachine = this.#isThisMachine(host);
      // What stays isn't touched.
      if (host.isThisMachine) for (const address of addresses) this.#note(host, address);
      if (was) for (const address of before) this.#forget(host, address);
    }
  }

  /** Writes what has changed. */
  settle(): void {
    for (const at of this.#stale) {
      this.#lists.remove(at.start, at.length);
      const numbers = [...at.hosts.keys()].map(({ number }) => number);
      const list = numbers.length < 2 ? [] : [numbers.length, ...numbers];
      at.start = this.#lists.add(list);
      at.length = list.length;
      this.#addresses.setNodes(at.address, numbers.length < 2 ? (numbers[0] ?? 0) : -at.start);
      if (numbers.length === 0) this.#byAddress.delete(addressKey(at.address));
    }
    this.#stale.clear();
  }

  #placeOf({ nodeName, hostAddresses }: Pod): { readonly hosts: Map<string, Host>; readonly key: string } | null {
    if (nodeName !== null) return { hosts: this.#ofNodes, key: nodeName };
    if (hostAddresses.length === 0) return null;
    return { hosts: this.#ofAddresses, key: hostAddresses.map(addressKey).join() };
  }

  #join(hosts: Map<string, Host>, key: string): Host {
    let host = hosts.get(key);
    if (!host) {
      const isNamed = hosts === this.#ofNodes && key === this.#machineName;
      host = { number: this.#numbers.take(), members: 0, pods: 0, known: [], isNamed, isThisMachine: isNamed };
      hosts.set(key, host);
      if (isNamed) for (const address of this.#machine.values()) this.#note(host, address);
    }
    host.members++;
    return host;
  }

  #leave(hosts: Map<string, Host>, key: string, host: Host): void {
    if (--host.members > 0) return;
    hosts.delete(key);
    if (host.isThisMachine) for (const address of this.#machine.values()) this.#forget(host, address);
    this.#numbers.giveBack(host.number);
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
      if (host.isThisMachine || !this.#isThisMachine(host)) continue;
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
      if (!host.isThisMachine || this.#isThisMachine(host)) continue;
      host.isThisMachine = false;
      for (const machine of this.#machine.values()) this.#forget(host, machine);
    }
  }

  #isThisMachine({ isNamed, known }: Host): boolean {
    if (this.#machineName !== null) return isNamed;
    return known.some(({ address }) => this.#machine.has(addressKey(address)));
  }

  #note(host: Host, address: Address): void {
    const key = addressKey(address);
    const at = this.#byAddress.get(key) ?? { address, hosts: new Map(), start: 0, length: 0 };
    this.#byAddress.set(key, at);
    const count = at.hosts.get(host) ?? 0;
    at.hosts.set(host, count + 1);
    if (count === 0) this.#expire(at, host);
  }

  #forget(host: Host, address: Address): void {
    const at = this.#byAddress.get(addressKey(address));
    const count = at?.hosts.get(host);
    if (!at || count === undefined) return;
    if (count > 1) at.hosts.set(host, count - 1);
    else at.hosts.delete(host);
    if (count === 1) this.#expire(at, host);
  }

  /** Only flows between the address and the host's pods may be judged otherwise. */
  #expire(at: HostAddress, host: Host): void {
    this.#stale.add(at);
    if (host.pods > 0) this.#affected.add(at.address);
  }
}
