/** `matrix` as users call it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrixCommand } from "../../src/cli/matrix.ts";
import { closed, pod } from "../engine/inventories.ts";
import { makeFolders, runCommand } from "./offline.ts";

let folders: ReturnType<typeof makeFolders>;
let dir = "";

beforeAll(() => {
  folders = makeFolders({
    shop: {
      "pods.json": {
        apiVersion: "v1",
        kind: "List",
        items: [pod("shop/a", ["10.1.0.1"]), pod("shop/b", ["10.1.0.2"]), closed("shop/close-b", "b")],
      },
    },
    broken: { "a.json": "{" },
  });
  dir = join(folders.root, "shop");
});
afterAll(() => folders.remove());

test("a table", async () => {
  const { code, stdout } = await runCommand(matrixCommand, "--dir", dir, "--port", "80");
  expect([code, stdout]).toEqual([
    0,
    [
      "          shop/a  internet",
      "from      tcp 80  tcp 80",
      "internet  open    ·",
      "shop/a    ·       open",
      "shop/b    open    open",
      "",
      "Not shown: what nobody reaches (1 column; --json and --html have them).",
      "",
    ].join("\n"),
  ]);
});

test("--json has every flow", async () => {
  const { stdout } = await runCommand(matrixCommand, "--dir", dir, "--json", "--protocol", "udp", "--port", "53");
  const { flows } = JSON.parse(stdout) as { flows: { from: string; to: string; protocol: string; state: string }[] };
  expect(flows.map((flow) => `${flow.from} ${flow.to} ${flow.protocol} ${flow.state}`).sort()).toEqual([
    "internet shop/a udp open",
    "internet shop/b udp closed",
    "shop/a internet udp open",
    "shop/a shop/b udp closed",
    "shop/b internet udp open",
    "shop/b shop/a udp open",
  ]);
});

test("--html writes a page and says where", async () => {
  const file = join(folders.root, "page.html");
  const { code, stdout } = await runCommand(matrixCommand, "--dir", dir, "--html", file);
  expect([code, stdout]).toEqual([0, `${file}\n`]);
  expect(readFileSync(file, "utf8")).toMatch(/^<!doctype html>.*shop\/a.*<\/html>\n$/s);
});

test("--set counts", async () => {
  const { stdout } = await runCommand(matrixCommand, "--dir", dir, "--set", "defaultVerdict.k8s=deny", "--port", "80");
  expect(stdout).toContain("Nobody reaches anybody.");
});

describe("2: what can't be understood", () => {
  test.each<[string, string[], RegExp]>([
    ["no directory", [], /--dir: name at least one/],
    ["a protocol", ["--dir", "examples", "--protocol", "x"], /--protocol x: tcp, udp/],
    ["a port", ["--dir", "examples", "--port", "0"], /--port 0: a number from 1 to 65535/],
    ["a protocol without its port", ["--dir", "examples", "--protocol", "tcp"], /need a --port/],
    ["a port without a protocol", ["--dir", "examples", "--protocol", "icmp", "--port", "1"], /--port needs/],
    ["a knob", ["--dir", "examples", "--set", "x"], /--set x: /],
    ["a page that can't be written", ["--dir", "examples", "--html", "/nowhere/x.html"], /--html \/nowhere\/x.html: /],
  ])("%s", async (_, args, expected) => {
    const { code, stderr } = await runCommand(matrixCommand, ...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(expected)]);
  });

  test("a file", async () => {
    const { code, stderr } = await runCommand(matrixCommand, "--dir", join(folders.root, "broken"));
    expect([code, stderr]).toEqual([2, expect.stringContaining("broken/a.json")]);
  });
});
