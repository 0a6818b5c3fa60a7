import { describe, expect, test } from "vitest";
import { Family, formatAddress, fromBytes, parseAddress, toBytes, unnumberedAddress } from "../../src/net/address.ts";

describe("parseAddress", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:DB8::1", "2001:db8::1"],
    ["::", "::"],
    ["DEF-4: a mapped text means IPv4", "10.0.0.1", "::ffff:10.0.0.1"],
    ["DEF-4: a mapped text in hex means IPv4", "10.0.0.1", "::ffff:a00:1"],
  ])("%s → %s", (name, expected, text = name) => {
    const address = parseAddress(text);
    expect(address && formatAddress(address)).toBe(expected);
  });

  test.each(["", "10.0.0", "10.0.0.256", "010.0.0.1", "0x0a000001", "10.0.0.1/8", "fe80::1%eth0", "::g", "167772161"])(
    "%j is no address",
    (text) => expect(parseAddress(text)).toBeNull(),
  );
});

test("bytes and words are the same address", () => {
  const bytes = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe];
  expect(toBytes(fromBytes(bytes))).toEqual(bytes);
  expect(fromBytes([255, 0, 0, 1])).toEqual({ family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: 0xff000001 });
});

test("an endpoint without an address has a text of its own", () => {
  expect(formatAddress(unnumberedAddress(3))).toBe("none#3");
});
