/** What answers of DNS teach, and which of them wait, and until when; none is ever refused. */
import { describe, expect, test } from "vitest";
import { NF_ACCEPT, NF_STOLEN } from "../../../src/datapath/answer.ts";
import { AskedNames } from "../../../src/datapath/names/asked-names.ts";
import { LearntNames } from "../../../src/datapath/names/learnt-names.ts";
import { NameObserver } from "../../../src/datapath/names/name-observer.ts";
import { NamesCounter, NamesCounters } from "../../../src/datapath/names/names-counters.ts";
import { NewsBudget } from "../../../src/datapath/names/news-budget.ts";
import { parseAddress } from "../../../src/net/address.ts";
import { DnsType, encodeDns, withLength } from "../../support/dns.ts";
import { slotFlags, slotLayout } from "../slot.ts";

const PACKET_BYTES = 512;
const MARK = 0x1234;
const subject = parseAddress("10.0.0.1")?.w3 as number;

interface Packet {
  readonly payload: Uint8Array;
  readonly protocol?: number;
  readonly flags?: number;
  readonly sequence?: number;
  /** The pod's. */
  readonly port?: number;
  /** From the pod to the server. */
  readonly isSent?: boolean;
}

const server = parseAddress("10.0.0.53")?.w3 as number;

function answerOf(name: string, address = "192.0.2.1"): Buffer {
  return encodeDns({ question: name, answers: [{ name, type: DnsType.a, data: address }] });
}

function queryOf(name: string, id = 1, type: number = DnsType.a): Buffer {
  return encodeDns({ id, flags: 0x0100, question: name, type });
}

