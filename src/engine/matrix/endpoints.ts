/**
 * The ends of the flows that are enumerated: running interfaces, pods, and outside addresses that policies speak of.
 * Nodes and `hostNetwork` pods are left out: what reaches them depends on whose node it is (NP-56).
 */
import type { Inventory } from "../../model/inventory.ts";
import { isSelectable, type Pod } from "../../model/kubernetes.ts";
import { type Address, addressKey, formatAddress, parseAddress } from "../../net/address.ts";
import { containsAddress, containsPrefix, formatPrefix, type Prefix } from "../../net/prefix.ts";
import { listMentionedPrefixes } from "./mentions.ts";

export interface Endpoint {
  /** Each once. */
  readonly name: string;
  /** What `explain` calls it. */
  readonly reference: string;
  readonly kind: "instance" | "interface" | "pod" | "outside";
  /** The primary one of each family; or one of family `none`. */
  readonly addresses: readonly Address[];
  /** The interface whose addresses include a pod's: within it nothing is filtered (SG-90). */
  readonly interfaceId: string | null;
  /** It stands for what nobody has of a prefix that holds endpoints or networks of the inventory. */
  readonly isRest: boolean;
}

/**
 * `apart`: outside prefixes that hold nothing of the inventory. `all`: every prefix that a policy names, by an address
 * of it that nobody has.
 */
export type OutsidePrefixes = "apart" | "all";

/** In the inventory's order, outside ends first. */
export function listEndpoints(inventory: Inventory, outside: OutsidePrefixes): readonly Endpoint[] {
  const inside = listInside(inventory);
  return [...listOutside([inventory], inside, outside), ...inside];
}

/** The inventory's own, without outside ones. */
export function listInside(inventory: Inventory): readonly Endpoint[] {
  return [...listInterfaces(inventory), ...listPods(inventory)];
}

function listInterfaces({ ec2 }: Inventory): Endpoint[] {
  const counts = new Map<string, number>();
  for (const { instanceId, isPrimary, isRunning } of ec2.interfaces) {
    if (instanceId !== null && isPrimary && isRunning) counts.set(instanceId, (counts.get(instanceId) ?? 0) + 1);
  }
  return ec2.interfaces.flatMap(({ id, instanceId, isPrimary, isRunning, addresses }): Endpoint[] => {
    if (!isRunning || addresses.length === 0) return [];
    const isInstance = instanceId !== null && isPrimary && counts.get(instanceId) === 1;
    const name = isInstance ? instanceId : id;
    const kind = isInstance ? "instance" : "interface";
    return [{ name, reference: name, kind, addresses: primaryOf(addresses), interfaceId: null, isRest: false }];
  });
}

function listPods({ ec2, kubernetes }: Inventory): Endpoint[] {
  const interfaces = new Map<string, string>();
  for (const { id, addresses, isRunning } of ec2.interfaces) {
    for (const address of isRunning ? addresses : []) interfaces.set(addressKey(address), id);
  }
  const selectable = kubernetes.pods.filter(isSelectable);
  const shown = selectable.filter((pod) => !standsForOthers(pod, selectable));
  const counts = new Map<string, number>();
  for (const { namespace, name } of selectable) {
    counts.set(`${namespace}/${name}`, (counts.get(`${namespace}/${name}`) ?? 0) + 1);
  }
  return shown.map((pod) => {
    const short = `${pod.namespace}/${pod.name}`;
    const name = counts.get(short) === 1 ? short : `${pod.kind}:${short}`;
    const addresses = primaryOf(pod.addresses);
    const interfaceId = interfaces.get(addressKey(addresses[0] as Address)) ?? null;
    return { name, reference: name, kind: "pod", addresses, interfaceId, isRest: false };
  });
}

/** A workload whose pods are in the inventory themselves. */
function standsForOthers(workload: Pod, pods: readonly Pod[]): boolean {
  const labels = Object.entries(workload.labels);
  if (workload.kind === "Pod" || labels.length === 0) return false;
  return pods.some(
    (pod) =>
      pod.kind === "Pod" &&
      pod.namespace === workload.namespace &&
      labels.every(([key, value]) => pod.labels[key] === value),
  );
}

