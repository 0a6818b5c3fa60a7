/**
 * The one direction of imports, and what else holds for every source file. A new directory below src/ must be given its
 * place here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const below = {
  net: [],
  model: ["net"],
  evaluators: ["net", "model"],
  engine: ["net", "model", "evaluators"],
  kernel: ["net", "model"],
  telemetry: ["net", "model"],
  export: ["net", "model", "evaluators", "engine"],
  datapath: ["net", "model", "evaluators", "engine", "kernel"],
  sources: ["net", "model", "evaluators", "engine"],
  agent: ["net", "model", "evaluators", "engine", "kernel", "telemetry", "export", "datapath", "sources"],
  cli: ["net", "model", "evaluators", "engine", "kernel", "telemetry", "export", "datapath", "sources", "agent"],
  main: ["cli"],
  /** The package's entry for users' own evaluators. */
  index: ["net", "model", "evaluators"],
} as const satisfies Record<string, readonly string[]>;

const pure: readonly string[] = ["net", "model", "evaluators", "engine"];
/** What the pure layers may take from npm: they parse, and touch nothing. */
const purePackages: readonly string[] = ["zod", "ipaddr.js"];

const root = join(dirname(fileURLToPath(import.meta.url)), "../src");
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .sort();

interface Source {
  /** Below src/. */
  readonly file: string;
  readonly layer: string;
  readonly text: string;
  readonly code: string;
}

const sources: Source[] = files.map((file) => {
  const text = readFileSync(join(root, file), "utf8");
  return { file, layer: file.replace(/[/.].*$/, ""), text, code: withoutComments(text) };
});

/** Good enough for formatted code: a comment starts its line, or follows code and a space. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** Static, type-only, re-exporting and dynamic imports alike. */
function importsOf(code: string): string[] {
  const pattern = /(?:\bfrom\s+|^import\s+|\b(?:import|require(?:\.resolve)?)\s*\(\s*)["']([^"'\s]+)["']/gm;
  return [...code.matchAll(pattern)].map((match) => match[1] ?? "");
}

function layerOf(file: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(file), specifier)).replace(/[/.].*$/, "");
}

/** `a/b.ts imports ../c.ts`, for every import that isn't allowed. */
function findWrongImports({ file, layer, code }: Source): string[] {
  const allowed: readonly string[] = Object.hasOwn(below, layer) ? below[layer as keyof typeof below] : [];
  return importsOf(code)
    .filter((specifier) => {
      if (specifier.startsWith(".")) {
        const other = layerOf(file, specifier);
        return other !== layer && !allowed.includes(other);
      }
      return pure.includes(layer) && !purePackages.includes(specifier);
    })
    .map((specifier) => `${file} imports ${specifier}`);
}

/** The clock, the environment and the process, by name. */
const impure =
  /\b(?:process|Date\.now|new Date|performance|setTimeout|setInterval|setImmediate|Math\.random|console|fetch)\b/;

function findImpurity({ file, layer, code }: Source): string[] {
  const found = pure.includes(layer) ? impure.exec(withoutText(code)) : null;
  return found ? [`${file} uses ${found[0]}`] : [];
}

