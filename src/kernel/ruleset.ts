/**
 * The text of the table `inet verdictd`: which packets go to the queue, and what happens to them when they come back.
 * Pure: config in, text out; `nft -f -` applies it in one transaction.
 *
 * ```
 *                    ┌ decided in this epoch: accept or deny, in the kernel ┐
 *  HOOK_first ─ divert ─ to_queue ··· engine ··· HOOK_last ─ conclude ─ record (ct mark) ─ pass | denied | unjudged
 *  priority 10                                   priority 20                                   └ DNS of pods ─ to_names
 * ```
 *
 * Two base chains to each hook, because a packet that the engine accepts resumes at the next base chain, not at the
 * next rule. Both lie after filter (0) and DNAT, and before SNAT (100).
 *
 * What depends on outside text: nothing. Addresses are printed from their words, numbers from numbers.
 */
import { type Address, Family, formatAddress } from "../net/address.ts";
import { epochSets } from "./epochs.ts";
import { deleteTimeouts, renderTimeouts } from "./flow-timeouts.ts";
import { nftMark } from "./nft-mark.ts";
import { renderAfterQueue } from "./ruleset-after-queue.ts";
import { renderBeforeQueue } from "./ruleset-before-queue.ts";
import {
  HOLD_CHAIN,
  NAMES_CHAIN,
  QUEUE_CHAIN,
  queueChains,
  type RulesetConfig,
  ruleCounters,
  TABLE,
} from "./ruleset-config.ts";
import { renderDenialChains, renderDenialSets } from "./ruleset-denials.ts";
import { renderSourceCheck } from "./ruleset-source-check.ts";

/** What an earlier run left in the table, by name, without the queue chains. */
export interface Leftover {
  readonly chains: readonly string[];
  readonly sets: readonly string[];
  readonly counters: readonly string[];
  /** `ct timeout` objects. */
  readonly timeouts: readonly string[];
}
export const nothingLeft: Leftover = { chains: [], sets: [], counters: [], timeouts: [] };

/** Makes the table with its queue chains; where nft has a queue statement of its own, with the queue rules too. */
export function renderQueueChains(config: RulesetConfig): string {
  const lines = [`add table ${TABLE}`];
  for (const { chain, queues, bypass } of queueChains(config)) {
    lines.push(`add chain ${TABLE} ${chain}`);
    if (!config.useNativeQueue) continue;
    const { first, total } = queues;
    const numbers = total === 1 ? `${first}` : `${first}-${first + total - 1}`;
    // Without `fanout`: a hash of the addresses keeps both directions of a flow at one worker.
    lines.push(`flush chain ${TABLE} ${chain}`);
    lines.push(`add rule ${TABLE} ${chain} queue num ${numbers}${bypass ? " bypass" : ""}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * Everything but the queue chains, replacing what an earlier run left, in one transaction: at no moment is the table
 * without rules, and packets are queued all the while.
 */
export function renderRuleset(config: RulesetConfig, leftover: Leftover = nothingLeft): string {
  const mark = nftMark(config.mark);
  const epochs = { current: config.epoch, older: config.olderEpochs ?? [] };
  const isInReview = (config.reviewed ?? []).length > 0;
  return [
    ...leftover.chains.map((name) => `flush chain ${TABLE} ${name}`),
    ...leftover.chains.map((name) => `delete chain ${TABLE} ${name}`),
    ...leftover.sets.map((name) => `delete set ${TABLE} ${name}`),
    ...leftover.counters.map((name) => `delete counter ${TABLE} ${name}`),
    ...deleteTimeouts(config, leftover.timeouts),
    `table ${TABLE} {`,
    ...Object.keys(ruleCounters).map((name) => `\tcounter ${name} {\n\t}`),
    ...renderTimeouts(config),
    // A size makes the kernel take its fixed hash, the faster one; while a set is replaced it holds both contents.
    ...Object.entries(epochSets(epochs, isInReview)).map(([name, epochs]) =>
      renderSet(name, "mark", epochs.map(mark.bits), 32),
    ),
    renderAddressSet("reviewed4", Family.ipv4, config.reviewed ?? []),
    renderAddressSet("reviewed6", Family.ipv6, config.reviewed ?? []),
    renderAddressSet("renewed4", Family.ipv4, config.renewed ?? []),
    renderAddressSet("renewed6", Family.ipv6, config.renewed ?? []),
    renderAddressSet("answered4", Family.ipv4, config.answered ?? []),
    renderAddressSet("answered6", Family.ipv6, config.answered ?? []),
    renderAddressSet("managed4", Family.ipv4, config.managed),
    renderAddressSet("managed6", Family.ipv6, config.managed),
    renderAddressSet("output4", Family.ipv4, config.output),
    renderAddressSet("output6", Family.ipv6, config.output),
    ...renderDenialSets(config),
    ...(config.podRange === undefined
      ? []
      : [
          renderAddressSet("known4", Family.ipv4, config.podRange.known),
          renderAddressSet("known6", Family.ipv6, config.podRange.known),
        ]),
    ...queueChains(config).map(({ chain }) => `\tchain ${chain} {\n\t}`),
    ...renderDenialChains(config),
    ...renderSourceCheck(config),
    ...renderAfterQueue(config, mark),
    ...renderBeforeQueue(config, mark),
    "}",
    "",
  ].join("\n");
}

/** The chains of `renderRuleset`'s text with their number of rules, and the queue chains with their one. */
export function shapeOf(text: string): ReadonlyMap<string, number> {
  const shape = new Map<string, number>();
  for (const [, name = "", body = ""] of text.matchAll(/^\tchain (\w+) \{\n((?:\t\t.*\n)*)\t\}$/gm)) {
    const rules = body.split("\n").filter((line) => line !== "" && !line.startsWith("\t\ttype "));
    shape.set(name, [QUEUE_CHAIN, HOLD_CHAIN, NAMES_CHAIN].includes(name) ? 1 : rules.length);
  }
  return shape;
}

function renderAddressSet(name: string, family: Family, addresses: readonly Address[] | "all"): string {
  const own = addresses === "all" ? [] : addresses.filter((a) => a.family === family);
  return renderSet(name, family === Family.ipv4 ? "ipv4_addr" : "ipv6_addr", [...new Set(own.map(formatAddress))], 0);
}

function renderSet(name: string, type: string, elements: readonly string[], size: number): string {
  const lines = [`\tset ${name} {`, `\t\ttype ${type}`];
  if (size > 0) lines.push(`\t\tsize ${size}`);
  if (elements.length > 0) lines.push(`\t\telements = { ${elements.join(", ")} }`);
  return [...lines, "\t}"].join("\n");
}
