/**
 * What the table `inet verdictd` is made from, and the names in it that others refer to.
 */
import type { Knobs } from "../model/knobs.ts";
import type { MarkLayout } from "../model/mark.ts";
import type { Address } from "../net/address.ts";
import type { PodRange } from "./ruleset-pod-range.ts";
import type { SourceCheck } from "./source-binding.ts";

export const TABLE_NAME = "verdictd";
/** Family and name as nft wants them: our tables, and nobody else's. */
export const TABLE = `inet ${TABLE_NAME}`;
export const BRIDGE_TABLE = `bridge ${TABLE_NAME}`;
export type TableFamily = "inet" | "bridge";
/** The chain of the queue rule. Text never touches it after it's made: on some kernels nft can't write its rule. */
export const QUEUE_CHAIN = "to_queue";
/** The same for packets that wait until somebody is known to have their address. */
export const HOLD_CHAIN = "to_hold";
/** The same for answers of DNS. */
export const NAMES_CHAIN = "to_names";

/** Named counters of the table `inet verdictd`: packets and bytes, since the table was made. */
export const ruleCounters = {
  queued: "sent to the queue",
  decided_accept: "accepted in the kernel: their flow was decided in this epoch",
  decided_deny: "dropped in the kernel: their flow was denied in this epoch",
  remembered_deny: "refused in the kernel: first packets of a kind that was denied",
  judged_accept: "came back from the engine accepted",
  judged_deny: "came back from the engine denied, to mark their flow or to be remembered",
  unjudged_accept: "passed without a verdict, as bypass or overflow wants",
  unjudged_drop: "dropped because nobody judged them",
  unknown_held: "sent to wait: in the pods' range, nobody is known to have their address",
  unknown_drop: "dropped: in the pods' range, nobody is known to have their address",
  misdelivered: "dropped: a managed address inside a broadcast or multicast frame",
  source_check_source: "dropped (source-dest-check): on a bridge, from an address that isn't the sender's",
  source_check_destination: "dropped (source-dest-check): on a bridge, to an address that isn't the receiver's",
  source_check_link_local: "dropped (source-dest-check): on a bridge, to a link-local address",
  source_check_multicast: "dropped (source-dest-check): on a bridge, broadcast or multicast",
} as const;
/** Those of the table `bridge verdictd`. */
export const bridgeCounters = {
  stacked_tags: "dropped on an enforced bridge: a frame with two VLAN tags or more",
} as const;
export type RuleCounter = keyof typeof ruleCounters | keyof typeof bridgeCounters;

export interface RulesetConfig {
  readonly mark: MarkLayout;
  /** The workers': consecutive numbers. The two below are those of the waiting room and of the observer. */
  readonly queue: { readonly first: number; readonly total: number };
  /** The kernel has nft's own `queue`; otherwise the rule is the xt target NFQUEUE and comes by raw netlink. */
  readonly useNativeQueue: boolean;
  readonly knobs: Pick<Knobs, "bypass" | "overflow" | "denyAction" | "sgTimeouts" | "sourceDestCheck">;
  /** `postrouting` where IPVS is in use: it carries packets past the forward hook. nft has no `reject` there. */
  readonly hook: "forward" | "postrouting";
  /** Addresses whose packets are diverted, or all packets. */
  readonly managed: readonly Address[] | "all";
  /** Addresses to which this host's own packets are diverted as well (SG-83a), or all. */
  readonly output: readonly Address[] | "all";
  /** Absent: an address that nobody is known to have is like any other. */
  readonly podRange?: PodRange;
  /** Addresses to which answers of DNS are shown to the observer (AN-30). Absent: none. */
  readonly answered?: readonly Address[];
  /** Absent: no bridge is checked yet. */
  readonly sourceCheck?: SourceCheck;
  /** The epoch in force, 1–15; 0 for none: then nothing counts as decided. */
  readonly epoch: number;
  /** Epochs before it whose decisions count. Absent: none. */
  readonly olderEpochs?: readonly number[];
  /** Addresses whose flows count as undecided, whatever their ct mark says (flow-review.ts). Absent: none. */
  readonly reviewed?: readonly Address[];
  /** Addresses whose flows were held for somebody else. Absent: none. */
  readonly renewed?: readonly Address[];
}

/** A chain that holds one queue rule, made apart from all others. */
export interface QueueChain {
  readonly chain: string;
  readonly queues: RulesetConfig["queue"];
  /** Where nobody listens, packets pass. */
  readonly bypass: boolean;
}

export function queueChains(config: Pick<RulesetConfig, "queue" | "podRange" | "knobs">): readonly QueueChain[] {
  const { queue, podRange, knobs } = config;
  const bypass = knobs.bypass === "accept";
  const hold = { chain: HOLD_CHAIN, queues: { first: queue.first - 2, total: 1 }, bypass };
  return [
    { chain: QUEUE_CHAIN, queues: queue, bypass },
    ...(podRange?.unknown === "hold" ? [hold] : []),
    // The policies have judged what comes here: without an observer it goes on.
    { chain: NAMES_CHAIN, queues: { first: queue.first - 1, total: 1 }, bypass: true },
  ];
}

/** Who serves which queue. */
export interface QueueNumbers {
  readonly hold: number;
  readonly names: number;
  readonly workers: RulesetConfig["queue"];
}

/**
 * From the first number on; the workers come last, so that no number depends on how many they are: the rules of an
 * earlier run may still stand when their queues are bound.
 */
export function queueNumbers(first: number, workers: number): QueueNumbers {
  return { hold: first, names: first + 1, workers: { first: first + 2, total: workers } };
}
