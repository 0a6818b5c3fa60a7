/**
 * What becomes of an answer of DNS (AN-30): what it says is learnt, and where that is news it waits until the news is in
 * force, so that the pod's first packet finds its way open. It waits a moment at most; nothing here refuses an answer.
 */
import type { SlotFlags, SlotLayout } from "../../kernel/addon.ts";
import { type Address, Family } from "../../net/address.ts";
import { readDnsAnswer } from "../../net/dns-message.ts";
import { Protocol } from "../../net/protocol.ts";
import { NF_ACCEPT, NF_STOLEN } from "../answer.ts";
import { DnsStreams } from "./dns-streams.ts";
import type { LearntNames } from "./learnt-names.ts";
import { NamesCounter, type NamesCounters } from "./names-counters.ts";

export interface NameObserverOptions {
  readonly layout: SlotLayout;
  readonly flags: SlotFlags;
  readonly slab: SharedArrayBuffer;
  /** The packets themselves, as many bytes for each slot. */
  readonly packets: SharedArrayBuffer;
  readonly packetBytes: number;
  /** How many may wait. */
  readonly places: number;
  readonly deadlineMs: number;
  readonly names: LearntNames;
  readonly counters: NamesCounters;
}

interface Waiting {
  readonly place: number;
  /** What it waits for. */
  readonly batch: number;
  readonly sinceMs: number;
}

export class NameObserver {
  readonly #options: NameObserverOptions;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #streams = new DnsStreams();
  readonly #free: number[];
  #waiting: Waiting[] = [];
  #inForce = 0;
  /** Places of packets that go on now, from the start. */
  readonly taken: Uint32Array;

  constructor(options: NameObserverOptions) {
    this.#options = options;
    this.#words = new Uint32Array(options.slab);
    this.#bytes = new Uint8Array(options.packets);
    this.#free = Array.from({ length: options.places }, (_, i) => i);
    this.taken = new Uint32Array(options.places);
  }

  /** When the next one has waited long enough; null where none waits. */
  get nextDeadlineMs(): number | null {
    const [first] = this.#waiting;
    return first === undefined ? null : first.sinceMs + this.#options.deadlineMs;
  }

  /** Answers slots 0 … count-1. */
  decideBatch(count: number, nowMs: number): void {
    const { layout, packetBytes } = this.#options;
    for (let i = 0; i < count; i++) {
      const at = layout.headerWords + i * layout.slotWords;
      const batch = this.#observe(at, i * packetBytes, nowMs);
      this.#answer(at, batch, nowMs);
    }
  }

  /** How many packets' news are in force. */
  settle(batch: number, nowMs: number): number {
    this.#inForce = Math.max(this.#inForce, batch);
    return this.#take(nowMs, NamesCounter.inForce, (waiting) => waiting.batch <= this.#inForce);
  }

  /** How many packets have waited long enough. */
  takeLate(nowMs: number): number {
    const { deadlineMs } = this.#options;
    return this.#take(nowMs, NamesCounter.late, ({ sinceMs }) => sinceMs + deadlineMs <= nowMs);
  }

  /** All of them: the end. */
  takeAll(nowMs: number): number {
    return this.#take(nowMs, NamesCounter.late, () => true);
  }

  #answer(at: number, batch: number, nowMs: number): void {
    const { layout, counters } = this.#options;
    const words = this.#words;
    words[at + layout.verdict] = NF_ACCEPT;
    words[at + layout.markOut] = words[at + layout.markIn] as number;
    if (batch <= this.#inForce) return;
    const place = this.#free.pop();
    if (place === undefined) {
      counters.add(NamesCounter.refused, 1);
      return;
    }
    this.#waiting.push({ place, batch, sinceMs: nowMs });
    words[at + layout.verdict] = NF_STOLEN;
    words[at + layout.markOut] = place;
  }

  /** The batch that has to be in force for what the packet says; 0 where it says nothing of interest. */
  #observe(at: number, packet: number, nowMs: number): number {
    const { layout, flags, counters } = this.#options;
    const words = this.#words;
    const word = (offset: number): number => words[at + offset] as number;
    if ((word(layout.flags) & (flags.unparseable | flags.fragment)) !== 0) return 0;
    const start = packet + word(layout.payloadOffset);
    const payload = this.#bytes.subarray(start, start + word(layout.payloadBytes));
    const family = word(layout.family) === 6 ? Family.ipv6 : Family.ipv4;
    const subject = readAddress(words, at + layout.destination, family);
    if (word(layout.protocol) === Protocol.udp) return this.#learn(subject, payload, nowMs);
    if (word(layout.protocol) !== Protocol.tcp) return 0;
    const source = words.subarray(at + layout.source, at + layout.source + 4).join();
    const { family: f, w0, w1, w2, w3 } = subject;
    const ports = `${word(layout.sourcePort)} ${word(layout.destinationPort)}`;
    const segment = { sequence: word(layout.tcpSequence), tcpFlags: word(layout.tcpFlags), payload };
    const messages = this.#streams.take(`${f} ${source} ${w0} ${w1} ${w2} ${w3} ${ports}`, segment);
    if (messages === null) counters.add(NamesCounter.lost, 1);
    let batch = 0;
    for (const message of messages ?? []) batch = Math.max(batch, this.#learn(subject, message, nowMs));
    return batch;
  }

  #learn(subject: Address, message: Uint8Array, nowMs: number): number {
    const { names, counters } = this.#options;
    const answer = readDnsAnswer(message);
    if (answer === "malformed") counters.add(NamesCounter.malformed, 1);
    if (answer === null) counters.add(NamesCounter.other, 1);
    if (answer === null || answer === "malformed") return 0;
    if (!names.isMeant(answer.name)) {
      counters.add(NamesCounter.other, 1);
      return 0;
    }
    const batch = names.learn(subject, answer, nowMs);
    counters.add(batch <= this.#inForce ? NamesCounter.known : NamesCounter.learnt, 1);
    counters.set(NamesCounter.addresses, names.size);
    counters.set(NamesCounter.evicted, names.evicted);
    return batch;
  }

  #take(nowMs: number, counter: NamesCounter, isOver: (waiting: Waiting) => boolean): number {
    const { counters } = this.#options;
    let taken = 0;
    this.#waiting = this.#waiting.filter((waiting) => {
      if (!isOver(waiting)) return true;
      this.taken[taken++] = waiting.place;
      this.#free.push(waiting.place);
      counters.add(counter, 1);
      counters.add(NamesCounter.waitedMs, nowMs - waiting.sinceMs);
      return false;
    });
    return taken;
  }
}

function readAddress(words: Uint32Array, at: number, family: Family): Address {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words.subarray(at, at + 4);
  return { family, w0, w1, w2, w3 };
}
