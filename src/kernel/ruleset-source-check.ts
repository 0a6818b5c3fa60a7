/**
 * The source and destination check of interfaces on an enforced bridge (SG-94), before connection tracking: a forged
 * packet changes no flow. A packet that enters by a bridge has the bridge as its interface in this family, so it's the
 * hardware address that says who sent it.
 */
import { type Address, Family, formatAddress, toBytes } from "../net/address.ts";
import { align, concatBytes, hostUint32 } from "./netlink-message.ts";
import type { RulesetConfig } from "./ruleset-config.ts";
import { isNeighbourDiscovery, renderChain, renderHook } from "./ruleset-parts.ts";
import { noSourceCheck, type SourceCheck } from "./source-binding.ts";

/** Link-local services of a VPC (SG-81). */
const linkLocalServices =
  "169.254.169.123, 169.254.169.250, 169.254.169.251, 169.254.169.253, 169.254.169.254, 169.254.170.2";
/** Before connection tracking (-200), after defragmentation (-400). */
const PRIORITY = -310;
const drop = (counter: string): string => `counter name ${counter} drop`;

/** Sets and chains; none where the knob is off. */
export function renderSourceCheck(config: RulesetConfig): string[] {
  if (config.knobs.sourceDestCheck === "off") return [];
  return [
    ...sourceSets(config.sourceCheck ?? noSourceCheck).map(({ name, elements }) => {
      const texts = elements.map(({ text }) => text);
      const content = texts.length === 0 ? [] : [`\t\telements = { ${texts.join(", ")} }`];
      return [`\tset ${name} {`, `\t\ttype ${setTypes[name]}`, ...content, "\t}"].join("\n");
    }),
    // A packet of a checked interface with an address of its own.
    renderChain("source_destination", null, [
      `ip daddr { ${linkLocalServices} } accept`,
      `ip daddr 169.254.0.0/16 ${drop("source_check_link_local")}`,
      `ip6 daddr fe80::/10 ${drop("source_check_link_local")}`,
      `meta pkttype { broadcast, multicast } ${drop("source_check_multicast")}`,
      `ip daddr { 224.0.0.0/4, 255.255.255.255 } ${drop("source_check_multicast")}`,
      `ip6 daddr ff00::/8 ${drop("source_check_multicast")}`,
    ]),
    renderChain("source_check", null, [
      // Neighbour discovery, MLD (RFC 3810 5), DHCP.
      `${isNeighbourDiscovery} accept`,
      "meta nfproto ipv6 ip6 hoplimit 1 icmpv6 type { 130-132, 143 } accept",
      "udp sport . udp dport { 68 . 67, 67 . 68, 546 . 547, 547 . 546 } accept",
      `ether daddr @checked_macs ether daddr . ip daddr != @bound4 ${drop("source_check_destination")}`,
      `ether daddr @checked_macs ether daddr . ip6 daddr != @bound6 ${drop("source_check_destination")}`,
      "ether saddr . ip saddr @bound4 goto source_destination",
      "ether saddr . ip6 saddr @bound6 goto source_destination",
      `ether saddr @checked_macs ${drop("source_check_source")}`,
      `ip saddr @owned4 ${drop("source_check_source")}`,
      `ip6 saddr @owned6 ${drop("source_check_source")}`,
    ]),
    renderChain("source_first", renderHook("prerouting", PRIORITY), ["iif @checked_bridges goto source_check"]),
  ];
}

const setTypes = {
  checked_bridges: "iface_index",
  checked_macs: "ether_addr",
  bound4: "ether_addr . ipv4_addr",
  bound6: "ether_addr . ipv6_addr",
  owned4: "ipv4_addr",
  owned6: "ipv6_addr",
} as const;

/** An element as nft writes it, and as the kernel has it: fields of a concatenation begin at multiples of four bytes. */
interface Element {
  readonly text: string;
  readonly key: Uint8Array;
}
export interface SourceSet {
  readonly name: keyof typeof setTypes;
  /** Each once. */
  readonly elements: readonly Element[];
}

/** The sets of the check, all of them. */
export function sourceSets({ bridges, bindings }: SourceCheck): readonly SourceSet[] {
  const ofFamily = (addresses: readonly Address[], family: Family): readonly Address[] =>
    addresses.filter((address) => address.family === family);
  const bound = (family: Family): Element[] =>
    bindings.flatMap(({ mac, addresses }) => ofFamily(addresses, family).map((a) => pair(hardware(mac), ip(a))));
  const owned = (family: Family): Element[] =>
    bindings.filter((b) => b.isCertain).flatMap(({ addresses }) => ofFamily(addresses, family).map(ip));
  const sets = {
    checked_bridges: bridges.map((index) => ({ text: `${index}`, key: hostUint32(index) })),
    checked_macs: bindings.map(({ mac }) => hardware(mac)),
    bound4: bound(Family.ipv4),
    bound6: bound(Family.ipv6),
    owned4: owned(Family.ipv4),
    owned6: owned(Family.ipv6),
  } as const satisfies Record<keyof typeof setTypes, readonly Element[]>;
  return Object.entries(sets).map(([name, elements]) => ({
    name: name as keyof typeof setTypes,
    elements: [...new Map(elements.map((element) => [element.text, element])).values()],
  }));
}

function hardware(mac: string): Element {
  return { text: mac, key: Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16)) };
}

function ip(address: Address): Element {
  return { text: formatAddress(address), key: Uint8Array.from(toBytes(address)) };
}

function pair(first: Element, second: Element): Element {
  const padding = new Uint8Array(align(first.key.length) - first.key.length);
  return { text: `${first.text} . ${second.text}`, key: concatBytes([first.key, padding, second.key]) };
}
