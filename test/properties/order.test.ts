/** PL-25: the order of the input changes no verdict and no trace. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Explainer } from "../../src/engine/explain.ts";
import { ExplainJson } from "../../src/engine/render-explain-json.ts";
import { judge, programOf, viewOf, type World, world } from "./world.ts";

/** Lists whose order has a meaning: the API's own (AN-2), and rules that the trace names by their place. */
const ordered = { rules: ["ingress", "egress"], verdicts: [] } as const;

function shuffled(value: unknown, random: () => number, keep: readonly string[], key = ""): unknown {
  if (Array.isArray(value)) {
    const list = value.map((element) => shuffled(element, random, keep));
    if (keep.includes(key)) return list;
    return list
      .map((element) => ({ element, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ element }) => element);
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(() => random() - 0.5);
  return Object.fromEntries(entries.map(([k, v]) => [k, shuffled(v, random, keep, k)]));
}

function shuffledWorld(given: World, seed: number, keep: readonly string[]): World {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const kubernetes = given.kubernetes.map((object) => {
    const isNetworkPolicy = (object as { kind?: unknown }).kind === "NetworkPolicy";
    // The rules of an admin policy are asked in their order (AN-2).
    return shuffled(object, random, isNetworkPolicy ? keep : ["ingress", "egress"]);
  });
  const aws = shuffled(given.aws, random, []) as World["aws"];
  return { ...given, aws, kubernetes: shuffled(kubernetes, random, ["ingress", "egress", "from", "to"]) as unknown[] };
}

function tracesOf(given: World): string[] {
  const explainer = new Explainer(programOf(given), { withTrace: true });
  const json = new ExplainJson(explainer.program);
  return given.flows.map((flow) => {
    explainer.explain(viewOf(flow));
    return json.render(explainer, true);
  });
}

test("PL-25 T-2: verdict, reason, rule and trace are the same in any order of documents and lists", () => {
  fc.assert(
    fc.property(world("dual", 40), fc.integer(), (given, seed) => {
      expect(tracesOf(shuffledWorld(given, seed, ordered.rules))).toEqual(tracesOf(given));
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("PL-25 NP-5: the order of a NetworkPolicy's rules changes no verdict", () => {
  fc.assert(
    fc.property(world("dual", 40, "kubernetes"), fc.integer(), (given, seed) => {
      const verdictsOf = (some: World) => {
        const explainer = new Explainer(programOf(some), { withTrace: false });
        return some.flows.map((flow) => judge(explainer, viewOf(flow)));
      };
      expect(verdictsOf(shuffledWorld(given, seed, ordered.verdicts))).toEqual(verdictsOf(given));
    }),
    { numRuns: 100, seed: 2 },
  );
});