function withoutText(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

function hasModuleComment({ text }: Source): boolean {
  return /^(?:#!.*\n)?\/\*\*(?:\n \*)? [^\s*]/.test(text);
}

describe("every file below src/", () => {
  test("has its layer named here", () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.filter(({ layer }) => !Object.hasOwn(below, layer)).map(({ file }) => file)).toEqual([]);
  });

  test("imports only what is below its layer; the pure ones nothing from outside", () => {
    expect(sources.flatMap(findWrongImports)).toEqual([]);
  });

  test("the pure layers read no clock, no environment, and keep no time", () => {
    expect(sources.flatMap(findImpurity)).toEqual([]);
  });

  test("opens with a comment that says what it is for", () => {
    expect(sources.filter((source) => !hasModuleComment(source)).map(({ file }) => file)).toEqual([]);
  });

  test("has no default export and no bare re-export of everything", () => {
    const wrong = sources.filter(({ code }) => /^export\s+(?:default\b|\*|\{[^}]*\bas default\b)/m.test(code));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });

  test("the process is ended in main.ts alone", () => {
    const wrong = sources.filter(({ layer, code }) => layer !== "main" && /\bprocess\.(?:exit|abort)\(/.test(code));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });
});

describe("the checks themselves", () => {
  function source(file: string, text: string): Source {
    return { file, layer: file.replace(/[/.].*$/, ""), text, code: withoutComments(text) };
  }

  const rows: { readonly name: string; readonly file: string; readonly text: string; readonly isWrong: boolean }[] = [
    { name: "upwards", file: "model/a.ts", text: 'import { a } from "../engine/b.ts";', isWrong: true },
    { name: "a type, upwards", file: "net/a.ts", text: 'import type { A } from "../model/b.ts";', isWrong: true },
    { name: "re-exported", file: "net/a.ts", text: 'export { a } from "../model/b.ts";', isWrong: true },
    { name: "over several lines", file: "net/a.ts", text: 'import {\n  a,\n} from "../model/b.ts";', isWrong: true },
    { name: "for its effects", file: "net/a.ts", text: 'import "../model/b.ts";', isWrong: true },
    { name: "dynamic", file: "net/a.ts", text: 'const a = await import("../model/b.ts");', isWrong: true },
    { name: "sideways", file: "sources/a/b.ts", text: 'import { a } from "../../kernel/b.ts";', isWrong: true },
    { name: "node: in a pure layer", file: "engine/a.ts", text: 'import fs from "node:fs";', isWrong: true },
    ...["fs", "process"].map((name) => ({
      name: `${name} without its prefix`,
      file: "engine/a.ts",
      text: `import a from "${name}";`,
      isWrong: builtinModules.includes(name),
    })),
    { name: "a new layer", file: "other/a.ts", text: 'import { a } from "../net/b.ts";', isWrong: true },
    { name: "downwards", file: "cli/a/b.ts", text: 'import { a } from "../../net/b.ts";', isWrong: false },
    { name: "its own layer", file: "net/a.ts", text: 'import { a } from "./b.ts";', isWrong: false },
    { name: "the kernel's addon loader", file: "kernel/a.ts", text: 'import m from "node:module";', isWrong: false },
    { name: "in a comment", file: "net/a.ts", text: '// import { a } from "../model/b.ts";', isWrong: false },
  ];

  test.each(rows)("imports: $name", ({ file, text, isWrong }) => {
    expect(findWrongImports(source(file, text)).length > 0).toBe(isWrong);
  });

  test("impure names count, not as words in text or comments, nor elsewhere", () => {
    expect(findImpurity(source("net/a.ts", "const a = Date.now();"))).toEqual(["net/a.ts uses Date.now"]);
    expect(findImpurity(source("net/a.ts", "// the process\nconst a = 'x';"))).toEqual([]);
    expect(findImpurity(source("net/a.ts", 'const a = "a process";'))).toEqual([]);
    expect(findImpurity(source("cli/a.ts", "const a = Date.now();"))).toEqual([]);
  });

  test("a module comment is a docstring with something in it, at the top", () => {
    expect(hasModuleComment(source("a.ts", "/** Says it. */\n"))).toBe(true);
    expect(hasModuleComment(source("a.ts", "#!/usr/bin/env node\n/** Says it. */\n"))).toBe(true);
    expect(hasModuleComment(source("a.ts", "/**\n * Says it.\n */\n"))).toBe(true);
    expect(hasModuleComment(source("a.ts", 'import "x";\n/** Says it. */\n'))).toBe(false);
    expect(hasModuleComment(source("a.ts", "/** */\n"))).toBe(false);
  });
});
