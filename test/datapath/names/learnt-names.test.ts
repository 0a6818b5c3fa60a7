/** What is known of names, and until when. */
import { describe, expect, test } from "vitest";
import { LearntNames, learntLimits } from "../../../src/datapath/names/learnt-names.ts";
import { type Address, formatAddress, parseAddress } from "../../../src/net/address.ts";

const at = (text: string): Address => parseAddress(text) ?? expect.fail(text);
const pod = at("10.0.0.1");

function tell(
  names: LearntNames,
  name: string,
  addresses: readonly string[],
  ttlSeconds: number,
  nowMs: number,
): number {
  return names.learn(pod, { name, addresses: addresses.map(at), ttlSeconds, id: 1, type: 1 }, nowMs);
}

function changesOf(names: LearntNames): readonly string[] {
  return (names.takeChanges()?.changes ?? []).map(
    ({ name, address, isLearnt }) => `${isLearnt ? "+" : "-"}${name} ${formatAddress(address)}`,
  );
}

/** Second by second. */
function expireUntil(names: LearntNames, fromMs: number, toMs: number): void {
  for (let ms = fromMs; ms <= toMs; ms += 1000) names.expire(ms);
}

describe("what was told", () => {
  test("is new once, and ends with its time", () => {
    const names = new LearntNames();
    names.expire(10_000);
    expect(tell(names, "a.org", ["192.0.2.1", "192.0.2.2"], 10, 10_000)).toBe(1);
    expect(changesOf(names)).toEqual(["+a.org 192.0.2.1", "+a.org 192.0.2.2"]);
    expect(tell(names, "a.org", ["192.0.2.1"], 20, 15_000)).toBe(1);
    expect(changesOf(names)).toEqual([]);
    expireUntil(names, 11_000, 20_000);
    expect(changesOf(names)).toEqual([]);
    expireUntil(names, 21_000, 22_000);
    expect(changesOf(names)).toEqual(["-a.org 192.0.2.2"]);
    expireUntil(names, 23_000, 35_000);
    expect(changesOf(names)).toEqual([]);
    expireUntil(names, 36_000, 37_000);
    expect(changesOf(names)).toEqual(["-a.org 192.0.2.1"]);
    expect(names.size).toBe(0);
    expect(tell(names, "a.org", ["192.0.2.1"], 20, 40_000)).toBe(4);
  });

  test("counts for the shortest time at least, and for the longest at most", () => {
    const names = new LearntNames({ ...learntLimits, shortest: 5, longest: 60 });
    names.expire(0);
    names.expire(1000);
    tell(names, "short.org", ["192.0.2.1"], 0, 1000);
    tell(names, "long.org", ["192.0.2.1"], 2 ** 31 - 1, 1000);
    changesOf(names);
    expireUntil(names, 2000, 6000);
    expect(changesOf(names)).toEqual([]);
    expireUntil(names, 7000, 61_000);
    expect(changesOf(names)).toEqual(["-short.org 192.0.2.1"]);
    names.expire(62_000);
    expect(changesOf(names)).toEqual(["-long.org 192.0.2.1"]);
  });

  test("is forgotten where the address is somebody else's", () => {
    const names = new LearntNames();
    tell(names, "a.org", ["192.0.2.1"], 60, 0);
    names.learn(at("10.0.0.2"), { name: "a.org", addresses: [at("192.0.2.1")], ttlSeconds: 60, id: 1, type: 1 }, 0);
    names.takeChanges();
    names.forget([pod, at("10.0.0.9")]);
    expect(names.takeChanges()?.changes).toMatchObject([{ subject: pod, isLearnt: false }]);
    expect(names.size).toBe(1);
  });

  test("longest ago makes room: of a name, of a subject, of all", () => {
    const addresses = Array.from({ length: 300 }, (_, i) => `192.0.${i >> 8}.${i & 255}`);
    const names = new LearntNames();
    tell(names, "a.org", addresses, 60, 0);
    expect(names.size).toBe(256);
    expect(names.evicted).toBe(44);
    const small = new LearntNames({ ...learntLimits, addressesOfSubject: 2, addresses: 3 });
    tell(small, "a.org", ["192.0.2.1"], 60, 0);
    tell(small, "b.org", ["192.0.2.2"], 60, 0);
    tell(small, "a.org", ["192.0.2.1"], 60, 1);
    small.takeChanges();
    tell(small, "c.org", ["192.0.2.3"], 60, 2);
    expect(changesOf(small)).toEqual(["-b.org 192.0.2.2", "+c.org 192.0.2.3"]);
    small.learn(
      at("10.0.0.2"),
      { name: "d.org", addresses: [at("192.0.2.4"), at("192.0.2.5")], ttlSeconds: 9, id: 1, type: 1 },
      3,
    );
    expect(changesOf(small)).toEqual(["+d.org 192.0.2.4", "-a.org 192.0.2.1", "+d.org 192.0.2.5"]);
  });

  test("a hundred addresses of one name are kept", () => {
    const names = new LearntNames();
    tell(
      names,
      "a.org",
      Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`),
      60,
      0,
    );
    expect(names.size).toBe(100);
    expect(names.evicted).toBe(0);
  });
});

test("only names that some rule means are of interest", () => {
  const names = new LearntNames();
  expect(names.isMeant("a.example.com")).toBe(false);
  names.usePatterns(["*.Example.com.", "x.org"]);
  expect(["a.example.com", "example.com", "x.org", "a.x.org"].map((name) => names.isMeant(name))).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
