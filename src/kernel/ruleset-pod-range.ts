/**
 * What becomes of packets from and to an address in the pods' range that nobody is known to have (NP-64): its pod may
 * have begun to speak before the inventory has heard of it, and unknown it would be nobody's, which no policy restricts.
 *
 * ```
 *  HOOK_first ─ in the range, not known ─ unknown ┬ decided, or an answer to this host: on, as any packet
 *                                                 └ wait ─ to_hold ··· waiting room: NF_REPEAT, HOOK_first again
 * ```
 */

import { markEpochMask, markVerdictMask, markWaiting } from "../model/mark.ts";
import type { Address } from "../net/address.ts";
import { Family } from "../net/address.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import type { NftMark } from "./nft-mark.ts";
import type { RulesetConfig } from "./ruleset-config.ts";
import { HOLD_CHAIN } from "./ruleset-config.ts";
import { isOpening, renderChain } from "./ruleset-parts.ts";

export interface PodRange {
  /** Where there are none yet, nobody is unknown. */
  readonly prefixes: readonly Prefix[];
  /** Addresses in them that somebody has. */
  readonly known: readonly Address[];
  /** What becomes of the others' packets. */
  readonly unknown: "hold" | "drop";
}

/** Rules for the base chains in front of the queue, before anything else is asked. */
export function matchUnknown({ podRange }: Pick<RulesetConfig, "podRange">): string[] {
  return (podRange?.prefixes ?? []).flatMap((prefix) => {
    const [ip, known] = prefix.address.family === Family.ipv4 ? ["ip", "@known4"] : ["ip6", "@known6"];
    return ["saddr", "daddr"].map(
      (end) => `${ip} ${end} ${formatPrefix(prefix)} ${ip} ${end} != ${known} jump unknown`,
    );
  });
}

/** For those behind it: what went to wait, and wasn't sent back to where it came from. */
export function matchWaiting({ podRange }: Pick<RulesetConfig, "podRange">, mark: NftMark): string[] {
  if (podRange?.unknown !== "hold") return [];
  return [`meta mark & ${mark.bits(markVerdictMask | markEpochMask)} == ${mark.bits(markWaiting)} goto not_held`];
}

export function unknownChains({ podRange }: RulesetConfig, mark: NftMark): string[] {
  if (podRange === undefined) return [];
  return [
    renderChain("unknown", null, [
      // From this host, which postrouting sees too: no policy of a pod denies it (NP-56). Nor its answer.
      "iif 0 return",
      "ct direction reply fib daddr type local return",
      `ct direction original ${isOpening} goto wait`,
      `${mark.flowIsDecided} return`,
      ...["ip saddr @reviewed4", "ip daddr @reviewed4", "ip6 saddr @reviewed6", "ip6 daddr @reviewed6"].map(
        (isReviewed) => `${isReviewed} goto wait`,
      ),
      `${mark.flowIsInReview} return`,
      "goto wait",
    ]),
    podRange.unknown === "drop"
      ? renderChain("wait", null, ["counter name unknown_drop drop"])
      : renderChain("wait", null, [
          // So that a worker doesn't judge it, and the last chain knows what a queue without a listener let past.
          mark.setPacket(markWaiting),
          "counter name unknown_held",
          `goto ${HOLD_CHAIN}`,
        ]),
  ];
}
