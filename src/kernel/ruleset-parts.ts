/**
 * What the chains before and after the queue must agree on: where they hook in, whom they look at, and what they leave
 * alone.
 */
import type { RulesetConfig } from "./ruleset-config.ts";

/** A SYN alone; congestion notification and the like may be with it. */
export const isOpening = "tcp flags & (fin | syn | rst | ack) == syn";

/** One chain; `head` is its hook line, or null for a chain that others go to. */
export function renderChain(name: string, head: string | null, rules: readonly string[]): string {
  const lines = head === null ? rules : [head, ...rules];
  return [`\tchain ${name} {`, ...lines.map((line) => `\t\t${line}`), "\t}"].join("\n");
}

/** The hook line of a base chain. Its policy is accept: what isn't ours is none of our business. */
export function renderHook(hook: string, priority: number): string {
  return `type filter hook ${hook} priority ${priority}; policy accept;`;
}

/**
 * Rules that send packets from or to managed addresses to `target`. All traffic is that with others: what this host says
 * to itself stays out of it.
 */
function matchManaged(config: RulesetConfig, hook: HookPriorities["hook"], target: string): string[] {
  if (config.managed === "all") return [`${hook === "postrouting" ? "oif" : "iif"} != "lo" goto ${target}`];
  return [
    `ip saddr @managed4 goto ${target}`,
    `ip daddr @managed4 goto ${target}`,
    `ip6 saddr @managed6 goto ${target}`,
    `ip6 daddr @managed6 goto ${target}`,
  ];
}

/** The same for packets that this host sends. */
function matchOutput(config: RulesetConfig, target: string): string[] {
  if (config.output === "all") return [`oif != "lo" goto ${target}`];
  return [`ip daddr @output4 goto ${target}`, `ip6 daddr @output6 goto ${target}`];
}

const outputPriorities = { first: 10, last: 20 } as const;

/** A hook with the priorities of its first and last base chain. */
interface HookPriorities {
  readonly hook: "forward" | "input" | "postrouting";
  readonly first: number;
  readonly last: number;
}

/**
 * Between DNAT and SNAT (100) both times. IPVS takes its packets from the input hook at 98 and 99 and sends the
 * translated ones through output and postrouting: there the input chains lie after it, so that what they see is really
 * for this host, and packets to a service are judged once, with the address of the pod (NP-50).
 * Source: linux/netfilter_ipv4.h, net/netfilter/ipvs/ip_vs_core.c.
 */
function hookPriorities(config: RulesetConfig): readonly HookPriorities[] {
  if (config.hook === "forward") {
    return [
      { hook: "forward", first: 10, last: 20 },
      { hook: "input", first: 10, last: 20 },
    ];
  }
  return [
    { hook: "postrouting", first: 90, last: 95 },
    { hook: "input", first: 110, last: 115 },
  ];
}

/**
 * SG-84. With the hop limit that every receiver asks for (RFC 4861 6.1, 7.1, 8.1), and that no routed packet has: by its
 * type alone anybody could say anything to a host.
 */
export const isNeighbourDiscovery = "meta nfproto ipv6 ip6 hoplimit 255 icmpv6 type 133-137";

/**
 * Lets out what this host itself answers to a packet that it doesn't forward: the resets of a refusal, whose entry is that
 * of the packet that they answer, so that they look `related`; and ICMP errors (too big, time exceeded, unreachable). An
 * error about a first packet looks invalid, because no entry was confirmed: the router's own checks come before our
 * hooks. Judged, a path's MTU could never be found (SG-83a, NA-22: the router stands in the receiver's subnet).
 *
 * In postrouting it's the packet without an input interface that is this host's; we send no resets there.
 */
function passHostErrors(hook: "output" | "postrouting"): string[] {
  const errors = ["icmp type { 3, 11, 12 }", "icmpv6 type 1-4"].map(
    (types) =>
      `${hook === "output" ? "" : "iif 0 "}${types} ct state invalid,related,untracked fib saddr type local accept`,
  );
  return hook === "output" ? ["ct state related tcp flags & rst == rst accept", ...errors] : errors;
}

/** What the base chains before the queue, or those behind it, do with the packets that they look at. */
export interface BaseRules {
  readonly place: "first" | "last";
  readonly begin: string;
  /** With what isn't for this host's hardware address. */
  readonly notUnicast: string;
  /** But for output, before the addresses are looked at. */
  readonly before: readonly string[];
  /** In output alone, before the addresses are looked at. */
  readonly inOutput: readonly string[];
  /** Where packets of managed addresses go. */
  readonly target: string;
  readonly end: readonly string[];
  /** In output alone, behind that. */
  readonly endOfOutput: readonly string[];
}

/** Both look at the same packets and leave the same alone: what passes the first chain unseen must pass the last one. */
export function renderBaseChains(config: RulesetConfig, rules: BaseRules): string[] {
  const { place, begin, notUnicast, before, inOutput, target, end, endOfOutput } = rules;
  const chains = hookPriorities(config).map(({ hook, [place]: priority }) =>
    renderChain(`${hook}_${place}`, renderHook(hook, priority), [
      begin,
      `meta pkttype != host ${notUnicast}`,
      `${isNeighbourDiscovery} accept`,
      ...(hook === "postrouting" ? passHostErrors(hook) : []),
      ...before,
      ...matchManaged(config, hook, target),
      ...end,
    ]),
  );
  // IPVS sends from the output hook what it forwards; there the packets of this host are met in postrouting as well.
  if (config.hook === "postrouting") return chains;
  return [
    ...chains,
    renderChain(`output_${place}`, renderHook("output", outputPriorities[place]), [
      begin,
      `${isNeighbourDiscovery} accept`,
      ...passHostErrors("output"),
      ...inOutput,
      ...matchOutput(config, target),
      ...end,
      ...endOfOutput,
    ]),
  ];
}
