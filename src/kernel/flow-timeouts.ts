/**
 * How long connection tracking keeps an idle flow of an EC2 address where `sgTimeouts` is `aws` (SG-68, SG-68a): the
 * table's own `ct timeout` objects, set on entries that aren't confirmed yet. No sysctl is changed, and no other flow
 * is touched; deleting the objects gives the flows that have them back to the kernel's values.
 *
 * TCP and UDP alone: nft can't write a timeout for any other protocol. To the TCP states that aren't named, nft gives
 * Linux's defaults, not the sysctls' values. A UDP stream is what Linux takes for one: answered, and alive after two
 * seconds.
 *
 * Source: linux net/netfilter/nft_ct.c, nf_conntrack_proto_udp.c; for the unnamed states, what nft 1.0.6 writes.
 */

import { type RulesetConfig, TABLE } from "./ruleset-config.ts";
import { renderChain } from "./ruleset-parts.ts";

type TimeoutConfig = Pick<RulesetConfig, "output"> & { readonly knobs: Pick<RulesetConfig["knobs"], "sgTimeouts"> };

/** Seconds, by nft's names for the states (SG-68). */
const policies = {
  tcp: { established: 432_000 },
  udp: { unreplied: 30, replied: 180 },
} as const;
const families = { 4: "ip", 6: "ip6" } as const;

interface FlowTimeout {
  /** Carries the values: one that is there under this name is the same and can stay, with the flows that have it. */
  readonly name: string;
  readonly protocol: string;
  readonly family: string;
  readonly policy: string;
}

const flowTimeouts: readonly FlowTimeout[] = Object.entries(policies).flatMap(([protocol, policy]) =>
  Object.entries(families).map(([number, family]) => ({
    name: [`sg_${protocol}${number}`, ...Object.values(policy)].join("_"),
    protocol,
    family,
    policy: Object.entries(policy)
      .map(([state, seconds]) => `${state} : ${seconds}`)
      .join(", "),
  })),
);

/** Statements that take away those of an earlier run's objects that this table doesn't use; rules go before them. */
export function deleteTimeouts({ knobs }: TimeoutConfig, leftover: readonly string[]): string[] {
  const kept = knobs.sgTimeouts === "aws" ? flowTimeouts.map(({ name }) => name) : [];
  return leftover.filter((name) => !kept.includes(name)).map((name) => `delete ct timeout ${TABLE} ${name}`);
}

export function renderTimeouts({ knobs }: TimeoutConfig): string[] {
  if (knobs.sgTimeouts === "kernel") return [];
  return flowTimeouts.map(({ name, protocol, family, policy }) =>
    [
      `\tct timeout ${name} {`,
      `\t\tprotocol ${protocol}`,
      `\t\tl3proto ${family}`,
      `\t\tpolicy = { ${policy} }`,
      "\t}",
    ].join("\n"),
  );
}

/** The chain `flow_timeouts` and those that it goes to: for accepted packets, before their entry is confirmed. */
export function renderTimeoutChains(config: TimeoutConfig): string[] {
  if (config.knobs.sgTimeouts === "kernel") return [];
  const numbers = Object.keys(families) as unknown as (keyof typeof families)[];
  return [
    ...numbers.map((number) =>
      renderChain(
        `flow_timeouts${number}`,
        null,
        flowTimeouts
          .filter(({ family }) => family === families[number])
          .map(({ name, protocol }) => `meta l4proto ${protocol} ct timeout set "${name}"`),
      ),
    ),
    renderChain("flow_timeouts", null, [
      "ct status confirmed return",
      ...numbers.flatMap((number) => matchFamily(config, number)),
    ]),
  ];
}

/** What `accepted` does with a flow that it is about to remember. */
export function useTimeouts({ knobs }: TimeoutConfig): string[] {
  return knobs.sgTimeouts === "kernel" ? [] : ["jump flow_timeouts"];
}

/** The addresses judged on this host's output are EC2's, and no pod's (the evaluators' captures). */
function matchFamily({ output }: TimeoutConfig, number: keyof typeof families): string[] {
  if (output === "all") return [`meta nfproto ipv${number} goto flow_timeouts${number}`];
  return ["saddr", "daddr"].map((end) => `${families[number]} ${end} @output${number} goto flow_timeouts${number}`);
}
