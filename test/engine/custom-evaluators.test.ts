/** Users' evaluators in a program: their place, their way to another thread, and what a decision with them costs. */
import { describe, expect, test } from "vitest";
import { Compiler, compileProgram } from "../../src/engine/compiler.ts";
import { createDecision } from "../../src/engine/decision.ts";
import { evaluatorNames } from "../../src/engine/evaluators.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import type { Program } from "../../src/engine/program.ts";
import { ProgramReader } from "../../src/engine/program-reader.ts";
import type { CustomEvaluator } from "../../src/evaluators/custom/contract.ts";
import { prepareEvaluator } from "../../src/evaluators/custom/prepare.ts";
import { createFlowView, type FlowView, PacketState } from "../../src/model/flow.ts";
import { emptyInventory } from "../../src/model/inventory.ts";
import { changeFromNothing } from "../../src/model/inventory-change.ts";
import { defaultKnobs, type Knobs } from "../../src/model/knobs.ts";
import { Reason } from "../../src/model/reason.ts";
import { Verdict } from "../../src/model/verdict.ts";
import { viewOf } from "./programs.ts";

const newFlow = { isSgHeld: false, isK8sHeld: false, isAdopting: false };

function prepare(evaluator: CustomEvaluator) {
  return prepareEvaluator({ evaluator }, []);
}

function programWith(evaluators: readonly CustomEvaluator[], knobs: Partial<Knobs> = {}): Program {
  return compileProgram(emptyInventory, { ...defaultKnobs, ...knobs }, { custom: evaluators.map(prepare) });
}

function decide(program: Program, view: FlowView) {
  const decision = createDecision();
  new Pipeline().decide(program, view, newFlow, decision);
  return decision;
}

/** Keeps what it was asked, in order. */
function recorder(name: string, asked: string[]): CustomEvaluator {
  const record = (direction: string) => () => {
    asked.push(`${name} ${direction}`);
    return Verdict.accept;
  };
  return { name, load: () => ({ evaluateEgress: record("egress"), evaluateIngress: record("ingress") }) };
}

test("PL-3: they stand outside of the built-in stages, the first one outermost; in a program behind the built-in ones", () => {
  const asked: string[] = [];
  const custom = [recorder("outer", asked), recorder("inner", asked)];
  const program = programWith(custom);
  const names = program.stages.map((stage) => stage.name);
  expect(names).toEqual(["custom:outer", "custom:inner", "route", "nacl", "sg", "k8s"]);
  expect(program.evaluators.map((evaluator) => evaluator.name)).toEqual(evaluatorNames(custom.map(prepare)));
  expect(program.evaluators.slice(-2).map((evaluator) => evaluator.name)).toEqual(["outer", "inner"]);
  program.evaluators.forEach((evaluator, i) => {
    expect(evaluator.index).toBe(i);
  });
  expect(decide(program, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#80")).isFlowAccepted).toBe(true);
  expect(asked).toEqual(["inner egress", "outer egress", "outer ingress", "inner ingress"]);
});

test("a program can be had without them", () => {
  const asked: string[] = [];
  const custom = [prepare(recorder("outer", asked))];
  const reader = new ProgramReader(defaultKnobs, custom);
  reader.apply(new Compiler(defaultKnobs, { custom }).update([changeFromNothing(emptyInventory)]).patches);
  const program = reader.withoutCustom();
  expect(program.evaluators.map((evaluator) => evaluator.name)).toEqual(evaluatorNames([]));
  expect(decide(program, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#80")).isFlowAccepted).toBe(true);
  expect(asked).toEqual([]);
});

test("their tables travel to other threads as plain data; one that never arrived fails", () => {
  const custom = [
    prepare({
      name: "ports",
      build: () => ({ open: [80] }),
      load: (data) => ({
        evaluateIngress: (view) =>
          (data as { open: number[] }).open.includes(view.destinationPort) ? Verdict.accept : Verdict.deny,
      }),
    }),
  ];
  const { patches } = new Compiler(defaultKnobs, { custom }).update([changeFromNothing(emptyInventory)]);
  const program = new ProgramReader(defaultKnobs, custom).apply(structuredClone(patches));
  expect(decide(program, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#80")).isFlowAccepted).toBe(true);
  expect(decide(program, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#81")).isFlowAccepted).toBe(false);
  const without = patches.map((patch) => ({ ...patch, custom: null }));
  const incomplete = new ProgramReader(defaultKnobs, custom).apply(without);
  const lost = decide(incomplete, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#80"));
  expect(lost).toMatchObject({ isFlowAccepted: false, isError: true, reason: Reason.error });
});

describe("PL-8: each way to fail is errorVerdict, in its name", () => {
  const rows: readonly (readonly [string, CustomEvaluator])[] = [
    ["throws", { name: "bad", load: () => ({ evaluateIngress: () => expect.fail("mine") }) }],
    ["answers nothing", { name: "bad", load: () => ({ evaluateIngress: () => undefined as unknown as Verdict }) }],
    [
      "has no class",
      { name: "bad", load: () => ({ classOf: () => Number.NaN, evaluateIngress: () => Verdict.accept }) },
    ],
    ["can't be made", { name: "bad", load: () => expect.fail("mine") }],
  ];
  test.each(rows)("%s", (_, evaluator) => {
    for (const errorVerdict of ["deny", "accept"] as const) {
      const program = programWith([evaluator], { errorVerdict });
      const decision = decide(program, viewOf("udp 10.0.0.1#40000 -> 10.0.0.2#53"));
      expect(decision).toMatchObject({
        isFlowAccepted: errorVerdict === "accept",
        isError: true,
        reason: Reason.error,
      });
      expect(program.evaluators[decision.evaluator]?.name).toBe("bad");
    }
  });
});

test("a stateful one isn't asked about answers, a stateless one is", () => {
  const asked: string[] = [];
  for (const isStateful of [true, false]) {
    const program = programWith([{ ...recorder("x", asked), isStateful }]);
    const view = viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#80");
    view.state = PacketState.original;
    decide(program, view);
    expect(asked.splice(0)).toHaveLength(isStateful ? 2 : 4);
  }
});

test("a decision with the example allocates nothing", async () => {
  const example: string = "../../examples/allow-list.js";
  const { evaluator } = (await import(example)) as { evaluator: CustomEvaluator };
  const program = programWith([evaluator]);
  const pipeline = new Pipeline();
  const decision = createDecision();
  const views = [
    "tcp 10.0.0.1#40000 -> 10.9.0.2#22",
    "udp 10.0.0.1#40000 -> 10.9.0.2#53",
    "icmp 8.8.8.8#8 -> 10.9.0.2#0",
  ];
  const flows = [...views.map(viewOf), createFlowView()];
  const count = 100_000;
  const run = (): void => {
    for (let i = 0; i < count; i++) pipeline.decide(program, flows[i & 3] as FlowView, newFlow, decision);
  };
  // Optimised first: while it warms up, the compiler and its feedback allocate.
  run();
  const growth = Array.from({ length: 5 }, () => {
    const before = process.memoryUsage().heapUsed;
    run();
    return process.memoryUsage().heapUsed - before;
  });
  const grown = growth.filter((bytes) => bytes >= 0);
  expect(grown.length, `heap growth: ${growth}`).toBeGreaterThan(0);
  expect(Math.min(...grown) / count, `heap growth: ${growth}`).toBeLessThan(1);
});
