/** Kinds and prefixes come and go: each address has the class of its kind and its longest prefix, found the slow way. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { AddressIndex } from "../../../src/evaluators/kubernetes/address-index.ts";
import type { PrefixRecord } from "../../../src/evaluators/kubernetes/prefixes.ts";
import {
  AddressValue,
  ClassField,
  classWords,
  nameArrays,
  PrefixNode,
  prefixNodeWords,
  tableCount,
} from "../../../src/evaluators/kubernetes/tables.ts";
import { type Address, addressKey, Family, fromBytes } from "../../../src/net/address.ts";
import { findAddress } from "../../../src/net/paged-address-table.ts";
import { PageWriter } from "../../../src/net/paged-words.ts";
import { containsAddress, containsPrefix, formatPrefix, maskAddress, type Prefix } from "../../../src/net/prefix.ts";

const byte = fc.constantFrom(0, 1, 128, 255);
const address: fc.Arbitrary<Address> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(10, 11), byte, byte, byte).map(fromBytes) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(0xfd, 0x20), fc.array(byte, { minLength: 15, maxLength: 15 }))
      .map(([first, rest]) => fromBytes([first, ...rest])),
  },
  { weight: 1, arbitrary: fc.nat(3).map((w3): Address => ({ family: Family.none, w0: 0, w1: 0, w2: 0, w3 })) },
);
const lengths = [0, 1, 7, 8, 9, 16, 17, 24, 25, 31, 32];
const lengths6 = [0, 1, 8, 16, 32, 33, 48, 53, 54, 60, 63, 64, 65, 127, 128];
const prefix: fc.Arbitrary<Prefix> = address
  .filter(({ family }) => family !== Family.none)
  .chain((a) =>
    fc
      .constantFrom(...(a.family === Family.ipv4 ? lengths : lengths6))
      .map((length) => ({ address: maskAddress(a, length), length })),
  );
const step = fc.record({
  kinds: fc.array(fc.tuple(address, fc.integer({ min: 0, max: 3 })), { maxLength: 12 }),
  come: fc.oneof(
    { weight: 6, arbitrary: fc.array(prefix, { maxLength: 3 }) },
    // So many that the tree is made anew.
    { weight: 1, arbitrary: fc.array(prefix, { minLength: 70, maxLength: 90 }) },
  ),
  go: fc.array(fc.nat(100), { maxLength: 4 }),
  goAll: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
});

test("an address's class is its kind and its longest prefix", () => {
  let checked = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.array(address, { maxLength: 10 }), (steps, others) => {
      const writer = new PageWriter(tableCount);
      const arrays = nameArrays(writer.arrays);
      const index = new AddressIndex(arrays);
      const kinds = new Map<string, { readonly address: Address; readonly kind: number }>();
      const held: PrefixRecord[] = [];
      for (const { kinds: changes, come, go, goAll } of steps) {
        for (const one of come) held.push(index.prefixes.acquire(one));
        for (const at of goAll ? held.map((_, i) => i) : go) {
          const record = held[at];
          if (!record || record.uses === 0) continue;
          index.prefixes.release(record);
        }
        for (const record of [...held]) {
          // Each use was one entry.
          if (held.filter((one) => one === record).length > record.uses) held.splice(held.indexOf(record), 1);
        }
        index.settlePrefixes();
        for (const [a, kind] of changes) {
          index.setKind(a, kind);
          if (kind === 0) kinds.delete(addressKey(a));
          else kinds.set(addressKey(a), { address: a, kind });
        }

        const present = [...new Map(held.map((record) => [formatPrefix(record.prefix), record])).values()];
        for (const record of present) {
          const outer = present
            .filter((one) => one !== record && containsPrefix(one.prefix, record.prefix))
            .sort((a, b) => b.prefix.length - a.prefix.length)[0];
          expect(arrays.prefixNodes.get(record.number * prefixNodeWords + PrefixNode.parent)).toBe(outer?.number ?? 0);
        }
        const longest = (a: Address): number =>
          present.filter((one) => containsAddress(one.prefix, a)).sort((a, b) => b.prefix.length - a.prefix.length)[0]
            ?.number ?? 0;
        const classes = new Map<number, string>();
        const pairs = new Map<string, number>();
        for (const { address: a, kind } of kinds.values()) {
          const own = arrays.addresses.get(findAddress(arrays.addresses.view, a) + AddressValue.class);
          const at = own * classWords;
          const pair = [arrays.classes.get(at + ClassField.kind), arrays.classes.get(at + ClassField.prefix)];
          expect(pair).toEqual([kind, longest(a)]);
          // One class is one pair, and one pair one class.
          expect(classes.get(own) ?? `${pair}`).toBe(`${pair}`);
          expect(pairs.get(`${pair}`) ?? own).toBe(own);
          classes.set(own, `${pair}`);
          pairs.set(`${pair}`, own);
          checked++;
        }
        for (const a of others) expect(index.prefixes.longestOf(a)).toBe(longest(a));
      }
    }),
    { numRuns: 300, seed: 20261103 },
  );
  expect(checked).toBeGreaterThan(3000);
});
