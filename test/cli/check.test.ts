/** `check` as users call it. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkCommand } from "../../src/cli/check.ts";
import { closed, instance, pod } from "../engine/inventories.ts";
import { acl, openAcl } from "../evaluators/ec2/documents.ts";
import { describeSecurityGroups } from "../support/vpc.ts";
import { makeFolders, runCommand } from "./offline.ts";

const acls = { NetworkAcls: [acl("acl-1", [], openAcl, { IsDefault: true })] };
let folders: ReturnType<typeof makeFolders>;
const at = (name: string): string => join(folders.root, name);
const group = { id: "sg-1", ingress: [{ protocol: "tcp", from: 80, peers: ["sg-1"] }], egress: [] };

beforeAll(() => {
  folders = makeFolders({
    clean: {
      "vpc.json": instance("i-1", [["10.0.0.1"]]),
      "acls.json": acls,
      "groups.json": describeSecurityGroups([group]),
    },
    warned: { "pods.json": pod("shop/a", ["10.1.0.1"]), "policy.json": closed("shop/p", "b") },
    wrong: {
      "vpc.json": instance("i-1", [["10.0.0.1"]]),
      "acls.json": acls,
      "groups.json": describeSecurityGroups([
        { ...group, ingress: [{ protocol: "tcp", from: 80, peers: ["10.0.0.0/33"] }] },
      ]),
    },
    broken: { "a.json": "{", "pods.json": pod("shop/a", ["10.1.0.1"]) },
  });
});
afterAll(() => folders.remove());

describe("exit codes and text", () => {
  test("0: nothing to report", async () => {
    const found = await runCommand(checkCommand, "--dir", at("clean"));
    expect(found).toEqual({ code: 0, stdout: "nothing to report\n", stderr: "" });
  });

  test("0: warnings alone; each with file, place, message, remedy and rule", async () => {
    const { code, stdout } = await runCommand(checkCommand, "--dir", at("warned"));
    expect([code, stdout]).toEqual([
      0,
      `${at("warned")}/policy.json: NetworkPolicy shop/p: spec.podSelector: warning: no pod has app=b in namespace shop, so that the policy restricts nobody; correct the selector or the namespace, or load the pods [NP-1]\nno errors, 1 warning\n`,
    ]);
  });

  test("1: an error of the readers and the lint rules' warnings, at once", async () => {
    const { code, stdout } = await runCommand(checkCommand, "--dir", at("wrong"), "--dir", at("warned"));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^.*warning: no pod has app=b.*\n.*error: .*10\.0\.0\.0\/33.*\n1 error, 1 warning\n$/);
  });

  test("2: a file that can't be read", async () => {
    const { code, stdout } = await runCommand(checkCommand, "--dir", at("broken"));
    expect(code).toBe(2);
    expect(stdout).toMatch(/broken\/a\.json: error: .*\n1 error, no warnings\n/);
  });

  test("2: bad usage, every problem at once", async () => {
    const { code, stderr } = await runCommand(checkCommand, "--set", "x=1");
    expect(code).toBe(2);
    expect(stderr).toMatch(/--set x=1: .*\n--dir: /);
  });
});

describe("--json", () => {
  test("a line for each finding", async () => {
    const { stdout } = await runCommand(checkCommand, "--json", "--dir", at("warned"));
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        severity: "warning",
        code: "policy-selects-nothing",
        rule: "NP-1",
        file: `${at("warned")}/policy.json`,
        path: "NetworkPolicy shop/p: spec.podSelector",
        message: "no pod has app=b in namespace shop, so that the policy restricts nobody",
        remedy: "correct the selector or the namespace, or load the pods",
      },
    ]);
  });

  test("a file that can't be read is a finding of its own", async () => {
    const { code, stdout } = await runCommand(checkCommand, "--json", "--dir", at("broken"));
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ severity: "error", code: "unreadable-file", file: at("broken/a.json") });
  });

  test("nothing for nothing", async () => {
    expect(await runCommand(checkCommand, "--json", "--dir", at("clean"))).toMatchObject({ code: 0, stdout: "" });
  });
});

test("the examples have nothing to report", async () => {
  expect(await runCommand(checkCommand, "--dir", "examples")).toMatchObject({ code: 0, stdout: "nothing to report\n" });
});
