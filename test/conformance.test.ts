/**
 * Flows with known verdicts, through `explain` as users run it: VPCs judged by an independent oracle, three other
 * projects' suites and one analyser's golden files, read from `../shared/conformance` beside the checkout.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { CliExit } from "../src/cli/exit.ts";
import { explainCommand } from "../src/cli/explain.ts";

const root = resolve(import.meta.dirname, "../../shared/conformance");
const suites: readonly { name: string; policies: string; flags: readonly string[]; atLeast: number }[] = [
  { name: "ec2", policies: "inventory", flags: [], atLeast: 3000 },
  { name: "cyclonus", policies: "manifests", flags: [], atLeast: 80_000 },
  { name: "network-policy-api", policies: "manifests", flags: [], atLeast: 700 },
  { name: "kube-network-policies", policies: "manifests", flags: [], atLeast: 200 },
  // Its model keeps pods out of IP blocks.
  { name: "netpol-analyzer", policies: "manifests", flags: ["--set", "ipBlockMatchesPods=false"], atLeast: 13_000 },
];

if (!existsSync(root)) console.warn(`test/conformance: skipped: there is no conformance data in ${root}`);

describe.skipIf(!existsSync(root))(`conformance (skipped without ${root})`, () => {
  for (const { name, policies, flags, atLeast } of suites) {
    test(`${name}: every flow`, { timeout: 60_000 }, async () => {
      const wrong: string[] = [];
      let count = 0;
      for (const folder of readdirSync(join(root, name)).sort()) {
        const path = join(root, name, folder);
        const outcome = await explain(["--dir", join(path, policies), "--flows", join(path, "flows.ndjson"), ...flags]);
        count += outcome.lineCount;
        if (outcome.message !== "") wrong.push(`${folder}: ${outcome.message}`);
      }
      expect(wrong).toEqual([]);
      expect(count).toBeGreaterThan(atLeast);
    });
  }
});

/** The message is empty where every flow was judged, and as expected. */
async function explain(args: readonly string[]): Promise<{ readonly lineCount: number; readonly message: string }> {
  let lineCount = 0;
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      lineCount += String(chunk).split("\n").length - 1;
      done();
    },
  });
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    await explainCommand({ stdin: Readable.from([]), stdout, stderr }).parseAsync([...args, "--json"], {
      from: "user",
    });
    return { lineCount, message: "" };
  } catch (error) {
    if (error instanceof CliExit) return { lineCount, message: `${error.code} ${error.message}` };
    throw error;
  }
}
