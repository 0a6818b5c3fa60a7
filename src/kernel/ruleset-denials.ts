/**
 * Denied attempts, remembered in sets of the table: the first packet of a flow that is never answered has no entry that
 * could remember it, so that each of a flood's packets would visit the engine. A further attempt of the same kind,
 * whatever its source port, is refused here.
 *
 * The engine says which denials may stand for others (`markRemember`). Only what it said in the kernel's own epoch is
 * added, and every change of rules empties the sets, so that nobody waits for a denial to be forgotten (NP-73). Asked and
 * written for first packets alone, in their flow's original direction and not through DNAT: what connection tracking
 * has confirmed has a ct mark that says more.
 *
 * A set that is full takes no more; then the engine is asked, as if there were none.
 */
import { markEpochMask, markRemember } from "../model/mark.ts";
import type { NftMark } from "./nft-mark.ts";
import type { RulesetConfig } from "./ruleset-config.ts";
import { renderChain } from "./ruleset-parts.ts";

/** Of each set. Emptying one costs 0.3 µs an element, before a change is in force. */
const SIZE = 16_384;
/** With `bypass=accept` new flows pass soon after the engine is gone, also those that it has denied (PL-10). */
const timeouts = { drop: "60s", accept: "1s" } as const;

interface DenialSet {
  readonly name: string;
  readonly type: string;
  /** The key in a rule. */
  readonly key: string;
  /** What a packet must be to have one. */
  readonly match: string;
}

const ports = "meta l4proto { tcp, udp, sctp }";
const sets: readonly DenialSet[] = [
  {
    name: "denied4",
    type: "ipv4_addr . ipv4_addr . inet_proto . inet_service",
    key: "ip saddr . ip daddr . meta l4proto . th dport",
    match: ports,
  },
  {
    name: "denied6",
    type: "ipv6_addr . ipv6_addr . inet_proto . inet_service",
    key: "ip6 saddr . ip6 daddr . meta l4proto . th dport",
    match: ports,
  },
  {
    name: "denied_icmp4",
    type: "ipv4_addr . ipv4_addr . icmp_type . icmp_code",
    key: "ip saddr . ip daddr . icmp type . icmp code",
    match: "",
  },
  {
    name: "denied_icmp6",
    type: "ipv6_addr . ipv6_addr . icmpv6_type . icmpv6_code",
    key: "ip6 saddr . ip6 daddr . icmpv6 type . icmpv6 code",
    match: "",
  },
];

export const denialSetNames: readonly string[] = sets.map(({ name }) => name);

const isFirstPacket = "ct direction original ct status & (confirmed | dnat) == 0";

/** Before the queue: refuses a first packet whose like was denied. */
export const refuseRemembered = `${isFirstPacket} jump remembered`;

/** Behind the queue: `packet` is one that was denied. */
export function rememberDenial(mark: NftMark): string {
  const isOfThisEpoch = `meta mark & ${mark.bits(markEpochMask)} @current_epoch`;
  return `${mark.packetHas(markRemember)} ${isOfThisEpoch} ${isFirstPacket} jump remember`;
}

export function renderDenialSets({ knobs }: Pick<RulesetConfig, "knobs">): string[] {
  return sets.map(({ name, type }) =>
    [
      `\tset ${name} {`,
      `\t\ttype ${type}`,
      `\t\tsize ${SIZE}`,
      "\t\tflags dynamic,timeout",
      `\t\ttimeout ${timeouts[knobs.bypass]}`,
      "\t}",
    ].join("\n"),
  );
}

export function renderDenialChains({ hook, knobs }: Pick<RulesetConfig, "hook" | "knobs">): string[] {
  const isSilent = hook === "postrouting" || knobs.denyAction === "drop";
  return [
    renderChain("refused", null, [
      "counter name remembered_deny",
      ...(isSilent ? ["drop"] : ["meta l4proto tcp reject with tcp reset", "reject with icmpx type admin-prohibited"]),
    ]),
    renderChain(
      "remembered",
      null,
      sets.map(({ name, key, match }) => `${match} ${key} @${name} goto refused`.trim()),
    ),
    // Nothing but the addition: on a full set a rule ends there, and the packet must still be refused.
    renderChain(
      "remember",
      null,
      sets.map(({ name, key, match }) => `${match} add @${name} { ${key} }`.trim()),
    ),
  ];
}
