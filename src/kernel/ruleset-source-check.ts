/**
 * The source and destination check of interfaces on an enforced bridge (SG-94), before connection tracking: a forged
 * packet changes no flow. A packet that enters by a bridge has the bridge as its interface in this family, so it's the
 * hardware address that says who sent it.
 */
import { Family, formatAddress } from "../net/address.ts";
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
    ...Object.entries(elementsOf(config.sourceCheck ?? noSourceCheck)).map(([name, elements]) => {
      const content = elements.length === 0 ? [] : [`\t\telements = { ${elements.join(", ")} }`];
      return [`\tset ${name} {`, `\t\ttype ${setTypes[name as SetName]}`, ...content, "\t}"].join("\n");
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

/** Replaces the elements of a table that is there, in one transaction. */
export function renderSourceElements(table: string, check: SourceCheck): string {
  const lines = Object.entries(elementsOf(check)).flatMap(([name, elements]) => [
    `flush set ${table} ${name}`,
    ...(elements.length === 0 ? [] : [`add element ${table} ${name} { ${elements.join(", ")} }`]),
  ]);
  return `${lines.join("\n")}\n`;
}

/** Set name → number of elements; none where the knob is off. */
export function sourceSetSizes({
  knobs,
  sourceCheck,
}: Pick<RulesetConfig, "knobs" | "sourceCheck">): [string, number][] {
  if (knobs.sourceDestCheck === "off") return [];
  return Object.entries(elementsOf(sourceCheck ?? noSourceCheck)).map(([name, elements]) => [
    name,
    new Set(elements).size,
  ]);
}

const setTypes = {
  checked_bridges: "iface_index",
  checked_macs: "ether_addr",
  bound4: "ether_addr . ipv4_addr",
  bound6: "ether_addr . ipv6_addr",
  owned4: "ipv4_addr",
  owned6: "ipv6_addr",
} as const;
type SetName = keyof typeof setTypes;

function elementsOf({ bridges, bindings }: SourceCheck): Record<SetName, readonly string[]> {
  const bound = (family: Family): string[] =>
    bindings.flatMap(({ mac, addresses }) =>
      addresses.filter((a) => a.family === family).map((a) => `${mac} . ${formatAddress(a)}`),
    );
  const owned = (family: Family): string[] => [
    ...new Set(
      bindings
        .filter((binding) => binding.isCertain)
        .flatMap(({ addresses }) => addresses.filter((a) => a.family === family).map(formatAddress)),
    ),
  ];
  return {
    checked_bridges: bridges.map(String),
    checked_macs: bindings.map(({ mac }) => mac),
    bound4: bound(Family.ipv4),
    bound6: bound(Family.ipv6),
    owned4: owned(Family.ipv4),
    owned6: owned(Family.ipv6),
  };
}
