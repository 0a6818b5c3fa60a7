/**
 * The eight mark bits that are ours, in the packet mark and in the ct mark; the mask is configurable and everyone
 * else's bits are kept. Written here as a byte; `shift` says where in the 32 bits it lies (24: mask 0xff000000).
 *
 * ```
 *           7         6        5              4                3        2        1       0
 * ct mark   k8s-held  sg-held  accept-reply   accept-original  └────────── epoch ─────────┘
 * packet,   k8s-held  sg-held  0              0                dnat     related  reply   queued
 *  in
 * packet,   k8s-held  sg-held  └────── verdict ─────┘          └────────── epoch ─────────┘
 *  out
 * deny     0         remember  1        1                      └────────── epoch ─────────┘
 * ```
 *
 * Epoch 0 in the ct mark: never decided. Verdict 0 on the way out: untouched, that is bypass or overflow. A packet that
 * the ct mark let pass carries verdict `acceptThis` with epoch 0, so that the last chain has nothing to copy.
 *
 * `related` with one of the other two bits is no combination that tracking can produce for an ICMP error, whose
 * direction and translation don't count; these three tell what has no bit of its own (see `packetStates`).
 */
import { PacketState } from "./flow.ts";

export const markIn = { queued: 1, reply: 2, related: 4, dnat: 8 } as const;
export const markHeld = { sg: 0x40, k8s: 0x80 } as const;
export const markVerdict = { untouched: 0, acceptThis: 0x10, acceptBoth: 0x20, deny: 0x30 } as const;
/** With verdict `deny`: further attempts of this kind, whatever their source port, are denied too. */
export const markRemember = 0x40;
export const markVerdictMask = 0x30;
export const ctAccept = { original: 0x10, reply: 0x20 } as const;
export const markEpochMask = 0x0f;

/** The low nibble of a queued packet's byte for each state. */
export const markStates = {
  original: markIn.queued,
  reply: markIn.queued | markIn.reply,
  related: markIn.queued | markIn.related,
  midstream: markIn.queued | markIn.related | markIn.reply | markIn.dnat,
  untracked: markIn.queued | markIn.related | markIn.reply,
  invalid: markIn.queued | markIn.related | markIn.dnat,
} as const satisfies Record<keyof typeof PacketState, number>;

/**
 * The byte of a packet that waits for its address to be known: it isn't to be judged. What the rules show to the observer
 * of DNS has byte 0. So whoever serves a queue sees what isn't for it, as rules of another run may send it.
 */
export const markWaiting = markIn.related;

/** PacketState by the low nibble of the byte; a nibble that no rule of ours writes is `invalid`. */
export const packetStates: readonly PacketState[] = Array.from({ length: 16 }, (_, nibble) => {
  if ((nibble & markIn.related) === 0) return (nibble & markIn.reply) === 0 ? PacketState.original : PacketState.reply;
  const name = (Object.keys(markStates) as (keyof typeof PacketState)[]).find((k) => markStates[k] === nibble);
  return name === undefined ? PacketState.invalid : PacketState[name];
});

/** Where the byte lies: 0, 8, 16 or 24, or any shift that keeps eight bits within 32. */
export interface MarkLayout {
  readonly shift: number;
  /** Eight bits at `shift`, unsigned. */
  readonly mask: number;
}

/** The layout for a mask of eight neighbouring bits; null for any other number. */
export function markLayout(mask: number): MarkLayout | null {
  for (let shift = 0; shift <= 24; shift++) {
    if ((0xff << shift) >>> 0 === mask) return { shift, mask };
  }
  return null;
}

export const defaultMarkLayout: MarkLayout = { shift: 24, mask: 0xff000000 };
