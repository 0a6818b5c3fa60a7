/**
 * Services, which are no endpoints: a packet to one is judged as it arrives at one of its pods, after DNAT and with that
 * pod's own port (NP-50, NP-51). A verdict about a Service's address would be one about a packet that nobody sees.
 */
import type { Inventory } from "../model/inventory.ts";
import type { Pod, Service } from "../model/kubernetes.ts";
import { type Address, addressKey } from "../net/address.ts";

/** Pods that are named. */
const SHOWN = 3;

export class ServiceNames {
  readonly #inventory: Inventory;
  readonly #byAddress = new Map<string, Service>();
  readonly #byName = new Map<string, Service>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    for (const service of inventory.kubernetes.services) {
      this.#byName.set(`${service.namespace}/${service.name}`, service);
      for (const address of service.addresses) this.#byAddress.set(addressKey(address), service);
    }
  }

  /** `Service:namespace/name`, or without the kind. */
  named(text: string): Service | null {
    return this.#byName.get(text.startsWith("Service:") ? text.slice("Service:".length) : text) ?? null;
  }

  /** The Service whose address it is, where it's nobody else's. */
  at(address: Address): Service | null {
    const key = addressKey(address);
    const service = this.#byAddress.get(key);
    if (service === undefined) return null;
    const { ec2, kubernetes } = this.#inventory;
    const hasIt = ({ addresses }: { readonly addresses: readonly Address[] }): boolean =>
      addresses.some((one) => addressKey(one) === key);
    return ec2.interfaces.some(hasIt) || kubernetes.nodes.some(hasIt) || kubernetes.pods.some(hasIt) ? null : service;
  }

  /** What to ask for in place of `text`, which means this Service. */
  remedy(text: string, service: Service): string {
    const name = `Service:${service.namespace}/${service.name}`;
    const what = text === name ? `${name} is a Service` : `${text} is ${name}`;
    const pods = this.#podsOf(service);
    const why = "packets to it are judged when they arrive at one of its pods";
    if (pods.length === 0) return `${what}, ${why}, and the input has none; name an endpoint behind it`;
    const names = pods.slice(0, SHOWN).map((pod) => `${pod.kind}:${pod.namespace}/${pod.name}`);
    const more = pods.length > SHOWN ? " …" : "";
    return `${what}, ${why}: name one of them and its own port, via service (${names.join(", ")}${more})`;
  }

  #podsOf({ namespace, selector }: Service): readonly Pod[] {
    // A Service without one has endpoints that somebody else writes.
    const labels = Object.entries(selector ?? {});
    if (labels.length === 0) return [];
    return this.#inventory.kubernetes.pods.filter(
      (pod) =>
        pod.namespace === namespace &&
        pod.addresses.length > 0 &&
        labels.every(([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value),
    );
  }
}
