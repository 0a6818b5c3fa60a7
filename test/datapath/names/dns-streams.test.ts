/** Messages in a stream, however it was cut into segments. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DnsStreams } from "../../../src/datapath/names/dns-streams.ts";
import { withLength } from "../../support/dns.ts";

const messages = ["one", "", "a longer one", "x".repeat(3000), "last"].map((text) => Buffer.from(text));
const stream = Buffer.concat(messages.map(withLength));

test("messages come whole and in order, whatever the segments, and again where they're sent again", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), fc.nat(0xffffffff), (places, first) => {
      const streams = new DnsStreams();
      const cuts = [0, ...places.sort((a, b) => a - b), stream.length];
      const found: string[] = [];
      streams.take("f", { sequence: (first - 1) >>> 0, tcpFlags: 0x12, payload: Buffer.alloc(0) });
      cuts.slice(1).forEach((end, i) => {
        const begin = cuts[i] as number;
        const segment = { sequence: (first + begin) >>> 0, tcpFlags: 0x10, payload: stream.subarray(begin, end) };
        for (let time = 0; time < 2; time++) {
          for (const message of streams.take("f", segment) ?? expect.fail("lost"))
            found.push(Buffer.from(message).toString());
        }
      });
      expect(found).toEqual(messages.map(String));
    }),
    { numRuns: 500, seed: 20261121 },
  );
});

describe("a stream", () => {
  const data = (sequence: number, bytes: Uint8Array, tcpFlags = 0x10) => ({ sequence, tcpFlags, payload: bytes });
  const one = withLength(Buffer.from("one"));

  test("with a gap is lost, until a segment starts with a whole message", () => {
    const streams = new DnsStreams();
    streams.take("f", data(99, Buffer.alloc(0), 0x12));
    expect(streams.take("f", data(100, one.subarray(0, 3)))).toEqual([]);
    expect(streams.take("f", data(110, one))).toBe(null);
    expect(streams.take("f", data(120, one.subarray(2)))).toBe(null);
    expect(streams.take("f", data(130, one))).toEqual([Buffer.from("one")]);
  });

  test("that ends is forgotten, and so is the one that was silent longest", () => {
    const streams = new DnsStreams(2);
    streams.take("a", data(0, one));
    expect(streams.take("a", data(5, one, 0x11))).toHaveLength(1);
    expect(streams.size).toBe(0);
    for (const flow of ["a", "b", "a", "c"]) streams.take(flow, data(0, one.subarray(0, 0), 0x12));
    expect(streams.size).toBe(2);
    expect(streams.take("b", data(5, one.subarray(1)))).toBe(null);
    expect(streams.take("c", data(0, Buffer.alloc(0), 0x04))).toEqual([]);
    expect(streams.size).toBe(1);
  });
});
