/** Inventory → program, in two halves: `buildProgram` does the work, `loadProgram` puts functions round its tables. */
import type { Inventory } from "../model/inventory.ts";
import type { Knobs } from "../model/knobs.ts";
import { type BuiltinStage, stageNames } from "../model/stage.ts";
import { builtinEvaluators } from "./evaluators.ts";
import type { Program, ProgramData, ProgramEvaluator, ProgramStage } from "./program.ts";

export function buildProgram(inventory: Inventory, knobs: Knobs, epoch: number): ProgramData {
  const tables = builtinEvaluators.map((evaluator) => [evaluator.name, evaluator.build(inventory, knobs)] as const);
  return { epoch, knobs, tables: Object.fromEntries(tables) };
}

export function loadProgram({ epoch, knobs, tables }: ProgramData): Program {
  const evaluators: ProgramEvaluator[] = builtinEvaluators.map((evaluator, index) => ({
    name: evaluator.name,
    isStateful: evaluator.isStateful,
    compiled: evaluator.load(tables[evaluator.name]),
    index,
  }));
  const stages = stageNames.map((name, index): ProgramStage => {
    return {
      name,
      index,
      evaluators: evaluators.filter((_, i) => builtinEvaluators[i]?.stage === name),
      acceptsByDefault: knobs.defaultVerdict[name] !== "deny",
      honoursHeld: honoursHeld(name, knobs),
      passesRelated: name !== "sg" || knobs.sgIcmpErrors === "related",
    };
  });
  return { epoch, knobs, stages, evaluators };
}

/** Both halves on one thread. */
export function compileProgram(inventory: Inventory, knobs: Knobs, epoch = 1): Program {
  return loadProgram(buildProgram(inventory, knobs, epoch));
}

function honoursHeld(stage: BuiltinStage, knobs: Knobs): boolean {
  if (stage === "sg") return knobs.sgOnChange === "aws";
  return stage === "k8s" && knobs.npOnChange === "new-only";
}
