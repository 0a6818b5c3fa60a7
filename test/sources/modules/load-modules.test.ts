/** Files of `--evaluator`: what can't be loaded says where and what helps. In a Node of its own, as users have it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { makeFolders } from "../../cli/offline.ts";

interface Outcome {
  readonly names: readonly string[];
  readonly problems: readonly string[];
}

const minimal = (name: string): string =>
  `export const evaluator = { name: "${name}", load: () => ({ evaluateIngress: () => 2 }) };\n`;
const { root, remove } = makeFolders({ modules: { "first.js": minimal("first"), "second.mjs": minimal("second") } });
afterAll(remove);
const at = (name: string): string => join(root, "modules", name);

const write = (name: string, text: string): string => {
  mkdirSync(join(at(name), ".."), { recursive: true });
  writeFileSync(at(name), text);
  return at(name);
};

/** One outcome for each list of paths. */
function load(lists: readonly (readonly string[])[]): readonly Outcome[] {
  const hooks = fileURLToPath(new URL("../../support/register-typescript.mjs", import.meta.url));
  const script = fileURLToPath(new URL("load-process.ts", import.meta.url));
  const lines = lists.map((list) => JSON.stringify(list));
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", hooks, script, ...lines], { encoding: "utf8" });
  expect(stdout, stderr).not.toBe("");
  return JSON.parse(stdout) as Outcome[];
}

test("modules are loaded in their order, wherever they lie, and the example is one", () => {
  const [outcome] = load([[at("second.mjs"), at("first.js"), "examples/allow-list.js"]]);
  expect(outcome).toEqual({ names: ["second", "first", "allow-list"], problems: [] });
});

test("the example has 25 lines at most, and no import", () => {
  const text = readFileSync(new URL("../../../examples/allow-list.js", import.meta.url), "utf8");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(25);
  expect(text).not.toMatch(/\bimport\b/);
});

describe("what can't be loaded", () => {
  write("inner.mjs", "const = 1;");
  write("old/package.json", '{ "type": "commonjs" }');
  const rows: readonly (readonly [name: string, path: string, message: RegExp])[] = [
    [
      "no file",
      at("nowhere.js"),
      /^there is no such file; name a JavaScript module, such as examples\/allow-list\.js$/,
    ],
    ["below a file", at("first.js/x.js"), /^there is no such file/],
    ["a directory", at(""), /^it is no file; name a JavaScript module$/],
    ["TypeScript", write("typed.ts", minimal("typed")), /^this version loads no TypeScript; name the JavaScript that/],
    ["a mistake", write("wrong.js", "export const a = 1;\nconst b = ;\n"), /^line 2: Unexpected token ';'$/],
    [
      "a mistake in what it imports",
      write("outer.mjs", 'import "./inner.mjs";\nexport const evaluator = 1;'),
      /^it or what it imports can't be loaded: Unexpected token '='$/,
    ],
    [
      "a package of CommonJS",
      write("old/x.js", minimal("x")),
      /^a package\.json says that its \.js files aren't ES modules; give it a name that ends in \.mjs$/,
    ],
    [
      "an import that isn't there",
      write("import.mjs", 'import "nope";'),
      /^Error: Cannot find package 'nope' imported/,
    ],
    [
      "an error as it runs",
      write("throws.mjs", "export const evaluator = {\n  name: null.x,\n};"),
      /^TypeError: Cannot read properties of null \(reading 'x'\) \(\/\S+throws\.mjs:2:14\)$/,
    ],
    ["no evaluator", write("empty.mjs", "export const x = 1;"), /^it has no export called evaluator: write export/],
    ["a built-in's name", write("clash.mjs", minimal("security-group")), /^the name security-group is taken: choose/],
  ];
  const outcomes = load(rows.map(([, path]) => [path]));
  test.each(rows.map((row, i) => [...row, outcomes[i]] as const))("%s", (_, path, message, outcome) => {
    expect(outcome?.names).toEqual([]);
    expect(outcome?.problems).toHaveLength(1);
    const [head, ...rest] = outcome?.problems[0]?.split(`--evaluator ${path}: `) ?? [];
    expect(head).toBe("");
    expect(rest.join("")).toMatch(message);
  });

  test("the same one twice, and more than there is room for", () => {
    const path = at("first.js");
    expect(load([[path, path], Array(17).fill(path)])).toEqual([
      { names: ["first"], problems: [`--evaluator ${path}: the name first is taken: choose another`] },
      { names: [], problems: ["--evaluator: 17 modules are more than the 16 that there is room for"] },
    ]);
  });
});
