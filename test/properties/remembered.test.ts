/** What is remembered of earlier flows is what would be decided, with the built-in evaluators over random worlds. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createDecision } from "../../src/engine/decision.ts";
import { DecisionCache } from "../../src/engine/decision-cache.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import type { Program } from "../../src/engine/program.ts";
import { PacketState } from "../../src/model/flow.ts";
import { flow, programOf, viewOf, world } from "./world.ts";

const packets = fc.array(
  fc.record({
    flow: flow("dual"),
    state: fc.oneof(
      { weight: 6, arbitrary: fc.constant(PacketState.original) },
      { weight: 2, arbitrary: fc.constant(PacketState.reply) },
      fc.constantFrom(...Object.values(PacketState)),
    ),
    isSgHeld: fc.boolean(),
    isK8sHeld: fc.boolean(),
    isAdopting: fc.boolean(),
  }),
  { minLength: 75, maxLength: 75 },
);

/** Which program judges all packets: what was kept is there, is forgotten, is there again. */
const rounds = [0, 0, 1, 0] as const;

test("remembered ≡ decided anew over 120,000 seeded packets, through changes of programs", () => {
  const caches = [
    new DecisionCache({ decisions: 1 << 12, addresses: 1 << 8, classes: 1 << 8 }),
    new DecisionCache({ decisions: 8, addresses: 8, classes: 8 }),
  ];
  const plain = new Pipeline();
  const [remembered, decided] = [createDecision(), createDecision()];
  const kinds = new Map<string, number>();
  const property = fc.property(world("dual", 0), world("dual", 0), packets, (first, second, given) => {
    const programs = [programOf(first), programOf(second)];
    for (const cache of caches) {
      const pipeline = new Pipeline(null, cache);
      for (const [packet, program] of rounds.flatMap((at) => given.map((p) => [p, programs[at] as Program] as const))) {
        const [again, view] = [viewOf(packet.flow), viewOf(packet.flow)];
        again.state = packet.state;
        view.state = packet.state;
        pipeline.decide(program, again, packet, remembered);
        plain.decide(program, view, packet, decided);
        expect(remembered).toEqual(decided);
        const kind = decided.isFlowAccepted ? `accept, reply ${decided.isReplyAccepted}` : "deny";
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
    }
  });
  fc.assert(property, { numRuns: 200, seed: 20_261_123 });
  expect([...kinds.values()].reduce((a, b) => a + b)).toBe(120_000);
  for (const kind of ["deny", "accept, reply true", "accept, reply false"]) {
    expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(100);
  }
});
