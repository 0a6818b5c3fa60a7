/**
 * `Pipeline` against an oracle, over programs, packets and memories drawn by lot: evaluators that deny, accept, pass,
 * fail and answer nothing, in every stage, for every state that connection tracking knows.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDecision } from "../../src/engine/decision.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import type { Program, ProgramEvaluator } from "../../src/engine/program.ts";
import { createFlowView, type FlowView, fillFlowView, PacketState, Tracking } from "../../src/model/flow.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { Reason } from "../../src/model/reason.ts";
import { stageNames } from "../../src/model/stage.ts";
import { Direction, Verdict } from "../../src/model/verdict.ts";
import { parseAddress } from "../../src/net/address.ts";
import { expectDecision } from "./pipeline-oracle.ts";

type Outcome = "accept" | "deny" | "next" | "nothing" | "throw";

interface Answer {
  readonly outcome: Outcome;
  readonly reason: Reason;
  readonly rule: number;
  readonly tracking: Tracking;
}

/** One answer for each of two directions × two ends turned round × as a reply or not. */
const answers = fc.array(
  fc.record({
    outcome: fc.oneof(
      { weight: 30, arbitrary: fc.constant<Outcome>("next") },
      { weight: 4, arbitrary: fc.constantFrom<Outcome>("accept", "deny") },
      { weight: 1, arbitrary: fc.constantFrom<Outcome>("nothing", "throw") },
    ),
    reason: fc.constantFrom(
      Reason.unspecified,
      Reason.rule,
      Reason["not-managed"],
      Reason["not-isolated"],
      Reason.self,
    ),
    rule: fc.integer({ min: -1, max: 3 }),
    tracking: fc.constantFrom(Tracking.none, Tracking.tracked, Tracking.untracked),
  }),
  { minLength: 8, maxLength: 8 },
);

const seldom = fc.oneof({ weight: 12, arbitrary: fc.constant(false) }, fc.constant(true));
const scripts = fc.record({ answers, isEgressSubject: seldom, isIngressSubject: seldom });
type Script = typeof scripts extends fc.Arbitrary<infer T> ? T : never;

const world = fc.record({
  scripts: fc.array(scripts, { minLength: 6, maxLength: 6 }),
  defaults: fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)), {
    minLength: 4,
    maxLength: 4,
  }),
  errorVerdict: fc.constantFrom("deny" as const, "accept" as const),
  npOnChange: fc.constantFrom("strict" as const, "new-only" as const),
  sgOnChange: fc.constantFrom("aws" as const, "strict" as const),
  sgIcmpErrors: fc.constantFrom("related" as const, "require-rule" as const),
  state: fc.constantFrom(...Object.values(PacketState)),
  memory: fc.record({ isSgHeld: fc.boolean(), isK8sHeld: fc.boolean(), isAdopting: fc.boolean() }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const stageOf = ["route", "nacl", "sg", "k8s", "k8s", "k8s"] as const;

function programOf({ scripts, defaults, errorVerdict, npOnChange, sgOnChange, sgIcmpErrors }: World): Program {
  const evaluators = scripts.map((script, index): ProgramEvaluator => {
    const isStateful = index > 1;
    return { name: `${stageOf[index]}-${index}`, isStateful, index, compiled: compiledOf(script) };
  });
  return {
    knobs: { ...defaultKnobs, errorVerdict, npOnChange, sgOnChange, sgIcmpErrors },
    evaluators,
    stages: stageNames.map((name, index) => ({
      name,
      index,
      evaluators: evaluators.filter((_, i) => stageOf[i] === name),
      acceptsByDefault: defaults[index] as boolean,
      honoursHeld: (name === "sg" && sgOnChange === "aws") || (name === "k8s" && npOnChange === "new-only"),
      passesRelated: name !== "sg" || sgIcmpErrors === "related",
    })),
  };
}

function compiledOf(script: Script): ProgramEvaluator["compiled"] {
  const evaluate = (view: FlowView, direction: Direction): Verdict => {
    const isTurned = view.source.w3 > view.destination.w3;
    const isReply = view.state === PacketState.reply;
    const at = direction + (isTurned ? 2 : 0) + (isReply ? 4 : 0);
    const { outcome, reason, rule, tracking } = script.answers[at] as Answer;
    view.reason = reason;
    view.rule = rule;
    view.tracking = tracking;
    if (outcome === "throw") throw new Error("on purpose");
    return outcome === "nothing" ? (undefined as unknown as Verdict) : Verdict[outcome];
  };
  return {
    reads: 0,
    rules: [],
    classOf: (address) => address.w3 & 1,
    evaluateEgress: (view) => evaluate(view, Direction.egress),
    evaluateIngress: (view) => evaluate(view, Direction.ingress),
    isSubject: (_, direction) => (direction === Direction.egress ? script.isEgressSubject : script.isIngressSubject),
  };
}

const flow = {
  source: parseAddress("10.0.0.1"),
  destination: parseAddress("10.0.0.2"),
  protocol: 6,
  sourcePort: 49152,
  destinationPort: 80,
  icmpType: 0,
  icmpCode: 0,
  viaService: false,
  isFragment: false,
} as Parameters<typeof fillFlowView>[1];

function viewOf(state: PacketState): FlowView {
  const view = createFlowView();
  fillFlowView(view, flow);
  view.state = state;
  return view;
}

describe("Pipeline", () => {
  test.each(Object.keys(PacketState) as (keyof typeof PacketState)[])(
    "decides a packet in state %s as the rules read (PL-1 … PL-8, PL-20, PL-21, PL-26, PL-27, NA-18, SG-66)",
    (name) => {
      const seen = new Set<string>();
      // One pipeline and one decision for all runs: nothing of an earlier packet may show in a later one.
      const pipeline = new Pipeline();
      const decision = createDecision();
      fc.assert(
        fc.property(world, (given) => {
          const program = programOf(given);
          const state = PacketState[name];
          const expected = expectDecision(program, viewOf(state), given.memory);
          pipeline.decide(program, viewOf(state), given.memory, decision);
          expect(decision).toMatchObject(expected);
          seen.add(`${decision.isFlowAccepted} ${decision.isError}`);
        }),
        { numRuns: 1500, seed: 20261121 },
      );
      // Accepted, denied and failed: the lots have been everywhere.
      expect([...seen]).toEqual(expect.arrayContaining(["true false", "false false", "true true", "false true"]));
    },
  );

  test("leaves the view's tuple as it was, whatever happened (PL-8)", () => {
    const pipeline = new Pipeline();
    fc.assert(
      fc.property(world, (given) => {
        const view = viewOf(given.state);
        pipeline.decide(programOf(given), view, given.memory, createDecision());
        const { source, destination, sourcePort, destinationPort } = view;
        expect({ source, destination, sourcePort, destinationPort }).toEqual({
          source: flow.source,
          destination: flow.destination,
          sourcePort: 49152,
          destinationPort: 80,
        });
      }),
      { numRuns: 1500, seed: 20261122 },
    );
  });
});
