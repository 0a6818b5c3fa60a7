/** The engine's own counters in the kernel, read straight from its table. */
import type { RuleCounter } from "../../src/kernel/ruleset-config.ts";
import type { Namespace } from "./namespace.ts";

/** Packets by counter, now. */
export function ruleCounters(namespace: Namespace): Readonly<Record<RuleCounter, number>> {
  const { nftables } = JSON.parse(namespace.check(["nft", "-j", "list", "counters", "table", "inet", "verdictd"])) as {
    nftables: { counter?: { name: string; packets: number } }[];
  };
  return Object.fromEntries(
    nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])),
  ) as Record<RuleCounter, number>;
}

/** What each counter gained while `action` ran. */
export async function gained(
  namespace: Namespace,
  action: () => Promise<unknown>,
): Promise<Readonly<Record<RuleCounter, number>>> {
  const before = ruleCounters(namespace);
  await action();
  const after = ruleCounters(namespace);
  return Object.fromEntries(
    Object.entries(after).map(([name, packets]) => [name, packets - (before[name as RuleCounter] ?? 0)]),
  ) as Record<RuleCounter, number>;
}
