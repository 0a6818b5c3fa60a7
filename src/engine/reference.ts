/**
 * What users call an endpoint → its addresses: an IP address, an instance (`i-…`) or interface (`eni-…`) of EC2,
 * `namespace/name` of a pod or workload, or `Kind:namespace/name`. A name that means nothing, or two things, is an
 * error: a verdict about the wrong endpoint is worse than none. So is a Service, by its name or its address.
 */
import type { NetworkInterface } from "../model/ec2.ts";
import type { Inventory } from "../model/inventory.ts";
import type { Pod, Service } from "../model/kubernetes.ts";
import { indexPodNames, type PodNames } from "../model/pod-names.ts";
import { type Address, parseAddress } from "../net/address.ts";
import { ServiceNames } from "./service-names.ts";
import { Suggestions } from "./suggestions.ts";

/** At least one address: of each family the primary one comes first. */
export interface Referent {
  readonly addresses: readonly Address[];
}

export interface ReferenceProblem {
  readonly code: "unknown-ref" | "ambiguous-ref";
  /** A sentence with the remedy. */
  readonly message: string;
}

/** Referents are remembered up to this many; flows of a capture name few endpoints many times. */
const REMEMBERED = 1 << 16;

/** The names of one inventory. */
export class References {
  readonly #pods: PodNames;
  readonly #interfaces = new Map<string, readonly NetworkInterface[]>();
  readonly #services: ServiceNames;
  readonly #suggestions: Suggestions;
  readonly #found = new Map<string, Referent | ReferenceProblem>();

  constructor(inventory: Inventory) {
    this.#suggestions = new Suggestions(inventory);
    this.#services = new ServiceNames(inventory);
    this.#pods = indexPodNames(inventory.kubernetes.pods);
    for (const networkInterface of inventory.ec2.interfaces) {
      this.#interfaces.set(networkInterface.id, [networkInterface]);
      const { instanceId } = networkInterface;
      if (instanceId === null) continue;
      this.#interfaces.set(instanceId, [...(this.#interfaces.get(instanceId) ?? []), networkInterface]);
    }
  }

  /** Never throws. The same text gives the same object, as long as it is remembered. */
  find(text: string): Referent | ReferenceProblem {
    const known = this.#found.get(text);
    if (known !== undefined) return known;
    const found = this.#resolve(text);
    if (this.#found.size >= REMEMBERED) this.#found.clear();
    this.#found.set(text, found);
    return found;
  }

  #resolve(text: string): Referent | ReferenceProblem {
    const address = parseAddress(text);
    if (address) {
      const service = this.#services.at(address);
      return service === null ? { addresses: [address] } : this.#ofService(text, service);
    }
    const interfaces = this.#interfaces.get(text);
    if (interfaces) return ofInterfaces(text, interfaces);
    const pods = this.#pods(text);
    if (pods.length > 0) return ofPods(text, pods);
    const service = this.#services.named(text);
    if (service !== null) return this.#ofService(text, service);
    const near = this.#suggestions.find(text);
    const question = near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
    return unknown(`nothing is called ${quote(text)}: ${hint(text)}${question}`);
  }

  #ofService(text: string, service: Service): ReferenceProblem {
    return { code: "ambiguous-ref", message: this.#services.remedy(text, service) };
  }
}

export function isProblem(found: Referent | ReferenceProblem): found is ReferenceProblem {
  return "code" in found;
}

/** An instance is its primary interface. */
function ofInterfaces(text: string, interfaces: readonly NetworkInterface[]): Referent | ReferenceProblem {
  const primary = interfaces.filter((i) => i.isPrimary);
  const [first, second] = primary.length > 0 ? primary : interfaces;
  if (!first) return unknown(`nothing is called ${quote(text)}`);
  if (second) {
    const names = interfaces.map((i) => i.id).join(", ");
    return { code: "ambiguous-ref", message: `${text} has no single primary interface: name one of ${names}` };
  }
  // SG-47: no endpoint, and its address may be another's by now.
  if (!first.isRunning) return unknown(`${text} isn't running, so nothing comes from it or reaches it`);
  if (first.addresses.length === 0) return unknown(`${text} has no private address in the input`);
  return { addresses: first.addresses };
}

function ofPods(text: string, [first, ...others]: readonly Pod[]): Referent | ReferenceProblem {
  if (!first) return unknown(`nothing is called ${quote(text)}`);
  if (others.length > 0) {
    const names = [first, ...others].map((pod) =>
      pod.kind === "Pod" && pod.owner && text !== `${pod.namespace}/${pod.name}`
        ? `${pod.owner.kind}:${pod.namespace}/${pod.owner.name}`
        : `${pod.kind}:${pod.namespace}/${pod.name}`,
    );
    return { code: "ambiguous-ref", message: `${text} is the name of ${names.length} things: ${names.join(", ")}` };
  }
  if (first.addresses.length === 0) return unknown(`${text} has ended, so nothing comes from it or reaches it`);
  return { addresses: first.addresses };
}

function unknown(message: string): ReferenceProblem {
  return { code: "unknown-ref", message };
}

function hint(text: string): string {
  if (/^(i|eni)-/.test(text)) return "it is neither an instance nor an interface of the input";
  if (text.includes("/")) return "it is neither a pod nor a workload of the input";
  if (/^[\d.]+$|:.*:/.test(text)) return "it is no IP address";
  return "an endpoint is an IP address, i-…, eni-…, namespace/name or Kind:namespace/name";
}

/** Users' text, one line of it, in a message. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
