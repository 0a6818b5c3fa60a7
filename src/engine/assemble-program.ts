/** Tables of all evaluators → the program: stages with their evaluators, and what the knobs say of each. */
import type { CustomTables, PreparedEvaluator } from "../evaluators/custom/prepare.ts";
import { createTierLookups } from "../evaluators/kubernetes/evaluator.ts";
import type { KubernetesTables } from "../evaluators/kubernetes/tables.ts";
import type { CompiledEvaluator } from "../model/evaluator.ts";
import type { Knobs } from "../model/knobs.ts";
import { type StageName, stageNames } from "../model/stage.ts";
import { ec2Evaluators, kubernetesEvaluators } from "./evaluators.ts";
import type { Program, ProgramEvaluator, ProgramStage } from "./program.ts";

interface LoadedEvaluator {
  readonly name: string;
  readonly stage: StageName;
  readonly isStateful: boolean;
  readonly compiled: CompiledEvaluator;
}

export interface ProgramParts {
  /** By name of the EC2 evaluator, all of them. */
  readonly ec2: Readonly<Record<string, unknown>>;
  readonly kubernetes: KubernetesTables;
  /** Users' own evaluators, outermost first. */
  readonly custom: readonly LoadedEvaluator[];
  readonly knobs: Knobs;
}

export function assembleProgram({ ec2, kubernetes, custom, knobs }: ProgramParts): Program {
  const lookups = createTierLookups(kubernetes);
  const loaded: readonly LoadedEvaluator[] = [
    ...ec2Evaluators.map((evaluator) => ({ ...evaluator, compiled: evaluator.load(ec2[evaluator.name]) })),
    ...kubernetesEvaluators.map((evaluator) => ({ ...evaluator, compiled: evaluator.load(kubernetes, lookups) })),
    ...custom,
  ];
  const evaluators = loaded.map(
    ({ name, isStateful, compiled }, index): ProgramEvaluator => ({ name, isStateful, compiled, index }),
  );
  const names: readonly StageName[] = [...custom.map((evaluator) => evaluator.stage), ...stageNames];
  const stages = names.map(
    (name, index): ProgramStage => ({
      name,
      index,
      evaluators: evaluators.filter((_, i) => loaded[i]?.stage === name),
      acceptsByDefault: knobs.defaultVerdict[name] !== "deny",
      honoursHeld: honoursHeld(name, knobs),
      passesRelated: name !== "sg" || knobs.sgIcmpErrors === "related",
    }),
  );
  return { knobs, stages, evaluators };
}

/** Never throws: one that can't be loaded fails for each packet. */
export function loadCustom(
  custom: readonly PreparedEvaluator[],
  tables: readonly CustomTables[],
): readonly LoadedEvaluator[] {
  return custom.map((evaluator, i) => ({
    name: evaluator.name,
    stage: evaluator.stage,
    isStateful: evaluator.isStateful,
    compiled: evaluator.load(tables[i] ?? { kind: "failure", message: "it was never built" }),
  }));
}

function honoursHeld(stage: StageName, knobs: Knobs): boolean {
  if (stage === "sg") return knobs.sgOnChange === "aws";
  return stage === "k8s" && knobs.npOnChange === "new-only";
}
