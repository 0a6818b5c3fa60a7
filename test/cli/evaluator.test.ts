/** `--evaluator` on the verbs that only read: the same verdicts as packets get. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, describe, expect, test } from "vitest";
import { checkCommand } from "../../src/cli/check.ts";
import { diffCommand } from "../../src/cli/diff.ts";
import { explainCommand } from "../../src/cli/explain.ts";
import { matrixCommand } from "../../src/cli/matrix.ts";
import { makeFolders, runCommand } from "./offline.ts";

const allowList = "examples/allow-list.js";
const vpc = "examples/vpc";
const { root, remove } = makeFolders({
  modules: {
    "throws.mjs": `export const evaluator = { name: "throws", load: () => ({ evaluateIngress: () => null.x }) };`,
    "no-load.mjs": `export const evaluator = { name: "no-load", load: () => ({}) };`,
    "by-address.mjs": `export const evaluator = {
      name: "by-address",
      load: (_, { Verdict, Reads, parseAddress, equalAddresses }) => {
        const app = parseAddress("10.20.2.10");
        return {
          reads: Reads.addresses,
          rules: [{ policy: "closed", rule: null }],
          evaluateIngress(view) {
            if (!equalAddresses(view.destination, app)) return Verdict.next;
            view.rule = 0;
            return Verdict.deny;
          },
          explain: () => ({ text: "it is closed for the weekend", remedy: "wait" }),
        };
      },
    };`,
  },
});
afterAll(remove);
mkdirSync(join(root, "modules", "pods"));
for (const [name, podIP] of Object.entries({ a: "10.20.2.10", b: "10.20.2.11" })) {
  const metadata = { name, namespace: "shop", labels: { app: "shop" } };
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { nodeName: "n1" },
    status: { phase: "Running", podIP },
  };
  writeFileSync(join(root, "modules", "pods", `${name}.json`), JSON.stringify(pod));
}
const moduleOf = (name: string): string => join(root, "modules", name);

const explain = (...args: string[]) =>
  runCommand((streams) => explainCommand({ ...streams, stdin: Readable.from([]) }), ...args);

describe("explain", () => {
  test("names its rule, without any directory of policies", async () => {
    const flow = ["--evaluator", allowList, "--from", "203.0.113.9", "--to", "10.2.2.2", "--no-trace"];
    const open = await explain(...flow, "--port", "443");
    expect(open.stdout).toContain("accepted on ingress by allow-list allowed: rule (203.0.113.0/24 tcp 443).");
    const closed = await explain(...flow, "--port", "22");
    expect(closed.stdout).toContain("denied on ingress by allow-list: no-rule-matches.");
  });

  test("--json has its stage, policy and rule", async () => {
    const { stdout } = await explain(
      ...["--evaluator", allowList, "--from", "10.1.1.1", "--to", "10.2.2.2", "--port", "22", "--json"],
    );
    const line = JSON.parse(stdout);
    expect(line.decidedBy).toEqual({
      stage: "custom:allow-list",
      evaluator: "allow-list",
      direction: "ingress",
      policy: "allowed",
      rule: "10.0.0.0/8 tcp 22",
    });
    // From inside to outside on the way out, the other way round on the way in.
    const stages = line.trace.map((step: { stage: string }) => step.stage);
    expect(stages.slice(5, 9)).toEqual(["route", "custom:allow-list", "custom:allow-list", "route"]);
  });

  test("PL-5: an accept of its own doesn't skip a security group", async () => {
    const flow = ["--dir", vpc, "--from", "i-web", "--to", "i-app", "--port", "22", "--no-trace"];
    const { stdout } = await explain("--evaluator", allowList, ...flow);
    expect(stdout).toContain("denied on ingress by security group sg-app");
  });

  test("its own words and remedy are shown", async () => {
    const { stdout } = await explain(
      ...["--evaluator", moduleOf("by-address.mjs"), "--from", "10.1.1.1", "--to", "10.20.2.10", "--port", "80"],
    );
    expect(stdout).toContain("denied on ingress by by-address closed: it is closed for the weekend.");
    expect(stdout).toContain("To allow it: wait");
  });

  test("PL-8: one that throws is errorVerdict, and what it threw is shown", async () => {
    const flow = ["--evaluator", moduleOf("throws.mjs"), "--from", "10.1.1.1", "--to", "10.2.2.2", "--port", "80"];
    const { stdout } = await explain(...flow);
    expect(stdout).toMatch(
      /denied: throws failed to judge it \(TypeError: Cannot read properties of null .*\), and the setting errorVerdict=deny decides\./,
    );
    const { stdout: open } = await explain(...flow, "--set", "errorVerdict=accept");
    expect(open).toContain("accepted: throws failed to judge it");
  });

  test("what can't be used is bad usage: all of it at once", async () => {
    const { code, stderr } = await explain("--evaluator", "nowhere.js", "--set", "x=1", "--to", "10.2.2.2");
    expect(code).toBe(2);
    expect(stderr).toContain("--evaluator nowhere.js: there is no such file");
    expect(stderr).toContain("--set x=1: no such knob");
    expect(stderr).toContain("--from: name an endpoint");
    const path = moduleOf("no-load.mjs");
    const { code: other, stderr: text } = await explain(
      "--evaluator",
      path,
      "--from",
      "10.1.1.1",
      "--to",
      "10.2.2.2",
      "--port",
      "1",
    );
    expect(other).toBe(2);
    expect(text).toBe(`--evaluator ${path}: load: evaluateIngress, evaluateEgress or both must be there`);
  });
});

describe("matrix", () => {
  const rowsOf = async (...args: string[]): Promise<readonly string[]> => {
    const outcome = await runCommand(matrixCommand, "--dir", moduleOf("pods"), "--port", "80", ...args, "--json");
    const { groups } = JSON.parse(outcome.stdout) as { groups: { name: string }[] };
    return groups.map(({ name }) => name);
  };

  test("endpoints that only it tells apart don't share a row", async () => {
    expect(await rowsOf()).toEqual(["internet", "shop/a +1"]);
    expect(await rowsOf("--evaluator", moduleOf("by-address.mjs"))).toEqual(["internet", "shop/a", "shop/b"]);
  });
});

describe("diff", () => {
  test("both sides have it", async () => {
    const { code, stdout } = await runCommand(diffCommand, vpc, vpc, "--evaluator", allowList, "--exit-code");
    expect({ code, stdout }).toMatchObject({ code: 0 });
  });
});

describe("check", () => {
  test("says what is wrong with a module", async () => {
    const outcome = await runCommand(checkCommand, "--dir", vpc, "--evaluator", moduleOf("no-load.mjs"));
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain("load: evaluateIngress, evaluateEgress or both must be there");
    expect((await runCommand(checkCommand, "--dir", vpc, "--evaluator", allowList)).code).toBe(0);
  });
});
