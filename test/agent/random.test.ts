/**
 * Random policies of security groups, network ACLs and NetworkPolicies, enforced: every ordered pair of 13 endpoints,
 * each service, both families, by real probes; what arrives is what `explain` says of the same files.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { type LabProbe, labProbes, RandomLab } from "../support/random-lab.ts";
import { randomPolicy } from "../support/random-policy.ts";

if (skipReason !== null) console.warn(`test/agent/random: skipped: ${skipReason}`);

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SEEDS = [1, 2, 3, 4];
/** A denied probe waits this long; an open one takes far less, and is tried again before its loss is believed. */
const TIMEOUT_MS = 400;
const RETRY_TIMEOUT_MS = 2000;

interface Explained {
  readonly verdict: string;
  readonly reply?: { readonly verdict: string };
}

describe.skipIf(skipReason !== null)("random policies, enforced and explained", () => {
  let lab: RandomLab;
  let engine: Engine | null = null;
  const policy = new PolicyDirectory();

  beforeAll(async () => {
    lab = new RandomLab();
    await lab.listen();
    let closed: readonly LabProbe[] = labProbes;
    await waitFor(
      "a lab where everyone reaches everyone",
      async () => {
        const isOpen = await Promise.all(closed.map((probe) => lab.probe(probe, TIMEOUT_MS)));
        closed = closed.filter((_, i) => !isOpen[i]);
        return closed.length === 0;
      },
      20_000,
    );
  }, 40_000);

  afterAll(async () => {
    await engine?.stop();
    await lab?.destroy();
    policy.remove();
  });

  test.each(SEEDS)(
    "seed %i: no probe differs from its explanation",
    async (seed) => {
      const write = (): void => {
        for (const [name, content] of Object.entries(randomPolicy(seed))) policy.write(name, content);
      };
      write();
      await engine?.stop();
      engine = await Engine.start(lab.router, [policy.path]);

      const expected = explain(policy.path);
      const observed = await Promise.all(labProbes.map((probe) => lab.probe(probe, TIMEOUT_MS)));
      const differences: string[] = [];
      for (const [i, probe] of labProbes.entries()) {
        if (observed[i] === expected[i]) continue;
        if (expected[i] && (await lab.probe(probe, RETRY_TIMEOUT_MS))) continue;
        differences.push(`${describeProbe(probe)}: ${expected[i] ? "explained open" : "explained closed, but open"}`);
      }
      expect(differences).toEqual([]);
      // A seed that closes or opens nearly all would show nothing.
      const share = expected.filter(Boolean).length / expected.length;
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.9);
    },
    30_000,
  );
});

/** Whether each probe and its answer pass, by `explain --flows` of the build. */
function explain(directory: string): boolean[] {
  const flows = labProbes.map(({ from, to, protocol, port, family }) =>
    JSON.stringify({
      from: from.addresses[family],
      to: to.addresses[family],
      protocol: protocol === "icmp" && family === 1 ? "icmpv6" : protocol,
      ...(protocol === "icmp" ? {} : { port }),
    }),
  );
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [main, "explain", "--dir", directory, "--flows", "-", "--json", "--no-trace"],
    { input: `${flows.join("\n")}\n`, encoding: "utf8", maxBuffer: 64 << 20 },
  );
  if (status !== 0) throw new Error(`explain ended with ${status}\n${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Explained)
    .map(({ verdict, reply }) => verdict === "accept" && reply?.verdict === "accept");
}

function describeProbe({ from, to, protocol, port, family }: LabProbe): string {
  return `${from.name} → ${to.name} ${protocol}${port === 0 ? "" : `/${port}`} IPv${family === 0 ? 4 : 6}`;
}
