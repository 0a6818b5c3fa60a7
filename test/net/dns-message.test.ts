/** What answers of DNS say, whoever wrote them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddress } from "../../src/net/address.ts";
import { isDnsQuery, readDnsAnswer, readDnsQuery } from "../../src/net/dns-message.ts";
import { DnsType, encodeDns, encodeName, uint16 } from "../support/dns.ts";

function summary(bytes: Uint8Array): string {
  const answer = readDnsAnswer(bytes);
  if (answer === null || answer === "malformed") return `${answer}`;
  return `${answer.name} ${answer.addresses.map(formatAddress).join(",")} ${answer.ttlSeconds}`;
}

const a = (name: string, data: string, ttl = 60) => ({ name, type: DnsType.a, data, ttl });
const cname = (name: string, data: string, ttl = 60) => ({ name, type: DnsType.cname, data, ttl });
const question = "a.example.com";

describe("an answer", () => {
  test.each<[string, Parameters<typeof encodeDns>[0], string]>([
    ["an address", { question, answers: [a(question, "192.0.2.1", 30)] }, "a.example.com 192.0.2.1 30"],
    [
      "two, one of them twice, the shorter time",
      { question, answers: [a(question, "192.0.2.1", 30), a(question, "192.0.2.2", 20), a(question, "192.0.2.1", 40)] },
      "a.example.com 192.0.2.1,192.0.2.2 20",
    ],
    [
      "of the other family",
      { question, type: DnsType.aaaa, answers: [{ name: question, type: DnsType.aaaa, data: "2001:db8::1" }] },
      "a.example.com 2001:db8::1 60",
    ],
    [
      "AN-29 mixed case",
      { question: "A.eXample.COM", answers: [a("a.EXAMPLE.com", "192.0.2.1")] },
      "a.example.com 192.0.2.1 60",
    ],
    [
      "AN-30 through aliases in any order, with the shortest time of the chain",
      { question, answers: [a("c.net", "192.0.2.1", 300), cname("b.org", "C.net", 7), cname(question, "B.org", 40)] },
      "a.example.com 192.0.2.1 7",
    ],
    [
      "nothing of a name that the chain doesn't reach",
      { question, answers: [cname(question, "b.org"), a("c.net", "192.0.2.1"), a("b.org", "192.0.2.2")] },
      "a.example.com 192.0.2.2 60",
    ],
    ["a chain that ends elsewhere", { question, answers: [cname(question, "b.org")] }, "null"],
    ["a loop of aliases", { question, answers: [cname(question, "b.org"), cname("b.org", question)] }, "null"],
    [
      "an alias of itself",
      { question, answers: [cname(question, question), a(question, "192.0.2.1", 9)] },
      "a.example.com 192.0.2.1 9",
    ],
    [
      "records of another type among them",
      {
        question,
        answers: [{ name: question, type: DnsType.txt, data: Buffer.from("\x03abc") }, a(question, "192.0.2.1")],
      },
      "a.example.com 192.0.2.1 60",
    ],
    [
      "the other family where it wasn't asked for",
      { question, answers: [{ name: question, type: DnsType.aaaa, data: "2001:db8::1" }] },
      "null",
    ],
    ["a time that is none", { question, answers: [a(question, "192.0.2.1", 0x80000001)] }, "a.example.com 192.0.2.1 0"],
    [
      "one that was cut short",
      { question, flags: 0x8380, answers: [a(question, "192.0.2.1")] },
      "a.example.com 192.0.2.1 60",
    ],
    [
      "a name with a byte that no host has",
      { question: "a\u00ff.example.com", answers: [a("a\u00ff.example.com", "192.0.2.1")] },
      "null",
    ],
    ["a query", { question, flags: 0x0100, answers: [a(question, "192.0.2.1")] }, "null"],
    ["no such name", { question, flags: 0x8183, answers: [a(question, "192.0.2.1")] }, "null"],
    ["another opcode", { question, flags: 0xa800, answers: [a(question, "192.0.2.1")] }, "null"],
    ["no question", { question: null, answers: [a(question, "192.0.2.1")] }, "null"],
    ["a question for something else", { question, type: DnsType.txt, answers: [a(question, "192.0.2.1")] }, "null"],
    [
      "an address of a wrong size",
      { question, answers: [{ name: question, type: DnsType.a, data: Buffer.alloc(5) }] },
      "malformed",
    ],
    [
      "an alias behind which something is left",
      {
        question,
        answers: [{ name: question, type: DnsType.cname, data: Buffer.concat([encodeName("b.org"), Buffer.alloc(1)]) }],
      },
      "malformed",
    ],
  ])("%s", (_, message, expected) => {
    expect(summary(encodeDns(message))).toBe(expected);
  });

  test("a label with a dot in it is not two labels", () => {
    const header = uint16(1, 0x8180, 1, 1, 0, 0);
    const name = Buffer.from("\x0da.example.com\x00", "latin1");
    const record = Buffer.concat([uint16(0xc00c, 1, 1, 0, 60, 4), Buffer.from([192, 0, 2, 1])]);
    expect(summary(Buffer.concat([header, name, uint16(1, 1), record]))).toBe("null");
  });

  test.each([
    ["a pointer to itself", [0xc0, 12]],
    ["a pointer ahead", [0xc0, 200]],
    ["pointers in a circle", [1, 97, 0xc0, 12]],
    ["a label of a kind that there isn't", [0x80, 0]],
    ["a label beyond the end", [63, 97]],
  ])("%s", (_, bytes) => {
    const name = Buffer.concat([Buffer.from(bytes), uint16(1, 1)]);
    expect(summary(Buffer.concat([uint16(1, 0x8180, 1, 1, 0, 0), name]))).toBe("malformed");
  });

  test("a name of more than 255 bytes", () => {
    const long = Array.from({ length: 5 }, () => "x".repeat(60)).join(".");
    expect(summary(encodeDns({ question: long, answers: [a(long, "192.0.2.1")] }))).toBe("malformed");
  });
});

const whole = encodeDns({
  question,
  answers: [cname(question, "b.org", 9), a("b.org", "192.0.2.1"), a("b.org", "192.0.2.2")],
});

test("cut anywhere, it says nothing", () => {
  for (let end = 0; end < whole.length; end++) expect(readDnsAnswer(whole.subarray(0, end))).toBe("malformed");
  expect(summary(whole)).toBe("a.example.com 192.0.2.1,192.0.2.2 9");
});

test("whatever the bytes, it throws nothing, and names the name that is in the question", () => {
  const flipped = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }).map((changes) => {
    const bytes = Buffer.from(whole);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(flipped, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      const answer = readDnsAnswer(bytes);
      if (answer === null || answer === "malformed") return;
      read++;
      expect(answer.name).toMatch(/^[-_a-z0-9]+(\.[-_a-z0-9]+)*$/);
      expect(answer.addresses.length).toBeGreaterThan(0);
      expect(Number.isInteger(answer.ttlSeconds)).toBe(true);
    }),
    { numRuns: 20_000, seed: 20261121 },
  );
  expect(read).toBeGreaterThan(500);
});

test.each<[string, Parameters<typeof encodeDns>[0], string]>([
  ["for addresses", { id: 7, flags: 0x0100, question: "A.Example.com" }, '{"id":7,"type":1,"name":"a.example.com"}'],
  ["for addresses of IPv6", { flags: 0, question, type: DnsType.aaaa }, `{"id":1,"type":28,"name":"${question}"}`],
  ["for something else", { flags: 0x0100, question, type: DnsType.txt }, "null"],
  ["of another kind", { flags: 0x2800, question }, "null"],
  ["without a question", { flags: 0x0100, question: null }, "null"],
  ["that is an answer", { question }, "null"],
])("a query %s", (_, message, expected) => {
  const bytes = encodeDns(message);
  expect(JSON.stringify(readDnsQuery(bytes))).toBe(expected);
  expect(isDnsQuery(bytes)).toBe((message.flags ?? 0x8180) < 0x8000);
  if (expected !== "null") expect(readDnsQuery(bytes.subarray(0, -1))).toBe("malformed");
});

test("what is too short is no query", () => {
  expect(isDnsQuery(Buffer.from("ab"))).toBe(false);
});
