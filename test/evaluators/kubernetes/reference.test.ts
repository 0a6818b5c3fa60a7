/** The compiled stage against the reference, on random clusters whose flows keep to the edges of what policies name. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { clusterObjects, flow, flowsTo, names } from "./arbitraries.ts";
import { isAcceptedByReference } from "./reference.ts";
import { createStage, inventoryOfObjects, type Stage, tablesOf } from "./stage.ts";

describe("compiled ≡ reference", () => {
  test("on random clusters, and both verdicts occur", () => {
    const counts = { accepted: 0, denied: 0, byName: 0 };
    fc.assert(
      fc.property(clusterObjects, names, fc.array(flow, { minLength: 20, maxLength: 20 }), (objects, learnt, flows) => {
        const inventory = inventoryOfObjects(objects);
        const stage = createStage(inventory, {}, tablesOf(inventory, defaultKnobs, { names: learnt }));
        for (const one of [...flows, ...flowsTo(learnt)]) {
          const expected = isAcceptedByReference(inventory, one, { learnt });
          if (expected !== isAcceptedByReference(inventory, one)) counts.byName++;
          counts[expected ? "accepted" : "denied"]++;
          expect(stage.isAccepted(one)).toBe(expected);
          expect(stage.judgeFlow(one).verdict).toBe(expected ? "accept" : "deny");
        }
      }),
      { numRuns: 400, seed: 20260101 },
    );
    expect(Math.min(counts.accepted, counts.denied)).toBeGreaterThan(500);
    expect(counts.byName).toBeGreaterThan(20);
  });

  test("of one node's pods, whose own policies alone are asked, and all others are peers", () => {
    const counts = { accepted: 0, denied: 0, otherwise: 0 };
    fc.assert(
      fc.property(clusterObjects, fc.array(flow, { minLength: 20, maxLength: 20 }), (objects, flows) => {
        const inventory = inventoryOfObjects(objects);
        const [one, two] = ["n1", "n2"].map((name) =>
          createStage(inventory, {}, tablesOf(inventory, defaultKnobs, { nodeName: name })),
        ) as [Stage, Stage];
        for (const each of flows) {
          const expected = isAcceptedByReference(inventory, each, { nodeName: "n1" });
          counts[expected ? "accepted" : "denied"]++;
          expect(one.isAccepted(each)).toBe(expected);
          expect(two.isAccepted(each)).toBe(isAcceptedByReference(inventory, each, { nodeName: "n2" }));
          if (expected !== isAcceptedByReference(inventory, each)) counts.otherwise++;
        }
      }),
      { numRuns: 400, seed: 20260103 },
    );
    expect(Math.min(counts.accepted, counts.denied, counts.otherwise)).toBeGreaterThan(300);
  });

  test("PL-25: the order of objects changes neither the inventory nor any answer", () => {
    const shuffled = clusterObjects.chain((objects) =>
      fc.tuple(
        fc.constant(objects),
        fc.shuffledSubarray(objects, { minLength: objects.length, maxLength: objects.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, fc.array(flow, { minLength: 5, maxLength: 5 }), ([objects, others], flows) => {
        const [one, two] = [inventoryOfObjects(objects), inventoryOfObjects(others)];
        expect(two.kubernetes).toEqual(one.kubernetes);
        const [first, second] = [createStage(one), createStage(two)];
        for (const each of flows) expect(second.judgeFlow(each)).toEqual(first.judgeFlow(each));
      }),
      { numRuns: 60, seed: 20260102 },
    );
  });
});
