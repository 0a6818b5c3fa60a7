/** Inventory → program, in two halves: `buildProgram` does the work, `loadProgram` puts functions round its tables. */
import type { PreparedEvaluator } from "../evaluators/custom/prepare.ts";
import type { Inventory } from "../model/inventory.ts";
import type { Knobs } from "../model/knobs.ts";
import { type StageName, stageNames } from "../model/stage.ts";
import { builtinEvaluators } from "./evaluators.ts";
import type { Program, ProgramData, ProgramEvaluator, ProgramStage } from "./program.ts";

/** `custom`: users' own evaluators, outermost first. */
export function buildProgram(
  inventory: Inventory,
  knobs: Knobs,
  epoch: number,
  custom: readonly PreparedEvaluator[] = [],
): ProgramData {
  const tables = builtinEvaluators.map((evaluator) => [evaluator.name, evaluator.build(inventory, knobs)] as const);
  return {
    epoch,
    knobs,
    tables: Object.fromEntries(tables),
    custom: custom.map((evaluator) => evaluator.build(inventory, knobs)),
  };
}

/** `custom` are those that the program was built with, in the same order. */
export function loadProgram(data: ProgramData, custom: readonly PreparedEvaluator[] = []): Program {
  const { epoch, knobs, tables } = data;
  const loaded = [
    ...builtinEvaluators.map((evaluator) => ({ ...evaluator, compiled: evaluator.load(tables[evaluator.name]) })),
    ...loadCustom(data, custom),
  ];
  const evaluators = loaded.map(({ name, isStateful, compiled }, index): ProgramEvaluator => {
    return { name, isStateful, compiled, index };
  });
  const names: readonly StageName[] = [...custom.map((evaluator) => evaluator.stage), ...stageNames];
  const stages = names.map((name, index): ProgramStage => {
    return {
      name,
      index,
      evaluators: evaluators.filter((_, i) => loaded[i]?.stage === name),
      acceptsByDefault: knobs.defaultVerdict[name] !== "deny",
      honoursHeld: honoursHeld(name, knobs),
      passesRelated: name !== "sg" || knobs.sgIcmpErrors === "related",
    };
  });
  return { epoch, knobs, stages, evaluators };
}

function loadCustom({ custom: tables }: ProgramData, custom: readonly PreparedEvaluator[]) {
  return custom.map((evaluator, i) => {
    return { ...evaluator, compiled: evaluator.load(tables[i] ?? { kind: "failure", message: "it was never built" }) };
  });
}

/** Both halves on one thread. */
export function compileProgram(
  inventory: Inventory,
  knobs: Knobs,
  epoch = 1,
  custom: readonly PreparedEvaluator[] = [],
): Program {
  return loadProgram(buildProgram(inventory, knobs, epoch, custom), custom);
}

function honoursHeld(stage: StageName, knobs: Knobs): boolean {
  if (stage === "sg") return knobs.sgOnChange === "aws";
  return stage === "k8s" && knobs.npOnChange === "new-only";
}
