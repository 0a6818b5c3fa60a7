/** All rules together, and the README's list of them. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileProgram } from "../../../src/engine/compiler.ts";
import { lint } from "../../../src/engine/lint/lint.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { closed, inventoryOf, pod } from "../inventories.ts";

const root = new URL("../../../", import.meta.url);

test("the readers' findings and the rules', in order of file and place", () => {
  const inventory = inventoryOf([
    pod("shop/a", ["10.1.0.1"]),
    closed("shop/z", "nobody"),
    closed("shop/p", "nobody"),
    pod("shop/a", ["10.1.0.2"]),
  ]);
  const findings = lint(inventory, compileProgram(inventory, defaultKnobs));
  expect(findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
    "policy-selects-nothing NetworkPolicy shop/p: spec.podSelector",
    "policy-selects-nothing NetworkPolicy shop/z: spec.podSelector",
    "duplicate-object Pod shop/a",
  ]);
});

test("the README lists every code of the rules, and no other", () => {
  const folder = new URL("src/engine/lint/", root);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const codes = new Set(sources.flatMap((text) => [...text.matchAll(/\bcode: "([a-z-]+)"/g)].map((match) => match[1])));
  const table = /<!-- lint -->(.*)<!-- \/lint -->/s.exec(readFileSync(new URL("README.md", root), "utf8"))?.[1] ?? "";
  const listed = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1]);
  expect([...listed].sort()).toEqual([...codes].sort());
});
