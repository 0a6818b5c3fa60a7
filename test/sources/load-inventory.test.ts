import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import type { Inventory } from "../../src/model/inventory.ts";
import { loadInventory } from "../../src/sources/load-inventory.ts";
import { groupDocument, makeDirectory, policyDocument, writeFiles } from "./files/temporary-directory.ts";

function namesOf(inventory: Inventory): string[] {
  return [...inventory.ec2.securityGroups.map((g) => g.id), ...inventory.kubernetes.networkPolicies.map((p) => p.name)];
}

describe("what is read", () => {
  test("JSON and YAML, both worlds, at any depth, and nothing else", async () => {
    const root = makeDirectory({
      "groups.json": groupDocument("sg-1"),
      "deep/er/policies.yaml": policyDocument("one", "two"),
      "policies.YML": policyDocument("three"),
      "README.md": "not: [a document",
      "notes.json.bak": "{",
      "..hidden/groups.json": "{",
    });
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([]);
    expect(inventory.findings).toEqual([]);
    expect(namesOf(inventory)).toEqual(["sg-1", "one", "three", "two"]);
  });

  test("several roots, one inside the other: each file once", async () => {
    const root = makeDirectory({ "a/groups.json": groupDocument("sg-1"), "b.json": groupDocument("sg-2") });
    const { inventory } = await loadInventory({ directories: [root, join(root, "a")] });
    expect(namesOf(inventory)).toEqual(["sg-1", "sg-2"]);
    expect(inventory.findings).toEqual([]);
  });

  test("a mounted ConfigMap: each file once, under its visible name", async () => {
    const root = makeDirectory({ "..2025_01/groups.json": groupDocument("sg-1") });
    symlinkSync("..2025_01", join(root, "..data"));
    symlinkSync("..data/groups.json", join(root, "groups.json"));
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([]);
    expect(inventory.ec2.securityGroups.map((g) => g.origin.file)).toEqual([join(root, "groups.json")]);
  });

  test("linked directories, and one that is inside itself", async () => {
    const other = makeDirectory({ "groups.json": groupDocument("sg-1") });
    const root = makeDirectory();
    symlinkSync(other, join(root, "linked"));
    symlinkSync(root, join(root, "self"));
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([]);
    expect(namesOf(inventory)).toEqual(["sg-1"]);
  });

  test("two names of one inode are two files: a prefix list is named by its file", async () => {
    const root = makeDirectory({ "pl-0000000a.json": JSON.stringify({ Entries: [{ Cidr: "10.0.0.0/8" }] }) });
    linkSync(join(root, "pl-0000000a.json"), join(root, "pl-0000000b.json"));
    const { inventory } = await loadInventory({ directories: [root] });
    expect(inventory.ec2.prefixLists.map((list) => list.id)).toEqual(["pl-0000000a", "pl-0000000b"]);
  });

  test("files are named as found under the root that was given", async () => {
    const root = makeDirectory({ "vpc/groups.json": groupDocument("sg-1"), "bad.json": "{" });
    const given = `${relative(process.cwd(), root)}/`;
    const { inventory, errors } = await loadInventory({ directories: [given] });
    expect(inventory.ec2.securityGroups[0]?.origin.file).toBe(join(given, "vpc/groups.json"));
    expect(errors[0]?.file).toBe(join(given, "bad.json"));
  });

  test("PL-25: the order in which files were made changes nothing", async () => {
    const files = { "b.json": groupDocument("sg-2"), "a.json": groupDocument("sg-1"), "c.yaml": policyDocument("x") };
    const root = makeDirectory(files);
    const before = await loadInventory({ directories: [root] });
    const entries = Object.entries(files).reverse();
    for (const [name] of entries) renameSync(join(root, name), join(root, `${name}.old`));
    writeFiles(root, Object.fromEntries(entries));
    expect(await loadInventory({ directories: [root] })).toEqual(before);
  });
});

