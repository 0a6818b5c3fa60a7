import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  align,
  decodeAttributes,
  decodeHostUint32,
  decodeString,
  decodeUint32,
  encodeAttribute,
  encodeMessage,
  encodeNested,
  encodeNfgenmsg,
  encodeString,
  encodeUint8,
  encodeUint32,
  hostUint32,
  messageType,
} from "../../src/kernel/netlink-message.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("bytes (little endian)", () => {
  it.each([
    ["header and nothing else", encodeMessage(0x0a02, 5, 7), "10000000020a05000700000000000000"],
    ["nfgenmsg: the resource in network order", encodeNfgenmsg(1, 10), "0100000a"],
    ["a number in network order", encodeUint32(4, 0xff000001), "08000400ff000001"],
    ["a number in host order", hostUint32(0xff000001), "010000ff"],
    ["a byte is padded, its length isn't", encodeUint8(36, 1), "0500240001000000"],
    ["a string with its zero, padded", encodeString(1, "verdictd"), "0d00010076657264696374640000" + "0000"],
    ["a string that needs no padding", encodeString(1, "abc"), "0800010061626300"],
    ["nested", encodeNested(3, encodeUint8(1, 2)), "0c0003800500010002000000"],
    ["an empty attribute", encodeAttribute(9, new Uint8Array(0)), "04000900"],
    [
      "the message's length leaves its padding out",
      encodeMessage(1, 0, 0, Uint8Array.of(1)).subarray(0, 4),
      "11000000",
    ],
  ])("%s", (_, bytes, expected) => {
    expect(hex(bytes)).toBe(expected);
  });

  it("refuses an attribute that 16 bits can't measure", () => {
    expect(encodeAttribute(1, new Uint8Array(65531)).length).toBe(align(65535));
    expect(() => encodeAttribute(1, new Uint8Array(65532))).toThrow(RangeError);
  });
});

describe("reading", () => {
  it("gives back what was written", () => {
    const message = encodeMessage(16, 1, 2, encodeUint32(1, 0xdeadbeef), encodeNested(2, encodeString(3, "br0")));
    const attributes = decodeAttributes(message, 16);
    expect(messageType(message)).toBe(16);
    expect(decodeUint32(attributes.get(1))).toBe(0xdeadbeef);
    expect(decodeString(decodeAttributes(attributes.get(2)!).get(3))).toBe("br0");
    expect(decodeHostUint32(hostUint32(1, 0xfffffffe), 4)).toBe(0xfffffffe);
  });

  it("absent and short values are 0 and empty", () => {
    expect(decodeUint32(undefined)).toBe(0);
    expect(decodeUint32(Uint8Array.of(1, 2))).toBe(0);
    expect(decodeHostUint32(Uint8Array.of(1, 2, 3, 4), 1)).toBe(0);
    expect(decodeString(undefined)).toBe("");
  });

  it("any bytes end without an error and lie inside what was given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(70), (bytes, offset) => {
        for (const [type, value] of decodeAttributes(bytes, offset)) {
          expect(type).toBeLessThan(0x4000);
          expect(value.byteOffset + value.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
        }
      }),
    );
  });
});
