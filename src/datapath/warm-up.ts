/**
 * The packet path is fast only once it's compiled to machine code, which takes thousands of packets. Those are made up
 * here and judged before the queue is bound, by a loop of their own: nobody's flows, no counter, no memory of any. Users'
 * own evaluators don't take part: what they do with a packet is theirs.
 */
import type { Program } from "../engine/program.ts";
import type { SlotLayout } from "../kernel/addon.ts";
import { type MarkLayout, markHeld, markStates } from "../model/mark.ts";
import { type Address, Family, parseAddress } from "../net/address.ts";
import { Protocol } from "../net/protocol.ts";
import { Counters } from "./counters.ts";
import { Loop, type LoopOptions } from "./loop.ts";

const BATCH = 8;
const PACKETS = 30_000;
/** On a machine that is busy with other things, enforcement isn't kept waiting. */
const MOST_MS = 300;

/** Documentation's addresses, whom no policy names. */
const strangers = ["192.0.2.1", "198.51.100.2", "2001:db8::1", "2001:db8:1::2"].map((text) => parseAddress(text)!);
const protocols = [Protocol.tcp, Protocol.tcp, Protocol.udp, Protocol.udp, Protocol.icmp, Protocol.sctp] as const;
const ports = [22, 53, 80, 443, 5432, 8080, 9000, 30_000] as const;
/** As often as they are met: most packets that are queued begin a flow. */
const states = [
  ...Array<number>(10).fill(markStates.original),
  markStates.original | markHeld.sg,
  markStates.reply,
  markStates.reply,
  markStates.related,
  markStates.midstream,
  markStates.untracked,
] as const;

/** `addresses`: some that policies are about. */
export function warmUp(
  options: Omit<LoopOptions, "slab" | "counters">,
  program: Program,
  addresses: readonly Address[],
): void {
  const { layout, mark } = options;
  const slab = new SharedArrayBuffer(4 * (layout.headerWords + BATCH * layout.slotWords));
  const words = new Uint32Array(slab);
  const loop = new Loop({ ...options, slab, counters: new Counters() }, program, 1);
  const ends = [Family.ipv4, Family.ipv6].map((family) =>
    [...addresses, ...strangers].filter((address) => address.family === family),
  );
  const random = randomNumbers();
  const until = performance.now() + MOST_MS;
  for (let packets = 0; packets < PACKETS && performance.now() < until; ) {
    // Alone, as most come, or several at once.
    const count = random() % 4 === 0 ? BATCH : 1;
    for (let i = 0; i < count; i++) {
      const at = layout.headerWords + i * layout.slotWords;
      fill(words, at, layout, mark, ends[random() & 1] as readonly Address[], random);
    }
    loop.decideBatch(count, (packets & 1) === 0);
    const answered = layout.answered + 2 * (words[layout.answeredBatches] as number);
    words[answered] = random() >>> 12;
    words[answered + 1] = count;
    (words[layout.answeredBatches] as number)++;
    if (random() % 2 === 0) loop.settle();
    packets += count;
  }
}

function fill(
  words: Uint32Array,
  at: number,
  layout: SlotLayout,
  mark: MarkLayout,
  ends: readonly Address[],
  random: () => number,
): void {
  const source = pick(ends, random());
  const protocol = pick(protocols, random());
  const isIcmp = protocol === Protocol.icmp;
  words.fill(0, at, at + layout.slotWords);
  words[at + layout.family] = source.family === Family.ipv6 ? 6 : 4;
  words[at + layout.protocol] = isIcmp && source.family === Family.ipv6 ? Protocol.icmpv6 : protocol;
  writeAddress(words, at + layout.source, source, random);
  writeAddress(words, at + layout.destination, pick(ends, random()), random);
  if (isIcmp) {
    words[at + layout.icmpType] = source.family === Family.ipv6 ? 128 : 8;
  } else {
    words[at + layout.sourcePort] = 1024 + (random() % 60_000);
    words[at + layout.destinationPort] = random() % 8 === 0 ? random() % 65_536 : pick(ports, random());
  }
  words[at + layout.tcpFlags] = protocol === Protocol.tcp ? 2 : 0;
  words[at + layout.markIn] = (pick(states, random()) << mark.shift) >>> 0;
}

/** Or a neighbour: no resource's address, but within the same prefixes. */
function writeAddress(words: Uint32Array, at: number, { w0, w1, w2, w3 }: Address, random: () => number): void {
  words[at] = w0;
  words[at + 1] = w1;
  words[at + 2] = w2;
  words[at + 3] = random() % 4 === 0 ? w3 ^ (random() >>> (random() % 32)) : w3;
}

function pick<T>(values: readonly T[], number: number): T {
  return values[number % values.length] as T;
}

/** Xorshift (Marsaglia 2003). */
function randomNumbers(): () => number {
  let x = 0x2545f491;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
