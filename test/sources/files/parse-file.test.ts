import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findJsonError } from "../../../src/sources/files/json-error.ts";
import { parseFile } from "../../../src/sources/files/parse-file.ts";

interface GoodRow {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly documents: readonly { readonly index: number; readonly value: unknown }[];
}

const good: GoodRow[] = [
  { name: "JSON", file: "a.json", text: '{"a":[1,"x"]}', documents: [{ index: 0, value: { a: [1, "x"] } }] },
  { name: "JSON after a byte order mark", file: "a.json", text: "\ufeff{}\n", documents: [{ index: 0, value: {} }] },
  { name: "a null document is none", file: "a.json", text: "null", documents: [] },
  { name: "an upper-case extension", file: "A.JSON", text: "[1]", documents: [{ index: 0, value: [1] }] },
  {
    name: "several YAML documents, empty ones counted and left out",
    file: "a.yaml",
    text: "a: 1\n---\n---\n# nothing\n---\nb: 2\n",
    documents: [
      { index: 0, value: { a: 1 } },
      { index: 3, value: { b: 2 } },
    ],
  },
  { name: "only a comment", file: "a.yml", text: "# later\n", documents: [] },
  {
    name: "dates, yes and off are text, as the API server takes them",
    file: "a.yaml",
    text: "a: 2025-01-01\nb: yes\nc: off\nd: true\ne: 0x10\n",
    documents: [{ index: 0, value: { a: "2025-01-01", b: "yes", c: "off", d: true, e: 16 } }],
  },
  {
    name: "merge keys and aliases",
    file: "a.yaml",
    text: "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n",
    documents: [{ index: 0, value: { a: { x: 1, y: 2 }, b: { x: 1, y: 3 }, c: { x: 1, y: 2 } } }],
  },
  {
    name: "JSON in a YAML file",
    file: "a.yaml",
    text: '{"a": ["b"]}',
    documents: [{ index: 0, value: { a: ["b"] } }],
  },
];

test.each(good)("$name", ({ file, text, documents }) => {
  expect(parseFile(file, text)).toEqual({ documents, failure: null });
});

/** Aliases of aliases: ten lines that stand for 10^9 nodes. */
const bomb = `a0: &a0 [x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]\n`).join("")}`;
const tower = `a0: &a0 [x]\n${Array.from({ length: 5000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]\n`).join("")}`;

const bad: { readonly name: string; readonly file: string; readonly text: string; readonly message: RegExp }[] = [
  { name: "a value missing", file: "a.json", text: '{"a": }', message: /^line 1, column 7: no JSON: a value is exp/ },
  {
    name: "a comma too many",
    file: "a.json",
    text: '{\n  "a": 1,\n}\n',
    message: /^line 3, column 1: no JSON: a key in double quotes is expected$/,
  },
  { name: "the end missing", file: "a.json", text: '{"a": [1', message: /^line 1, column 9: no JSON: ',' or '\]'/ },
  {
    name: "a second text",
    file: "a.json",
    text: "{}\n{}",
    message: /^line 2, column 1: no JSON: the end is expected/,
  },
  {
    name: "a line break in text",
    file: "a.json",
    text: '["a\nb"]',
    message: /^line 1, column 4: no JSON: '"' before/,
  },
  { name: "a bad escape", file: "a.json", text: '["\\q"]', message: /^line 1, column 3: no JSON: a valid escape/ },
  { name: "no colon", file: "a.json", text: '{"a" 1}', message: /^line 1, column 6: no JSON: ':' is expected/ },
  { name: "an empty file", file: "a.json", text: "", message: /^the file is empty; delete it/ },
  { name: "an empty YAML file", file: "a.yaml", text: " \n", message: /^the file is empty; delete it/ },
  {
    name: "an open bracket",
    file: "a.yaml",
    text: "a: [1,\n b",
    message: /^line 2, column 3: no YAML: unexpected end/,
  },
  {
    name: "a key twice",
    file: "a.yaml",
    text: "a: 1\na: 2\n",
    message: /^line 2, column 1: no YAML: duplicated mapping/,
  },
  { name: "a second document's", file: "a.yaml", text: "a: 1\n---\nb: }", message: /^line 3, column 4: no YAML/ },
  { name: "an alias bomb", file: "a.yaml", text: bomb, message: /^document 1: aliases make it many times as large/ },
  { name: "a tower of aliases", file: "a.yaml", text: tower, message: /^document 1: aliases nest deeper/ },
  {
    name: "a node inside itself",
    file: "a.yaml",
    text: "x: 1\n---\na: &a {b: *a}",
    message: /^document 2: aliases nest/,
  },
];

test.each(bad)("error: $name", ({ file, text, message }) => {
  expect(parseFile(file, text)).toEqual({ documents: null, failure: expect.stringMatching(message) });
});

describe("findJsonError", () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  test("agrees with JSON.parse on changed JSON", () => {
    const change = fc.tuple(
      fc.nat(),
      fc.nat(3),
      fc.constantFrom("", "{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", " ", "\n", "t", "e", "."),
    );
    fc.assert(
      fc.property(fc.json(), change, (json, [at, removed, inserted]) => {
        const offset = at % (json.length + 1);
        const text = json.slice(0, offset) + inserted + json.slice(offset + removed);
        const error = findJsonError(text);
        expect(error === null).toBe(isJson(text));
        if (error) expect(error.offset).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 2000 },
    );
  });

  test("nesting of any depth", () => {
    const depth = 100_000;
    expect(findJsonError("[".repeat(depth))?.offset).toBe(depth);
    expect(findJsonError("[".repeat(depth) + "]".repeat(depth))).toBeNull();
  });
});
