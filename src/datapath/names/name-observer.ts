/**
 * What becomes of a message of DNS (AN-30). What a pod asks for is noted; what an answer to it says is learnt, and where that
 * is news it waits until the news is in force, so that the pod's first packet finds its way open. It waits a moment at most;
 * nothing here refuses a message.
 */
import type { SlotFlags, SlotLayout } from "../../kernel/addon.ts";
import { type Address, addressKey, Family } from "../../net/address.ts";
import { isDnsQuery, readDnsAnswer, readDnsQuery } from "../../net/dns-message.ts";
import { Protocol } from "../../net/protocol.ts";
import { NF_ACCEPT, NF_STOLEN } from "../answer.ts";
import type { AskedNames, Asker } from "./asked-names.ts";
import { DnsStreams } from "./dns-streams.ts";
import type { LearntNames } from "./learnt-names.ts";
import { NamesCounter, type NamesCounters } from "./names-counters.ts";
import type { NewsBudget } from "./news-budget.ts";

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
  readonly asked: AskedNames;
  readonly names: LearntNames;
  readonly budget: NewsBudget;
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

  /** The batch that has to be in force for what the packet says; 0 where it says nothing new. */
  #observe(at: number, packet: number, nowMs: number): number {
    const { layout, flags, counters } = this.#options;
    const words = this.#words;
    const word = (offset: number): number => words[at + offset] as number;
    if ((word(layout.flags) & (flags.unparseable | flags.fragment)) !== 0) return 0;
    const start = packet + word(layout.payloadOffset);
    const payload = this.#bytes.subarray(start, start + word(layout.payloadBytes));
    const family = word(layout.family) === 6 ? Family.ipv6 : Family.ipv4;
    const [source, destination] = [layout.source, layout.destination].map((end) =>
      readAddress(words, at + end, family),
    );
    if (source === undefined || destination === undefined) return 0;
    const protocol = word(layout.protocol);
    const sender = { subject: source, protocol, port: word(layout.sourcePort) };
    const receiver = { subject: destination, protocol, port: word(layout.destinationPort) };
    if (protocol === Protocol.udp) return this.#read(sender, receiver, payload, nowMs);
    if (protocol !== Protocol.tcp) return 0;
    const flow = [sender, receiver].map(({ subject, port }) => `${addressKey(subject)} ${port}`).join();
    const segment = { sequence: word(layout.tcpSequence), tcpFlags: word(layout.tcpFlags), payload };
    const messages = this.#streams.take(flow, segment);
    if (messages === null) counters.add(NamesCounter.lost, 1);
    let batch = 0;
    for (const message of messages ?? []) batch = Math.max(batch, this.#read(sender, receiver, message, nowMs));
    return batch;
  }

  #read(sender: Asker, receiver: Asker, message: Uint8Array, nowMs: number): number {
    if (!isDnsQuery(message)) return this.#learn(receiver, message, nowMs);
    const { asked, names } = this.#options;
    const question = readDnsQuery(message);
    if (question !== null && question !== "malformed" && names.isMeant(question.name)) {
      asked.ask(sender, question, nowMs);
    }
    return 0;
  }

  #learn(receiver: Asker, message: Uint8Array, nowMs: number): number {
    const { asked, names, budget, counters } = this.#options;
    const answer = readDnsAnswer(message);
    if (answer === "malformed") counters.add(NamesCounter.malformed, 1);
    if (answer === null) counters.add(NamesCounter.other, 1);
    if (answer === null || answer === "malformed") return 0;
    if (!names.isMeant(answer.name)) {
      counters.add(NamesCounter.other, 1);
      return 0;
    }
    if (!asked.answers(receiver, answer, nowMs)) {
      counters.add(NamesCounter.unasked, 1);
      return 0;
    }
    if (names.isNews(receiver.subject, answer) && !budget.take(receiver.subject, nowMs)) {
      counters.add(NamesCounter.capped, 1);
      return 0;
    }
    const batch = names.learn(receiver.subject, answer, nowMs);
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
