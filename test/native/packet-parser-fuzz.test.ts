/**
 * What the parser promises of any bytes: it writes one slot and no more, reads nothing past the end, says one thing
 * whatever was in the slot, and less of a packet never says something else. Failing seeds and bytes are in the message.
 */
import { describe, expect, it } from "vitest";
import { loadTestedAddon, showSlot } from "./addon.ts";
import { packets } from "./packets.ts";

const addon = loadTestedAddon();
const { slotLayout } = addon;
const GUARD = 0x5aa55aa5;
const slab = new ArrayBuffer(4 * (slotLayout.headerWords + 3 * slotLayout.slotWords));
const words = new Uint32Array(slab);
const slot = words.subarray(
  slotLayout.headerWords + slotLayout.slotWords,
  slotLayout.headerWords + 2 * slotLayout.slotWords,
);
const corpus = packets.map(({ hex }) => Buffer.from(hex, "hex"));

/** Small, fast, seeded: mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** What is said of the bytes, having shown that it depends on nothing else. */
function parse(bytes: Uint8Array): string {
  // Exactly the packet, then the same with other bytes after its end, in a slot that held something else.
  const roomy = new Uint8Array(bytes.length + 64).fill(0x11);
  roomy.set(bytes);
  words.fill(GUARD);
  addon.parsePacket(roomy.subarray(0, bytes.length), slab, 1);
  const says = showSlot(addon, words, 1);
  const first = slot.slice();
  roomy.fill(0x06, bytes.length);
  slot.fill(0xffffffff);
  addon.parsePacket(roomy.subarray(0, bytes.length), slab, 1);
  const again = showSlot(addon, words, 1);
  if (again !== says) throw new Error(`${hexOf(bytes)}: ${says}, then ${again}`);
  for (let i = 0; i < words.length; i++) {
    const isOutside = i < slot.byteOffset / 4 || i >= slot.byteOffset / 4 + slot.length;
    if (isOutside && words[i] !== GUARD) throw new Error(`${hexOf(bytes)}: wrote word ${i}`);
  }
  check(bytes, first, says);
  return says;
}

function check(bytes: Uint8Array, slotWords: Uint32Array, says: string): void {
  const fail = (why: string): never => {
    throw new Error(`${hexOf(bytes)}: ${why}: ${says}`);
  };
  const at = (field: keyof typeof slotLayout): number => slotWords[slotLayout[field]] ?? Number.NaN;
  const { unparseable, fragment } = addon.slotFlags;
  if (/with/.test(says)) fail("a field that must be 0");
  if ((at("flags") & ~(unparseable | fragment)) !== 0) fail("an unknown flag");
  if (at("flags") === (unparseable | fragment)) fail("two flags at once");
  const isParsed = at("flags") !== unparseable;
  if (isParsed !== (at("family") !== 0)) fail("a family");
  if (isParsed && at("family") !== (bytes[0] ?? 0) >> 4) fail("the wrong family");
  if (at("payloadOffset") + at("payloadBytes") > bytes.length) fail("a payload beyond the end");
  for (const port of ["sourcePort", "destinationPort"] as const) if (at(port) > 0xffff) fail(port);
  for (const byte of ["protocol", "icmpType", "icmpCode", "tcpFlags"] as const) if (at(byte) > 0xff) fail(byte);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("any bytes", () => {
  it("random ones, half of them with a plausible first byte (PL-9)", () => {
    const random = randomFrom(1);
    const seen = new Set<string>();
    for (let i = 0; i < 40_000; i++) {
      const bytes = Uint8Array.from({ length: random(160) }, () => random(256));
      if (i % 2 === 0 && bytes.length > 0) bytes[0] = [0x45, 0x46, 0x4f, 0x60][random(4)] as number;
      seen.add(parse(bytes).split(" ")[0] as string);
    }
    expect(seen).toContain("unparseable");
    expect(seen.size).toBeGreaterThan(50);
  });

  it("real packets with some bytes changed, cut, or doubled (PL-9)", () => {
    const random = randomFrom(2);
    let parsed = 0;
    for (let i = 0; i < 60_000; i++) {
      let bytes: Uint8Array = Uint8Array.from(corpus[random(corpus.length)] as Buffer).subarray(0, 300);
      for (let changes = random(4); changes >= 0 && bytes.length > 0; changes--) {
        const at = random(Math.min(bytes.length, 100));
        // Lengths, offsets and protocol numbers at their edges, more often than chance would have them.
        bytes[at] = random(2) === 0 ? random(256) : ([0, 1, 4, 6, 44, 51, 60, 127, 255][random(9)] as number);
      }
      if (random(4) === 0) bytes = bytes.subarray(0, random(bytes.length + 1));
      if (random(8) === 0) bytes = Uint8Array.from([...bytes, ...bytes]);
      if (parse(bytes) !== "unparseable") parsed++;
    }
    expect(parsed).toBeGreaterThan(5000);
  });

  it("a chain of random extension headers", () => {
    const random = randomFrom(3);
    const seen = new Set<string>();
    const kinds = [0, 43, 44, 51, 60, 60, 6, 17, 58, 132, 50, 59] as const;
    for (let i = 0; i < 20_000; i++) {
      const chain: number[] = [];
      let next: number = kinds[random(6)] as number;
      const start = next;
      while (next === 0 || next === 43 || next === 44 || next === 51 || next === 60) {
        const after = kinds[random(kinds.length)] as number;
        const units = random(3);
        const fill = next === 44 ? 6 : next === 51 ? units * 4 + 6 : units * 8 + 6;
        chain.push(after, next === 44 ? 0 : units, ...new Array<number>(fill).fill(next === 44 ? 0 : random(256)));
        next = after;
      }
      const payload = [...chain, ...new Array<number>(20).fill(1)];
      const header = [
        0x60,
        0,
        0,
        0,
        payload.length >> 8,
        payload.length & 255,
        start,
        64,
        ...new Array<number>(32).fill(7),
      ];
      const says = parse(Uint8Array.from([...header, ...payload]));
      seen.add(says.split(" ")[0] as string);
    }
    expect([...seen].sort()).toEqual(expect.arrayContaining(["50", "59", "icmpv6", "sctp", "tcp", "udp"]));
  });
});

it("every packet cut at every length says the same, or that it is unparseable (PL-9)", () => {
  let cuts = 0;
  for (const packet of corpus) {
    const whole = parse(packet);
    for (let length = 0; length < Math.min(packet.length, 400); length++) {
      const says = parse(packet.subarray(0, length));
      if (says !== "unparseable") expect([hexOf(packet), length, says]).toEqual([hexOf(packet), length, whole]);
      cuts++;
    }
  }
  expect(cuts).toBeGreaterThan(3000);
});
