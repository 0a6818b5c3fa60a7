/**
 * What a user's module exports as `evaluator`: the contract of model/evaluator.ts, with a default for whatever can have
 * a safe one.
 *
 * ```js
 * export const evaluator = {
 *   name: "no-telnet",
 *   load: (_data, { Verdict }) => ({
 *     evaluateIngress: (view) => (view.destinationPort === 23 ? Verdict.deny : Verdict.next),
 *   }),
 * };
 * ```
 */
import type { Capture, CompiledEvaluator } from "../../model/evaluator.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { Toolkit } from "./toolkit.ts";

/**
 * At least one of `evaluateEgress` and `evaluateIngress`. What is left out:
 *
 * - `evaluateEgress`, `evaluateIngress`: `next`, that end is none of its subjects
 * - `reads`: everything, so that it's called for each flow and nothing that it answers is remembered
 * - `classOf`: all addresses are of class 0
 * - `isSubject`: every address, in the directions that it evaluates
 * - `rules`: none
 */
export type CustomCompiled = Partial<Omit<CompiledEvaluator, "failures">>;

/** `subjects` are all traffic by default, and `output` is false. */
export type CustomCapture = Partial<Capture>;

/** Either `load`, alone or with `build`, or `compile`; none of them async. Where there are both, `load` counts. */
export interface CustomEvaluator<Data = unknown> {
  /** Also its stage (`custom:NAME`) and a metric label: small letters, digits and hyphens. */
  readonly name: string;
  /** `custom:NAME` if given at all: other stages come with a later version. */
  readonly stage?: `custom:${string}`;
  /** Default: true. */
  readonly isStateful?: boolean;
  /** Default: all traffic. On the control thread, after each change of the inventory. */
  capture?(inventory: Inventory, knobs: Knobs, toolkit: Toolkit): CustomCapture;
  /** On the control thread, after each change of the inventory: plain data, which structured clone carries. */
  build?(inventory: Inventory, knobs: Knobs, toolkit: Toolkit): Data;
  /** On each thread that judges; `data` is what `build` returned, undefined without one. */
  load?(data: Data, toolkit: Toolkit): CustomCompiled;
  /** On each thread that judges. The whole inventory is copied there after each change: for small ones. */
  compile?(inventory: Inventory, knobs: Knobs, toolkit: Toolkit): CustomCompiled;
}
