/** The demo's small parts: percentiles, the engine's events, the change of a policy. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { summarize } from "../../../src/cli/demo/latency.ts";
import { withoutFunctions } from "../../../src/cli/demo/live.ts";
import { allProbes } from "../../../src/cli/demo/matrix.ts";
import { parseEvent } from "../../../src/cli/lab/enforcement.ts";
import { percentile } from "../../../src/cli/percentile.ts";

describe("percentile, by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  it.each([
    { name: "median of 100", samples: hundred, share: 0.5, expected: 50 },
    { name: "p99 of 100", samples: hundred, share: 0.99, expected: 99 },
    { name: "p99.9 of 100 is the largest", samples: hundred, share: 0.999, expected: 100 },
    { name: "of one", samples: [7], share: 0.5, expected: 7 },
    { name: "of none", samples: [], share: 0.5, expected: Number.NaN },
  ])("$name", ({ samples, share, expected }) => {
    expect(percentile(samples, share)).toBe(expected);
  });

  it("a row is in microseconds, of samples in any order", () => {
    expect(summarize("x", [3000, 1000, 2000], 1)).toEqual({ name: "x", p50: 2, p99: 3, p999: 3, samples: 3, lost: 1 });
  });
});

describe("the engine's events", () => {
  it.each([
    { line: '{"event":"ready","epoch":1}', epoch: 1 },
    { line: '{"event":"epoch","epoch":7}', epoch: 7 },
    { line: '{"event":"stopped"}', epoch: null },
    { line: '{"event":"epoch","epoch":"7"}', epoch: null },
    { line: "null", epoch: null },
    { line: "not JSON", epoch: null },
  ])("$line → $epoch", ({ line, epoch }) => {
    expect(parseEvent(line)).toBe(epoch);
  });
});

describe("the live change", () => {
  const file = new URL("../../../examples/openfaas/policy-nginx.yaml", import.meta.url);
  const text = readFileSync(file, "utf8");

  it("takes the functions from nginx's policy and nothing else", () => {
    const [before, after] = [load(text), load(withoutFunctions(text))] as {
      spec: { ingress: { from: { ipBlock?: unknown }[] }[] };
    }[];
    const rule = before!.spec.ingress[0]!;
    rule.from = rule.from.filter((peer) => peer.ipBlock);
    expect(rule.from).toHaveLength(2);
    expect(after).toEqual(before);
  });

  it("refuses a policy that has no such peer: the demo would show nothing", () => {
    expect(() => withoutFunctions(withoutFunctions(text))).toThrow("openfaas-fn");
  });
});

describe("the probes", () => {
  it("are every ordered pair, each service and ping, over both families, each once", () => {
    const probes = allProbes();
    const keys = new Set(probes.map((p) => `${p.from.name} ${p.to.name} ${p.protocol} ${p.port} ${p.family}`));
    expect(keys.size).toBe(probes.length);
    // 10 endpoints, 9 sources for each; 8 with one service and 2 with two, and ping; two families.
    expect(probes).toHaveLength(9 * (8 * 2 + 2 * 3) * 2);
  });
});
