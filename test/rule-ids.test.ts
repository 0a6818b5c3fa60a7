/**
 * Every rule of the policy languages, and every trap, is in the name of some test; so that a rule which nobody shows is
 * seen. The ids alone are here; what they say is where the evaluators cite them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const rules: Readonly<Record<string, string>> = {
  DEF: "1-7",
  SG: "1 2 2a 3-12 20-29 40-48 60-67 68 68a 69-72 80-82 83 83a 84 90-94",
  NA: "1-23",
  NP: "1-12 20-25 30-38 40-47 50-53 55-66 70-73",
  AN: "1-12 20-32 40-45 50-51 60-65",
  VR: "1-6",
  PL: "0-13 20-27",
  T: "1-77",
};

/** Why no test has them in its name. */
const unshown: Readonly<Record<string, string>> = {
  "SG-29": "the knob sgReferenceThroughMiddlebox comes with a later version; nothing in a packet tells of a middlebox",
  "SG-44": "about groups that an engine creates, and this one creates none",
  "SG-63": "the inventory doesn't say which flows pass a gateway or a load balancer; comes with a later version",
  "SG-72": "AWS's allowance of tracked connections isn't modelled; its counter comes with a later version",
  "SG-93": "a block of whole accounts, no matter of security groups; not modelled",
  "SG-94": "the source and destination check is about bridges' ports; comes with a later version",
  "AN-51": "nothing writes status.conditions before the API server is a source",
  "T-43": "IPVS needs live packets and its kernel module",
};

const ids = Object.entries(rules).flatMap(([group, text]) => text.split(" ").flatMap((part) => expand(group, part)));

function expand(group: string, part: string): string[] {
  const [from = "", to = from] = part.split("-");
  if (!/^\d+$/.test(from)) return [`${group}-${from}`];
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => `${group}-${Number(from) + i}`);
}

/** Texts of several words in test files and their tables, comments aside: names are such. */
function listNames(): string[] {
  const root = import.meta.dirname;
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.startsWith("reference/") && path !== "rule-ids.test.ts")
    .flatMap((path) => {
      const code = readFileSync(join(root, path), "utf8")
        .replace(/\/\*.*?\*\//gs, "")
        .replace(/^\s*\/\/.*$/gm, "");
      return [...code.matchAll(/"((?:[^"\\\n]|\\.)* (?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)* (?:[^`\\]|\\.)*)`/g)];
    })
    .map(([, text, template]) => text ?? template ?? "");
}

describe("rule ids", () => {
  const named = new Set(
    listNames().flatMap((name) => [...name.matchAll(/\b(?:DEF|SG|NA|NP|AN|VR|PL|T)-\d+[a-z]?/g)].map(String)),
  );

  test("there are 209 rules and 77 traps", () => {
    expect(ids).toHaveLength(209 + 77);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("every one is in a test's name, or has its reason not to be", () => {
    expect(ids.filter((id) => !named.has(id) && unshown[id] === undefined)).toEqual([]);
  });

  test("no test names a rule that doesn't exist, and no reason is for one", () => {
    expect([...named, ...Object.keys(unshown)].filter((id) => !ids.includes(id))).toEqual([]);
  });
});
