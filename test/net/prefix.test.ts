import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/net/address.ts";
import { containsAddress, containsPrefix, formatPrefix, parsePrefix } from "../../src/net/prefix.ts";

const prefix = (text: string) => parsePrefix(text) ?? expect.fail(text);
const address = (text: string) => parseAddress(text) ?? expect.fail(text);

describe("parsePrefix", () => {
  test.each([
    ["DEF-5: host bits are masked", "100.68.0.18/18", "100.68.0.0/18"],
    ["whole IPv4", "1.2.3.4/0", "0.0.0.0/0"],
    ["IPv6", "2001:db8:ffff::1/33", "2001:db8:8000::/33"],
    ["DEF-4: mapped", "::ffff:10.1.2.3/104", "10.0.0.0/8"],
  ])("%s", (_, text, expected) => expect(formatPrefix(prefix(text))).toBe(expected));

  test.each([
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "::/129",
    "10.0.0.0/8;x",
    "/8",
    "::ffff:1.2.3.4/90",
  ])("%j is no prefix", (text) => expect(parsePrefix(text)).toBeNull());
});

test.each([
  ["10.0.0.0/8", "10.255.255.255", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "10.0.0.1", false],
  ["2001:db8::/33", "2001:db8:8000::", false],
  ["2001:db8::/32", "2001:db8:8000::", true],
])("SG-21: %s contains %s: %s", (p, a, expected) => expect(containsAddress(prefix(p), address(a))).toBe(expected));

test("containsPrefix is ⊇", () => {
  expect(containsPrefix(prefix("10.0.0.0/8"), prefix("10.0.0.0/8"))).toBe(true);
  expect(containsPrefix(prefix("10.0.0.0/8"), prefix("10.0.0.0/7"))).toBe(false);
  expect(containsPrefix(prefix("0.0.0.0/0"), prefix("::/0"))).toBe(false);
});
