/** What becomes of packets of this node's pods that nobody knows yet (NP-64): the range, and the room where they wait. */
import type { WaitingCounters } from "../datapath/waiting-counters.ts";
import { WaitingHandle } from "../datapath/waiting-handle.ts";
import { queueNumbers } from "../kernel/ruleset-config.ts";
import type { PodRange } from "../kernel/ruleset-pod-range.ts";
import { formatAddress } from "../net/address.ts";
import type { Logger } from "../telemetry/log.ts";
import type { AgentOptions } from "./options.ts";
import type { PolicyUpdate } from "./policy/protocol.ts";

/** Null where nobody is waited for: there is no range, nor will there be one, or the knob says so. */
export function podRangeOf({ knobs, nodeName, podRanges }: AgentOptions, { podRange }: PolicyUpdate): PodRange | null {
  if (knobs.unknownLocalIp === "allow" || (nodeName === null && podRanges.length === 0)) return null;
  const unknown = knobs.unknownLocalIp === "deny" ? "drop" : "hold";
  return { prefixes: podRange.prefixes ?? [], known: podRange.known.added, unknown };
}

/** Null where packets don't wait. */
export function startWaitingRoom(
  { knobs, queue, workers, mark }: AgentOptions,
  range: PodRange | null,
  counters: WaitingCounters,
  log: Logger,
  onDeath: (error: Error) => void,
): WaitingHandle | null {
  if (range === null || typeof knobs.unknownLocalIp === "string") return null;
  const { prefixes, known } = range;
  const { holdMs } = knobs.unknownLocalIp;
  const number = queueNumbers(queue, workers).hold;
  return new WaitingHandle(
    { queue: number, mark, deadlineMs: holdMs, counters: counters.buffer, prefixes, known },
    {
      onExpired: (addresses, areLast) => log.warn({ addresses: addresses.map(formatAddress), areLast }, nobodyKnown),
      onFault: (message) => log.error({ message }, "a defect in the waiting room; the batch was dropped"),
      onDeath,
    },
  );
}

const nobodyKnown =
  "packets of addresses in the pods' range were dropped: no pod that is known, nor this machine, had them in time; " +
  "if they aren't pods', narrow the range (--pod-range), or set unknownLocalIp=allow";
