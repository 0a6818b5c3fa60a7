import { describe, expect, it } from "vitest";
import { ipPacket, udp } from "../support/raw-packet.ts";
import { loadTestedAddon, showSlot } from "./addon.ts";
import { packets } from "./packets.ts";

const addon = loadTestedAddon();
const { slotLayout } = addon;
const slab = new SharedArrayBuffer(4 * (slotLayout.headerWords + 3 * slotLayout.slotWords));
const words = new Uint32Array(slab);

function parse(bytes: Uint8Array, index = 1): string {
  words.fill(0xa5a5a5a5);
  addon.parsePacket(bytes, slab, index);
  return showSlot(addon, words, index);
}

describe("packets", () => {
  it.each(packets)("$name", ({ hex, says }) => {
    expect(parse(Buffer.from(hex, "hex"))).toBe(says);
  });
});

describe("what TCP and UDP carry", () => {
  const syn = [0x9c, 0x40, 0, 53, 0xfe, 0xdc, 0xba, 0x98, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0];
  const withOptions = [...syn.slice(0, 12), 0x60, ...syn.slice(13), 1, 1, 1, 1];
  const v4 = (protocol: number, payload: readonly number[]) => ipPacket("10.0.0.1", "10.0.0.2", protocol, payload);
  const v6 = (protocol: number, payload: readonly number[]) => ipPacket("fd00::1", "fd00::2", protocol, payload);
  const datagram = [...udp(40000, 53), 7, 8, 9];
  it.each<[string, readonly number[], offset: number, bytes: number, sequence: number]>([
    ["UDP", v4(17, datagram), 28, 4, 0],
    ["UDP with bytes behind the packet", [...v4(17, datagram), 0, 0, 0], 28, 4, 0],
    ["UDP over IPv6", v6(17, datagram), 48, 4, 0],
    ["UDP without any", v4(17, udp(40000, 53)), 28, 1, 0],
    ["TCP", v4(6, [...syn, 1, 2]), 40, 2, 0xfedcba98],
    ["TCP with options", v4(6, [...withOptions, 1, 2]), 44, 2, 0xfedcba98],
    ["TCP with options that aren't there", v4(6, withOptions.slice(0, 22)), 0, 0, 0xfedcba98],
    ["TCP whose header is shorter than one", v4(6, [...syn.slice(0, 12), 0x40, ...syn.slice(13), 1]), 0, 0, 0xfedcba98],
    ["another protocol", v4(132, new Array<number>(20).fill(1)), 0, 0, 0],
  ])("%s", (_, bytes, offset, size, sequence) => {
    parse(Uint8Array.from(bytes));
    const at = slotLayout.headerWords + slotLayout.slotWords;
    const { payloadOffset, payloadBytes, tcpSequence } = slotLayout;
    expect([words[at + payloadOffset], words[at + payloadBytes], words[at + tcpSequence]]).toEqual([
      offset,
      size,
      sequence,
    ]);
  });
});

describe("slots", () => {
  const packet = Buffer.from(packets[0]!.hex, "hex");

  it("only the flow and the flags of its own slot are written", () => {
    const written = new Set(
      ["family", "protocol", "sourcePort", "destinationPort", "icmpType", "icmpCode", "flags", "tcpFlags"]
        .concat("tcpSequence", "payloadOffset", "payloadBytes")
        .map((name) => slotLayout[name as keyof typeof slotLayout]),
    );
    for (const at of [slotLayout.source, slotLayout.destination]) for (let i = 0; i < 4; i++) written.add(at + i);
    for (const bytes of [packet, new Uint8Array(0)]) {
      parse(bytes);
      for (let i = 0; i < words.length; i++) {
        const isOurs = written.has(i - slotLayout.headerWords - slotLayout.slotWords);
        expect([i, words[i] === 0xa5a5a5a5]).toEqual([i, !isOurs]);
      }
    }
  });

  it("the layout names every field once, inside the slot", () => {
    const { slotWords, headerWords, answeredBatches, answered, answeredRoom, ...fields } = slotLayout;
    const offsets = Object.entries(fields).flatMap(([name, at]) =>
      name === "source" || name === "destination" ? [at, at + 1, at + 2, at + 3] : [at],
    );
    expect(new Set(offsets).size).toBe(offsets.length);
    for (const at of offsets) expect(at >= 0 && at < slotWords).toBe(true);
    expect(answeredBatches >= 0 && answeredBatches < answered).toBe(true);
    expect(answered + 2 * answeredRoom).toBeLessThanOrEqual(headerWords);
  });

  it("a plain ArrayBuffer is a slab as well, and a view's own range is the packet", () => {
    const plain = new ArrayBuffer(slab.byteLength);
    const wider = new Uint8Array([0xff, 0xff, 0xff, ...packet, 0xff]);
    addon.parsePacket(wider.subarray(3, 3 + packet.length), plain, 2);
    expect(showSlot(addon, new Uint32Array(plain), 2)).toBe(packets[0]!.says);
  });

  it.each([
    ["an index beyond the slab", [packet, slab, 3]],
    ["a negative index", [packet, slab, -1]],
    ["no index", [packet, slab, Number.NaN]],
    ["an infinite index", [packet, slab, Number.POSITIVE_INFINITY]],
    ["an index that wraps round 32 bits", [packet, slab, 2 ** 32]],
    ["a slab without a slot", [packet, new ArrayBuffer(4), 0]],
    ["a slab of odd length", [packet, new ArrayBuffer(4 * slotLayout.slotWords + 1), 0]],
    ["a view in place of a slab, which would be copied", [packet, words, 0]],
    ["a list in place of a slab", [packet, { length: 1000 }, 0]],
    ["a packet that is no bytes", ["4500", slab, 0]],
    ["nothing", []],
  ])("%s is refused", (_name, args) => {
    words.fill(0xa5a5a5a5);
    expect(() => addon.parsePacket(...(args as unknown as Parameters<typeof addon.parsePacket>))).toThrow();
    expect(words.every((word) => word === 0xa5a5a5a5)).toBe(true);
  });

  it("a packet whose memory was given away is empty", () => {
    const given = new Uint8Array(packet);
    structuredClone(given.buffer, { transfer: [given.buffer] });
    expect(parse(given)).toBe("unparseable");
  });
});
