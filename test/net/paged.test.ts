/** Paged memory: readers follow patches, pages come back, and tables answer like maps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Address, addressKey, Family, parseAddress } from "../../src/net/address.ts";
import { findAddress, PagedAddressTable } from "../../src/net/paged-address-table.ts";
import { PagedLists } from "../../src/net/paged-lists.ts";
import { findLongestPrefix, PagedPrefixTable } from "../../src/net/paged-prefix-table.ts";
import { PageReader, PageWriter } from "../../src/net/paged-words.ts";
import { containsAddress, formatPrefix, type Prefix, parsePrefix } from "../../src/net/prefix.ts";

const address = (text: string): Address => parseAddress(text) ?? expect.fail(text);
const prefix = (text: string): Prefix => parsePrefix(text) ?? expect.fail(text);

describe("pages", () => {
  test("a reader sees a change when it applies its patch, and not before", () => {
    const writer = new PageWriter(2);
    const reader = new PageReader(2);
    const [words, others] = writer.arrays;
    words?.set(5000, 7);
    others?.set(0, 1);
    reader.apply(structuredClone(writer.takePatch()));
    words?.set(5000, 8);
    words?.set(5001, 9);
    expect(words?.get(5000)).toBe(8);
    expect([reader.arrays[0]?.get(5000), reader.arrays[0]?.get(5001)]).toEqual([7, 0]);
    reader.apply(structuredClone(writer.takePatch()));
    expect([reader.arrays[0]?.get(5000), reader.arrays[0]?.get(5001), reader.arrays[1]?.get(0)]).toEqual([8, 9, 1]);
  });

  test("a reader that comes later gets a whole, without what isn't published", () => {
    const writer = new PageWriter(1);
    const words = writer.arrays[0];
    for (let i = 0; i < 300_000; i += 1000) words?.set(i, i);
    writer.takePatch();
    words?.set(1000, 1);
    const reader = new PageReader(1);
    reader.apply(writer.wholePatch());
    expect([reader.arrays[0]?.get(1000), reader.arrays[0]?.get(299_000)]).toEqual([1000, 299_000]);
    reader.apply(writer.takePatch());
    expect([reader.arrays[0]?.get(1000), reader.arrays[0]?.get(299_000)]).toEqual([1, 299_000]);
  });

  test("memory that a released patch replaced is used again; before that it isn't", () => {
    const writer = new PageWriter(1);
    const words = writer.arrays[0];
    const change = (round: number) => {
      for (let page = 0; page < 100; page++) words?.set(page * 1024, round);
      return writer.takePatch();
    };
    change(0);
    const reader = new PageReader(1);
    reader.apply(writer.wholePatch());
    const held = [1, 2, 3].map(change);
    const bytes = writer.bytes;
    expect(bytes).toBeGreaterThanOrEqual(4 * 100 * 4096);
    // The last patch replaced what the one before brought; the reader still knows the first.
    expect(reader.arrays[0]?.get(0)).toBe(0);
    for (const patch of held) reader.apply(patch);
    writer.release(held[2] ?? expect.fail("no patch"));
    for (let round = 4; round < 200; round++) {
      const patch = change(round);
      reader.apply(patch);
      writer.release(patch);
      expect(reader.arrays[0]?.get(99 * 1024)).toBe(round);
    }
    expect(writer.bytes).toBe(bytes);
  });

  test("lists that come and go take no more room", () => {
    const writer = new PageWriter(1);
    const words = writer.arrays[0] ?? expect.fail("no array");
    const lists = new PagedLists(words);
    const known = new Map<number, number[]>();
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed % below;
    };
    let bytes = 0;
    for (let round = 0; round < 20_000; round++) {
      if (known.size > 50) {
        const [start, list] = [...known][random(known.size)] ?? expect.fail("empty");
        expect(list.map((_, i) => words.get(start + i))).toEqual(list);
        lists.remove(start, list.length);
        known.delete(start);
      }
      const list = Array.from({ length: 1 + random(40) }, () => random(1000));
      const start = lists.add(list);
      expect(known.has(start)).toBe(false);
      known.set(start, list);
      if (round === 10_000) bytes = writer.bytes;
    }
    expect(writer.bytes).toBe(bytes);
    expect(lists.add([])).toBe(0);
  });
});

describe("tables", () => {
  const someAddress = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((n) => address(`10.0.0.${n}`)),
    fc.integer({ min: 0, max: 10 }).map((n) => address(`fd00::${n}`)),
    fc.integer({ min: 0, max: 5 }).map((n): Address => ({ family: Family.none, w0: 0, w1: 0, w2: 0, w3: n })),
    fc.constantFrom(...["255.255.255.255", "0.0.0.0", "::", "ffff:ffff::1", "::ffff:0:0:1"].map(address)),
  );

  test("an address table answers like a map while entries come and go", () => {
    const operation = fc.tuple(someAddress, fc.integer({ min: 0, max: 2 }), fc.integer({ min: -2, max: 3 }));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const writer = new PageWriter(1);
        const words = writer.arrays[0] ?? expect.fail("no array");
        const table = new PagedAddressTable(words);
        const model = new Map<string, number[]>();
        for (const [key, value, to] of operations) {
          const values = model.get(addressKey(key)) ?? [0, 0, 0];
          values[value] = to;
          model.set(addressKey(key), values);
          const isNew = values.every((one, i) => i === value || one === 0);
          if (to > 0 && value === 0 && isNew && table.get(key, 0) === 0) expect(table.insert(key, to, 0)).toBe(true);
          else table.set(key, value, to);
          if (to !== 0) expect(table.insert(key, 9, 9)).toBe(false);
          for (const i of [0, 1, 2]) expect(table.get(key, i)).toBe(values[i]);
        }
        const present = [...model.values()].filter((values) => values.some((value) => value !== 0));
        expect(table.size).toBe(present.length);
        for (const [key] of operations) {
          const values = model.get(addressKey(key)) ?? [];
          const at = findAddress(words.view, key);
          if (values.every((value) => value === 0)) expect(at).toBe(-1);
          else expect([0, 1, 2].map((i) => words.get(at + i))).toEqual(values);
        }
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  test("it grows, and room may be made at once", () => {
    for (const reserved of [0, 50_000]) {
      const writer = new PageWriter(1);
      const table = new PagedAddressTable(writer.arrays[0] ?? expect.fail("no array"));
      table.reserve(reserved);
      const at = (i: number): Address => ({ family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: 0x0a000000 + i });
      for (let i = 0; i < 50_000; i++) table.set(at(i), 0, i + 1);
      expect(table.size).toBe(50_000);
      for (let i = 0; i < 50_000; i += 97) expect(table.get(at(i), 0)).toBe(i + 1);
      for (let i = 0; i < 50_000; i += 2) table.set(at(i), 0, 0);
      for (let i = 1; i < 50_000; i += 97) expect(table.get(at(i), 0)).toBe(i % 2 === 0 ? 0 : i + 1);
    }
  });

  test("the longest prefix is found while prefixes come and go", () => {
    const texts = [
      "0.0.0.0/0",
      "10.0.0.0/8",
      "10.0.0.0/30",
      "10.0.0.4/31",
      "10.0.0.7/32",
      "128.0.0.0/1",
      "::/0",
      "fd00::/126",
      "fd00::3/128",
    ];
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: texts.length - 1 }), { maxLength: 40 }),
        fc.array(someAddress),
        (toggles, addresses) => {
          const writer = new PageWriter(2);
          const [lengths, words] = writer.arrays;
          if (!lengths || !words) return;
          const table = new PagedPrefixTable(lengths, words);
          const present = new Map<string, number>();
          for (const i of toggles) {
            const one = prefix(texts[i] as string);
            if (present.delete(formatPrefix(one))) table.remove(one);
            else {
              table.insert(one, i + 1);
              present.set(formatPrefix(one), i + 1);
            }
            expect(table.get(one)).toBe(present.get(formatPrefix(one)) ?? 0);
          }
          for (const some of addresses) {
            const holding = [...present.keys()].map(prefix).filter((one) => containsAddress(one, some));
            const longest = holding.sort((a, b) => b.length - a.length)[0];
            const expected = longest ? present.get(formatPrefix(longest)) : 0;
            expect(findLongestPrefix(lengths.view, words.view, some)).toBe(expected);
          }
        },
      ),
      { numRuns: 200, seed: 4 },
    );
  });
});
