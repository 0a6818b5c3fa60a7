import { describe, expect, test } from "vitest";
import { canOverlap, formatSelector, type Selector, selects } from "../../src/model/selector.ts";

const is = (key: string, ...values: string[]): Selector => [{ key, operator: "In", values }];
const not = (key: string, ...values: string[]): Selector => [{ key, operator: "NotIn", values }];
const has = (key: string): Selector => [{ key, operator: "Exists", values: [] }];
const lacks = (key: string): Selector => [{ key, operator: "DoesNotExist", values: [] }];

describe("selects (NP-20, NP-21, NP-23, T-39)", () => {
  const rows: readonly (readonly [string, Selector, Record<string, string>, boolean])[] = [
    ["nothing asked", [], {}, true],
    ["In, present", is("a", "1", "2"), { a: "2" }, true],
    ["In, another value", is("a", "1"), { a: "2" }, false],
    ["In, absent", is("a", "1"), {}, false],
    ["In, the empty value", is("a", ""), { a: "" }, true],
    ["In, the empty value of an absent key", is("a", ""), {}, false],
    ["NotIn, absent", not("a", "1"), {}, true],
    ["NotIn, another value", not("a", "1"), { a: "2" }, true],
    ["NotIn, that value", not("a", "1"), { a: "1" }, false],
    ["Exists with the empty value", has("a"), { a: "" }, true],
    ["DoesNotExist", lacks("a"), { b: "1" }, true],
    ["all are ANDed", [...is("a", "1"), ...lacks("b")], { a: "1", b: "1" }, false],
    ["a key that every object has", has("toString"), {}, false],
  ];
  for (const [name, selector, labels, expected] of rows)
    test(name, () => expect(selects(selector, labels)).toBe(expected));
});

describe("canOverlap", () => {
  const rows: readonly (readonly [string, Selector, Selector, boolean])[] = [
    ["everything with anything", [], is("a", "1"), true],
    ["disjoint values", is("a", "1"), is("a", "2"), false],
    ["a shared value", is("a", "1", "2"), is("a", "2"), true],
    ["a value that the other excludes", is("a", "1"), not("a", "1", "2"), false],
    ["a value where the other wants none", is("a", "1"), lacks("a"), false],
    ["present and absent", has("a"), lacks("a"), false],
    ["excluded and absent", not("a", "1"), lacks("a"), true],
    ["other keys", is("a", "1"), is("b", "2"), true],
  ];
  for (const [name, a, b, expected] of rows) {
    test(name, () => expect([canOverlap(a, b), canOverlap(b, a)]).toEqual([expected, expected]));
  }
});

test("a selector reads as kubectl prints it", () => {
  const selector = [
    ...is("a", "1"),
    ...is("b", "1", "2"),
    ...not("c", "3"),
    ...not("d", "4", "5"),
    ...has("e"),
    ...lacks("f"),
  ];
  expect(formatSelector(selector)).toBe("a=1,b in (1,2),c!=3,d notin (4,5),e,!f");
});
