import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { Family, parseAddress } from "../../src/net/address.ts";

/** Four parts that are nearly right: missing digits, leading zeros, numbers about 255, strange separators. */
const part = fc.oneof(
  fc.integer({ min: 0, max: 300 }).map(String),
  fc.constantFrom("", "00", "01", "0x1", "255", "256", " 1", "1e1", "٣"),
);
const quad = fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));

test("a dotted quad is read exactly where ipaddr.js reads one", () => {
  fc.assert(
    fc.property(fc.oneof(quad, fc.ipV4()), (text) => {
      const isQuad = ipaddr.IPv4.isValidFourPartDecimal(text);
      const bytes = isQuad ? ipaddr.IPv4.parse(text).toByteArray() : [];
      const w3 = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
      expect(parseAddress(text)).toEqual(isQuad ? { family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3 } : null);
    }),
    { numRuns: 2000 },
  );
});