class Bench {
  readonly counters = new NamesCounters();
  readonly names = new LearntNames();
  readonly #slab = new SharedArrayBuffer(4 * (slotLayout.headerWords + 4 * slotLayout.slotWords));
  readonly #packets = new SharedArrayBuffer(4 * PACKET_BYTES);
  readonly #words = new Uint32Array(this.#slab);
  readonly observer = new NameObserver({
    ...{ layout: slotLayout, flags: slotFlags, slab: this.#slab, packets: this.#packets, packetBytes: PACKET_BYTES },
    ...{ places: 2, deadlineMs: 100, asked: new AskedNames(), names: this.names },
    ...{ budget: new NewsBudget({ burst: 3, intervalMs: 20 }), counters: this.counters },
  });

  constructor() {
    this.names.usePatterns(["*.example.com"]);
  }

  /** `goes`, or the place where it waits. */
  see(packets: readonly Packet[], nowMs: number): readonly string[] {
    packets.forEach(({ payload, protocol = 17, flags = 0, sequence = 0, port = 40_000, isSent = false }, i) => {
      const at = slotLayout.headerWords + i * slotLayout.slotWords;
      const words = this.#words.subarray(at, at + slotLayout.slotWords);
      words.fill(0);
      words[slotLayout.family] = 4;
      words[slotLayout.protocol] = protocol;
      words[slotLayout.source + 3] = isSent ? subject : server;
      words[slotLayout.destination + 3] = isSent ? server : subject;
      words[slotLayout.sourcePort] = isSent ? port : 53;
      words[slotLayout.destinationPort] = isSent ? 53 : port;
      words[slotLayout.flags] = flags;
      words[slotLayout.tcpSequence] = sequence;
      words[slotLayout.payloadOffset] = 28;
      words[slotLayout.payloadBytes] = payload.length;
      words[slotLayout.markIn] = MARK;
      new Uint8Array(this.#packets).set(payload, i * PACKET_BYTES + 28);
    });
    this.observer.decideBatch(packets.length, nowMs);
    return packets.map((_, i) => {
      const at = slotLayout.headerWords + i * slotLayout.slotWords;
      const [verdict, mark] = [this.#words[at + slotLayout.verdict], this.#words[at + slotLayout.markOut]];
      if (verdict === NF_STOLEN) return `waits at ${mark}`;
      return verdict === NF_ACCEPT && mark === MARK ? "goes" : `${verdict} ${mark}`;
    });
  }

  /** The pod asks, as often. */
  ask(name: string, times = 1, nowMs = 0): void {
    const packet = { payload: queryOf(name), isSent: true };
    for (let i = 0; i < times; i++) expect(this.see([packet], nowMs)).toEqual(["goes"]);
  }

  taken(count: number): readonly number[] {
    return [...this.observer.taken.subarray(0, count)].sort();
  }
}

describe("an answer", () => {
  test("that says something new waits until that is in force, and the next one doesn't", () => {
    const bench = new Bench();
    const packet = { payload: answerOf("a.example.com") };
    bench.ask("a.example.com", 3);
    expect(bench.see([packet, packet], 0)).toEqual(["waits at 1", "waits at 0"]);
    const told = bench.names.takeChanges();
    expect(told?.changes).toHaveLength(1);
    expect(bench.observer.settle(0, 5)).toBe(0);
    expect(bench.observer.nextDeadlineMs).toBe(100);
    expect(bench.taken(bench.observer.settle(told?.batch as number, 7))).toEqual([0, 1]);
    expect(bench.observer.nextDeadlineMs).toBe(null);
    expect(bench.see([packet], 10)).toEqual(["goes"]);
    expect(bench.counters.get(NamesCounter.inForce)).toBe(2);
    expect(bench.counters.get(NamesCounter.waitedMs)).toBe(14);
    expect(bench.counters.get(NamesCounter.known)).toBe(1);
  });

  test("goes on after a moment, whatever became of what it says", () => {
    const bench = new Bench();
    bench.ask("a.example.com");
    bench.see([{ payload: answerOf("a.example.com") }], 0);
    expect(bench.observer.takeLate(99)).toBe(0);
    expect(bench.taken(bench.observer.takeLate(100))).toEqual([1]);
    expect(bench.counters.get(NamesCounter.late)).toBe(1);
    expect(bench.observer.takeAll(200)).toBe(0);
  });

  test("goes on at once where there's no room to wait, and is learnt all the same", () => {
    const bench = new Bench();
    const packets = ["a", "b", "c"].map((label) => ({ payload: answerOf(`${label}.example.com`) }));
    for (const label of ["a", "b", "c"]) bench.ask(`${label}.example.com`);
    expect(bench.see(packets, 0)).toEqual(["waits at 1", "waits at 0", "goes"]);
    expect(bench.names.takeChanges()?.changes).toHaveLength(3);
    expect(bench.counters.get(NamesCounter.refused)).toBe(1);
    expect(bench.taken(bench.observer.takeAll(1))).toEqual([0, 1]);
  });

  test.each<[string, Packet]>([
    ["of a name that no rule means", { payload: answerOf("a.example.org") }],
    ["of no addresses", { payload: encodeDns({ question: "a.example.com" }) }],
    ["that is none", { payload: Buffer.from("garbage") }],
    ["of another protocol", { payload: answerOf("a.example.com"), protocol: 132 }],
    ["in a packet that can't be parsed", { payload: answerOf("a.example.com"), flags: slotFlags.unparseable }],
    ["in a fragment", { payload: answerOf("a.example.com"), flags: slotFlags.fragment }],
  ])("%s goes on at once and teaches nothing", (_, packet) => {
    const bench = new Bench();
    for (const name of ["a.example.org", "a.example.com"]) bench.ask(name);
    expect(bench.see([packet], 0)).toEqual(["goes"]);
    expect(bench.names.takeChanges()).toBe(null);
  });

  test.each<[string, Packet]>([
    ["has another number", { payload: queryOf("a.example.com", 2) }],
    ["has another name", { payload: queryOf("b.example.com") }],
    ["has another type", { payload: queryOf("a.example.com", 1, DnsType.aaaa) }],
    ["came from another port", { payload: queryOf("a.example.com"), port: 40_001 }],
    ["went by another protocol", { payload: withLength(queryOf("a.example.com")), protocol: 6 }],
    ["was the server's", { payload: queryOf("a.example.com"), isSent: false }],
  ])("to a query that %s goes on at once and teaches nothing", (_, query) => {
    const bench = new Bench();
    expect(bench.see([{ isSent: true, ...query }, { payload: answerOf("a.example.com") }], 0)).toEqual([
      "goes",
      "goes",
    ]);
    expect(bench.names.takeChanges()).toBe(null);
    expect(bench.counters.get(NamesCounter.unasked)).toBe(1);
  });

  test("that says something new goes on at once where its pod has heard too much, and counts when it's asked again", () => {
    const bench = new Bench();
    for (const label of ["a", "b", "c", "d", "a"]) bench.ask(`${label}.example.com`);
    const answer = (label: string) => ({ payload: answerOf(`${label}.example.com`) });
    bench.see(["a", "b", "c", "d"].map(answer), 0);
    expect(bench.names.size).toBe(3);
    expect(bench.counters.get(NamesCounter.capped)).toBe(1);
    // What is known costs nothing.
    bench.see([answer("a")], 1);
    bench.ask("d.example.com", 1, 20);
    bench.see([answer("d")], 20);
    expect(bench.names.size).toBe(4);
    expect(bench.counters.get(NamesCounter.capped)).toBe(1);
  });

  test("teaches as often as was asked, and not after ten seconds", () => {
    const bench = new Bench();
    const packet = { payload: answerOf("a.example.com") };
    bench.ask("a.example.com");
    expect(bench.see([packet], 0)).toEqual(["waits at 1"]);
    const other = { payload: answerOf("a.example.com", "192.0.2.66") };
    expect(bench.see([other], 1)).toEqual(["goes"]);
    bench.ask("a.example.com", 1, 5000);
    expect(bench.see([other], 15_000)).toEqual(["goes"]);
    expect(bench.names.size).toBe(1);
    expect(bench.counters.get(NamesCounter.unasked)).toBe(2);
  });

  test("of TCP waits with its last segment", () => {
    const bench = new Bench();
    const query = withLength(queryOf("a.example.com"));
    const asked = { protocol: 6, isSent: true };
    const rest = Buffer.concat([query, query]);
    bench.see([{ payload: query, ...asked }], 0);
    bench.see([{ payload: rest.subarray(0, 7), sequence: query.length, ...asked }], 0);
    bench.see([{ payload: rest.subarray(7), sequence: query.length + 7, ...asked }], 0);
    const message = withLength(answerOf("a.example.com"));
    const [first, second] = [message.subarray(0, 9), message.subarray(9)];
    expect(bench.see([{ payload: message, protocol: 6 }], 0)).toEqual(["waits at 1"]);
    const again = { protocol: 6, sequence: message.length };
    expect(bench.see([{ payload: first, ...again }], 1)).toEqual(["goes"]);
    const last = { payload: second, protocol: 6, sequence: message.length + 9 };
    expect(bench.see([last], 2)).toEqual(["waits at 0"]);
    expect(bench.see([{ ...last, sequence: 5000 }], 3)).toEqual(["goes"]);
    expect(bench.counters.get(NamesCounter.lost)).toBe(1);
  });
});