describe("errors, each naming the file and the remedy", () => {
  const rows: {
    readonly name: string;
    readonly make: (root: string) => void;
    readonly file: string;
    readonly message: RegExp;
  }[] = [
    {
      name: "a dangling link",
      make: (root) => symlinkSync("gone.yaml", join(root, "x.yaml")),
      file: "x.yaml",
      message: /link to gone\.yaml, which isn't there; repair or remove it/,
    },
    {
      name: "a link to itself",
      make: (root) => symlinkSync("x.yaml", join(root, "x.yaml")),
      file: "x.yaml",
      message: /leads to itself; repair or remove it/,
    },
    {
      name: "a directory with a document's name",
      make: (root) => mkdirSync(join(root, "x.json")),
      file: "x.json",
      message: /a directory with a document's name; put the file/,
    },
    {
      name: "a FIFO, which is never opened",
      make: (root) => execFileSync("mkfifo", [join(root, "x.yaml")]),
      file: "x.yaml",
      message: /no regular file; put the file/,
    },
    {
      name: "YAML that can't be parsed",
      make: (root) => writeFileSync(join(root, "x.yaml"), "a: 1\n---\na: [\n"),
      file: "x.yaml",
      message: /^line 4, column 1: no YAML: /,
    },
    {
      name: "JSON that can't be parsed",
      make: (root) => writeFileSync(join(root, "x.json"), '{\n  "SecurityGroups": [,]\n}'),
      file: "x.json",
      message: /^line 2, column 22: no JSON: a value is expected$/,
    },
    {
      name: "UTF-16, as PowerShell redirects it",
      make: (root) => writeFileSync(join(root, "x.json"), Buffer.from("\ufeff{}", "utf16le")),
      file: "x.json",
      message: /not UTF-8 text; save it as UTF-8/,
    },
    {
      name: "an empty file",
      make: (root) => writeFileSync(join(root, "x.yaml"), ""),
      file: "x.yaml",
      message: /the file is empty; delete it if nothing is meant/,
    },
  ];

  test.each(rows)("$name", async ({ make, file, message }) => {
    const root = makeDirectory({ "good.json": groupDocument("sg-1") });
    make(root);
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([{ file: join(root, file), message: expect.stringMatching(message) }]);
    expect(namesOf(inventory)).toEqual(["sg-1"]);
  });

  test("a missing directory, and a file in its place; all errors at once, in order of file", async () => {
    const root = makeDirectory({ "b.json": "{" });
    const { errors } = await loadInventory({ directories: [join(root, "gone"), root, join(root, "b.json")] });
    expect(errors).toEqual([
      { file: join(root, "b.json"), message: expect.stringMatching(/not a directory; name the directory that holds/) },
      { file: join(root, "b.json"), message: expect.stringMatching(/line 1, column 2/) },
      { file: join(root, "gone"), message: "no such directory; make it, or name another one" },
    ]);
  });

  test("Emacs's lock, a link to nowhere, is no document", async () => {
    const root = makeDirectory();
    symlinkSync("user@host.123", join(root, ".#groups.json"));
    expect((await loadInventory({ directories: [root] })).errors).toEqual([]);
  });
});

describe("findings: the rest loads", () => {
  const rows: {
    readonly name: string;
    readonly file: string;
    readonly text: string;
    readonly finding: { readonly severity: string; readonly path: string; readonly message: RegExp };
  }[] = [
    {
      name: "a list cut out of its document",
      file: "x.json",
      text: '[{"GroupId": "sg-9"}]',
      finding: { severity: "error", path: "document 1", message: /a bare list.*without --query/ },
    },
    {
      name: "a word, as the second document",
      file: "x.yaml",
      text: `${policyDocument("x")}---\nhello\n`,
      finding: { severity: "error", path: "document 2", message: /a bare string/ },
    },
    {
      name: "another program's mapping",
      file: "values.yaml",
      text: "replicas: 2\n",
      finding: { severity: "warning", path: "document 1", message: /neither a Kubernetes object .* nor the output of/ },
    },
  ];

  test.each(rows)("$name", async ({ file, text, finding }) => {
    const root = makeDirectory({ "good.json": groupDocument("sg-1"), [file]: text });
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([]);
    expect(inventory.ec2.securityGroups.map((g) => g.id)).toEqual(["sg-1"]);
    expect(inventory.findings).toEqual([
      {
        ...finding,
        message: expect.stringMatching(finding.message),
        code: "unknown-document",
        rule: null,
        file: join(root, file),
      },
    ]);
  });

  test("the same object in two files: a finding names both, the first in order of path counts", async () => {
    const root = makeDirectory({
      "b.yaml": policyDocument("same"),
      "a.yaml": policyDocument("same"),
      "c.json": groupDocument("sg-1"),
      "d.json": groupDocument("sg-1"),
    });
    const { inventory, errors } = await loadInventory({ directories: [root] });
    expect(errors).toEqual([]);
    expect(inventory.kubernetes.networkPolicies.map((p) => p.origin.file)).toEqual([join(root, "a.yaml")]);
    expect(inventory.ec2.securityGroups.map((g) => g.origin.file)).toEqual([join(root, "c.json")]);
    expect(inventory.findings.map(({ file, message }) => ({ file, message }))).toEqual([
      { file: join(root, "b.yaml"), message: expect.stringContaining(join(root, "a.yaml")) },
      { file: join(root, "d.json"), message: expect.stringContaining(join(root, "c.json")) },
    ]);
  });
});
