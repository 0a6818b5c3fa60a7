/** AN-29, T-66: which names a pattern means. */
import { expect, test } from "vitest";
import { canonicalName, visitPatterns } from "../../src/model/domain-name.ts";

test.each<[pattern: string, name: string, isMeant: boolean]>([
  ["example.com", "example.com", true],
  ["example.com", "a.example.com", false],
  ["*.example.com", "example.com", false],
  ["*.example.com", "a.example.com", true],
  ["*.example.com", "a.b.example.com", true],
  ["*.example.com", "badexample.com", false],
  ["*.example.com", "example.com.evil.org", false],
  ["*.Example.COM.", "A.eXample.com.", true],
  ["example.com.", "EXAMPLE.com", true],
  ["*.com", "a.b.c.com", true],
  ["*.com", "com", false],
])("%s means %s: %s", (pattern, name, isMeant) => {
  const patterns: string[] = [];
  visitPatterns(canonicalName(name), (each) => patterns.push(each));
  expect(patterns.includes(canonicalName(pattern))).toBe(isMeant);
});
