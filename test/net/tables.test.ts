import fc from "fast-check";
import { expect, test } from "vitest";
import { type Address, addressKey, fromBytes, unnumberedAddress } from "../../src/net/address.ts";
import { buildAddressClasses, classOfAddress } from "../../src/net/address-classes.ts";
import { buildAddressTable, lookupAddress } from "../../src/net/address-table.ts";
import { containsAddress, maskAddress, type Prefix } from "../../src/net/prefix.ts";
import { buildPrefixTable, lookupPrefix } from "../../src/net/prefix-table.ts";

/** Few distinct bytes, so that prefixes nest and addresses fall on their edges. */
const byte = fc.constantFrom(0, 1, 127, 128, 254, 255);
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.array(byte, { minLength: 4, maxLength: 4 }).map(fromBytes),
  fc.array(byte, { minLength: 16, maxLength: 16 }).map(fromBytes),
);
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(address, fc.integer({ min: 0, max: 128 }))
  .map(([a, n]) => (a.family === 4 ? Math.min(32, n) : n))
  .chain((length) => address.map((a) => ({ a, length: a.family === 4 ? Math.min(32, length) : length })))
  .map(({ a, length }) => ({ address: maskAddress(a, length), length }));

function longest(prefixes: readonly Prefix[], a: Address): number {
  let best = -1;
  prefixes.forEach((p, i) => {
    if (containsAddress(p, a) && (best < 0 || p.length > (prefixes[best]?.length ?? 0))) best = i;
  });
  return best;
}

test("the prefix table finds the longest prefix, as a naive search does", () => {
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 30 }), fc.array(address, { maxLength: 20 }), (prefixes, addresses) => {
      const table = buildPrefixTable(prefixes);
      for (const a of [...addresses, ...prefixes.map((p) => p.address)]) {
        expect(lookupPrefix(table, a)).toBe(longest(prefixes, a));
      }
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("the address table finds what was put in, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(address), fc.array(address), (inside, others) => {
      const expected = new Map(inside.map((a, i) => [addressKey(a), i]));
      const table = buildAddressTable(inside.map((a, i) => [a, i] as const));
      for (const a of [...inside, ...others]) expect(lookupAddress(table, a)).toBe(expected.get(addressKey(a)) ?? -1);
    }),
    { seed: 2, numRuns: 300 },
  );
});

test("addresses of one class are in the same prefixes and have the same key", () => {
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 20 }),
      fc.array(fc.tuple(address, fc.constantFrom("a", "b")), { maxLength: 20 }),
      fc.array(address, { maxLength: 20 }),
      (prefixes, known, others) => {
        const { data, classes } = buildAddressClasses(known, prefixes);
        const keys = new Map(known.map(([a, key]) => [addressKey(a), key]));
        for (const a of [...known.map(([k]) => k), ...others]) {
          const found = classes[classOfAddress(data, a)];
          expect(found?.key).toBe(keys.get(addressKey(a)) ?? null);
          const expected = prefixes.flatMap((p, i) => (containsAddress(p, a) ? [i] : []));
          expect([...(found?.prefixes ?? [])].sort((x, y) => x - y)).toEqual(expected);
        }
      },
    ),
    { seed: 3, numRuns: 300 },
  );
});

test("an endpoint without an address can be known and is in no prefix", () => {
  const all = [
    { address: fromBytes([0, 0, 0, 0]), length: 0 },
    { address: fromBytes(new Uint8Array(16)), length: 0 },
  ];
  const { data, classes } = buildAddressClasses([[unnumberedAddress(0), "pod"]], all);
  expect(classes[classOfAddress(data, unnumberedAddress(0))]).toEqual({ key: "pod", prefixes: [] });
  expect(classOfAddress(data, unnumberedAddress(1))).toBe(0);
});