function primaryOf(addresses: readonly Address[]): readonly Address[] {
  const families = [...new Set(addresses.map((address) => address.family))];
  return families.flatMap((family) => addresses.find((address) => address.family === family) ?? []);
}

/** Documentation addresses (RFC 5737, RFC 3849) and others that are nobody's private ones. */
const internetCandidates = {
  ipv4: ["203.0.113.1", "198.51.100.1", "192.0.2.1", "1.1.1.1", "8.8.8.8"],
  ipv6: ["2001:db8::1", "2001:db8:ffff:ffff::1", "2606:4700:4700::1111", "2001:4860:4860::8888"],
} as const;

/** The internet first; addresses that none of the inventories gives to anybody. */
export function listOutside(
  inventories: readonly Inventory[],
  inside: readonly Endpoint[],
  which: OutsidePrefixes,
): readonly Endpoint[] {
  const known = new Set(inside.flatMap((endpoint) => endpoint.addresses.map(addressKey)));
  for (const { ec2, kubernetes } of inventories) {
    for (const { addresses } of [...ec2.interfaces, ...kubernetes.pods, ...kubernetes.nodes]) {
      for (const address of addresses) known.add(addressKey(address));
    }
    for (const { hostAddresses } of kubernetes.pods) for (const a of hostAddresses) known.add(addressKey(a));
  }
  const named = new Map(inventories.flatMap(listMentionedPrefixes).map((prefix) => [formatPrefix(prefix), prefix]));
  const prefixes = [...named.values()];
  const networks = inventories.flatMap(({ ec2 }) =>
    [...ec2.subnets, ...ec2.vpcs].flatMap((network) => network.prefixes),
  );
  const addresses = [internetCandidates.ipv4, internetCandidates.ipv6].flatMap((texts) => {
    const free = texts.flatMap((text) => parseAddress(text) ?? []).filter((address) => !known.has(addressKey(address)));
    const apart = free.find((address) => ![...prefixes, ...networks].some((p) => containsAddress(p, address)));
    return apart ?? free[0] ?? [];
  });
  const internet: Endpoint = {
    name: "internet",
    reference: formatAddress(addresses[0] as Address),
    kind: "outside",
    addresses,
    interfaceId: null,
    isRest: false,
  };
  const all = inside.flatMap((endpoint) => endpoint.addresses);
  const isApart = (prefix: Prefix): boolean =>
    !all.some((address) => containsAddress(prefix, address)) &&
    !networks.some((network) => containsPrefix(network, prefix) || containsPrefix(prefix, network));
  return [
    internet,
    ...prefixes
      .filter((prefix) => which === "all" || isApart(prefix))
      .flatMap((prefix): Endpoint[] => {
        const address = addressOf(prefix, prefixes, known);
        if (address === null) return [];
        const isRest = !isApart(prefix);
        const name = isRest ? `others in ${formatPrefix(prefix)}` : formatPrefix(prefix);
        return [
          { name, reference: formatAddress(address), kind: "outside", addresses: [address], interfaceId: null, isRest },
        ];
      }),
  ];
}

/** Away from the start, where AWS reserves addresses (SG-81), and some further on, past inner prefixes. */
const offsets = [9, 10, 77, 200, 5, 3, 4, 6, 7, 1, 2, 0, 0x109, 0x1009, 0x10009, 0x80009, 0x100009, 0x800009];

/** One that nobody has and that no smaller prefix holds; null where none was found. */
function addressOf(prefix: Prefix, prefixes: readonly Prefix[], known: ReadonlySet<string>): Address | null {
  const inner = prefixes.filter((other) => other.length > prefix.length && containsPrefix(prefix, other));
  for (const offset of offsets) {
    const address: Address = { ...prefix.address, w3: (prefix.address.w3 + offset) >>> 0 };
    if (!containsAddress(prefix, address) || known.has(addressKey(address))) continue;
    if (!inner.some((other) => containsAddress(other, address))) return address;
  }
  return null;
}
