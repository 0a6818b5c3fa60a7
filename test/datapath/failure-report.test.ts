/** What users' evaluators threw is told once, with its number. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type EvaluatorFailure, FailureReport } from "../../src/datapath/failure-report.ts";
import { compileProgram } from "../../src/engine/compiler.ts";
import { type PreparedEvaluator, prepareEvaluator } from "../../src/evaluators/custom/prepare.ts";
import { createFlowView } from "../../src/model/flow.ts";
import { emptyInventory } from "../../src/model/inventory.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";

const failing = prepareEvaluator(
  {
    evaluator: {
      name: "failing",
      load: () => ({ evaluateIngress: (view: { sourcePort: number }) => fail(view.sourcePort) }),
    },
  },
  [],
);
const programOf = (custom: readonly PreparedEvaluator[]) => compileProgram(emptyInventory, defaultKnobs, { custom });

function fail(port: number): never {
  throw `port ${port}`;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("once a second, the last one with their number; the rest when the program changes", () => {
  const told: EvaluatorFailure[] = [];
  const program = programOf([failing]);
  const report = new FailureReport(program, (failure) => told.push(failure));
  const ask = (port: number): void => {
    const view = createFlowView();
    view.sourcePort = port;
    expect(() => program.evaluators.at(-1)?.compiled.evaluateIngress(view)).toThrow();
  };
  vi.advanceTimersByTime(5000);
  expect(told).toEqual([]);
  for (const port of [1, 2, 3]) ask(port);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told.splice(0)).toEqual([{ evaluator: "failing", count: 3, message: "threw port 3" }]);
  vi.advanceTimersByTime(5000);
  expect(told).toEqual([]);
  ask(4);
  report.useProgram(programOf([failing]));
  expect(told.splice(0)).toEqual([{ evaluator: "failing", count: 1, message: "threw port 4" }]);
  report.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("without users' evaluators there is nothing to wait for", () => {
  const report = new FailureReport(programOf([]), () => {});
  expect(vi.getTimerCount()).toBe(0);
  report.close();
});
