/** Endpoints in people's words: what the input calls an address, and what it lacks. */
import type { Inventory } from "../model/inventory.ts";
import { isSelectable, type Node, type Pod } from "../model/kubernetes.ts";
import { type Address, addressKey, Family, formatAddress } from "../net/address.ts";
import { containsAddress } from "../net/prefix.ts";

/** The names of one inventory's addresses. */
export class EndpointNames {
  readonly #names = new Map<string, string>();
  readonly #pods = new Map<string, Pod>();
  /** Pods without an address, because another has the one that they claim (NP-66). */
  readonly #lost = new Map<string, { readonly name: string; readonly address: Address }>();
  readonly #publicOf = new Map<string, { readonly name: string; readonly address: Address | undefined }>();
  readonly #nodes: readonly Node[];

  constructor({ ec2, kubernetes }: Inventory) {
    for (const { id, instanceId, isRunning, addresses, publicAddresses } of ec2.interfaces) {
      if (!isRunning) continue;
      const name = instanceId ?? id;
      for (const address of addresses) this.#add(address, name);
      for (const address of publicAddresses) this.#publicOf.set(addressKey(address), { name, address: addresses[0] });
    }
    this.#nodes = kubernetes.nodes;
    for (const { name, addresses } of kubernetes.nodes) {
      for (const address of addresses) this.#add(address, `node ${name}`);
    }
    for (const pod of kubernetes.pods) {
      const { addresses, lostAddresses } = pod;
      const name = `${pod.kind.toLowerCase()} ${pod.namespace}/${pod.name}`;
      for (const address of addresses) {
        this.#add(address, name);
        if (isSelectable(pod)) this.#pods.set(addressKey(address), pod);
      }
      const [own, lost] = [addresses[0], lostAddresses?.[0]];
      if (own?.family === Family.none && lost) this.#lost.set(addressKey(own), { name, address: lost });
    }
  }

  isKnown(address: Address): boolean {
    return this.#names.has(addressKey(address));
  }

  /** `i-0a1b (10.0.1.4)` where the user said either of them; `reference` is what the user said. */
  nameOf(reference: string, address: Address): string {
    const name = this.#names.get(addressKey(address));
    const text = address.family === Family.none ? null : formatAddress(address);
    if (text === null) return reference;
    // The user wrote the address, perhaps in another spelling.
    if (/^[\d.]+$|:.*:/.test(reference)) return name === undefined ? text : `${text} (${name})`;
    return `${reference} (${text})`;
  }

  /** The pod or workload that policies select by this address. */
  readonly podAt = (address: Address): Pod | null => this.#pods.get(addressKey(address)) ?? null;

  /** Why a verdict about this address may not be what the user wants to know; null where there is nothing to say. */
  caveat(address: Address): string | null {
    const lost = this.#lost.get(addressKey(address));
    if (lost !== undefined) {
      const [text, owner] = [formatAddress(lost.address), this.#names.get(addressKey(lost.address))];
      return `${lost.name} has no address: ${text}, which it claims, is ${owner}'s, and packets of ${text} are judged as that one's. This is what its own policies say.`;
    }
    if (this.isKnown(address)) return null;
    const behind = this.#publicOf.get(addressKey(address));
    if (behind === undefined) return this.#unknownPod(address);
    const inner = behind.address === undefined ? "" : `, ${formatAddress(behind.address)}`;
    return `${formatAddress(address)} is the public address of ${behind.name}; its policies judge the private one${inner}.`;
  }

  /** NP-64, which isn't for a described flow (AN-65). */
  #unknownPod(address: Address): string | null {
    const node = this.#nodes.find(({ podRanges }) => podRanges.some((range) => containsAddress(range, address)));
    if (node === undefined) return null;
    const text = formatAddress(address);
    return `${text} is in the pod range of node ${node.name}, and nobody in the input has it: this is judged as an address outside the cluster. There, run holds packets of it until the pod is known, and drops them otherwise (unknownLocalIp), unless that machine itself has the address.`;
  }

  #add(address: Address, name: string): void {
    const key = addressKey(address);
    const before = this.#names.get(key);
    if (before === name) return;
    this.#names.set(key, before === undefined ? name : `${before}, ${name}`);
  }
}
