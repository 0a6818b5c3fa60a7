/** `diff` as users call it. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { diffCommand } from "../../src/cli/diff.ts";
import { closed, pod } from "../engine/inventories.ts";
import { makeFolders, runCommand } from "./offline.ts";

let folders: ReturnType<typeof makeFolders>;
const at = (name: string): string => join(folders.root, name);

beforeAll(() => {
  const pods = { "a.json": pod("shop/a", ["10.1.0.1"]), "b.json": pod("shop/b", ["10.1.0.2"]) };
  folders = makeFolders({
    old: pods,
    new: { ...pods, "policy.json": closed("shop/close-b", "b") },
    broken: { "a.json": "{" },
    odd: { ...pods, "x.json": { neither: 1 } },
  });
});
afterAll(() => folders.remove());

test("what changes, with the reason before and after", async () => {
  const { code, stdout, stderr } = await runCommand(diffCommand, at("old"), at("new"));
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    /^closed {2}internet, shop\/a → shop\/b {2}anything\n {2}before {2}accepted: .*\n {2}after {3}denied on ingress by NetworkPolicy shop\/close-b: .*\n\n1 closed\n$/,
  );
});

test("--exit-code: 1 with differences, 0 without", async () => {
  expect(await runCommand(diffCommand, at("old"), at("new"), "--exit-code")).toMatchObject({ code: 1 });
  expect(await runCommand(diffCommand, at("old"), at("old"), "--exit-code")).toEqual({
    code: 0,
    stdout: "no flow changes its verdict\n",
    stderr: "",
  });
});

test("--json", async () => {
  const { stdout } = await runCommand(diffCommand, at("old"), at("new"), "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    added: [],
    removed: [],
    changes: [
      {
        change: "closed",
        from: ["internet", "shop/a"],
        to: ["shop/b"],
        families: ["ipv4"],
        services: [
          { protocol: "tcp", ports: "1-65535" },
          { protocol: "udp", ports: "1-65535" },
        ],
        before: { verdict: "accept", reason: "default-allow", decidedBy: null },
        after: { verdict: "deny", reason: "no-rule-matches", decidedBy: { policy: "shop/close-b" } },
      },
    ],
  });
});

test("--set counts for both", async () => {
  const { stdout } = await runCommand(diffCommand, at("old"), at("new"), "--set", "defaultVerdict.k8s=deny");
  expect(stdout).toBe("no flow changes its verdict\n");
});

test("2: a file that can't be read; a finding isn't one", async () => {
  expect(await runCommand(diffCommand, at("old"), at("broken"))).toMatchObject({ code: 2 });
  const { code, stderr } = await runCommand(diffCommand, at("old"), at("odd"));
  expect([code, stderr]).toEqual([0, `${at("odd")}: a finding; check tells more\n`]);
});
