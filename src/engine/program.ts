/** A compiled policy, and what it takes to make one on another thread. */
import type { CustomTables } from "../evaluators/custom/prepare.ts";
import type { KubernetesPatch } from "../evaluators/kubernetes/policy-index.ts";
import type { CompiledEvaluator } from "../model/evaluator.ts";
import type { Knobs } from "../model/knobs.ts";
import type { StageName } from "../model/stage.ts";

/**
 * What a program has that the one before it hadn't, as plain data: structured clone carries it, and its large parts are
 * shared memory, which isn't copied. Patches are applied in order, each once or again.
 */
export interface ProgramPatch {
  /** Tables that are new, whole, by the name of their evaluator. */
  readonly tables: Readonly<Record<string, unknown>>;
  readonly kubernetes: KubernetesPatch | null;
  /** Of users' own evaluators, in their order; null where they are what they were. */
  readonly custom: readonly CustomTables[] | null;
}

export interface ProgramEvaluator {
  readonly name: string;
  readonly isStateful: boolean;
  readonly compiled: CompiledEvaluator;
  /** Position among all evaluators of the program; counters and traces name it by this. */
  readonly index: number;
}

export interface ProgramStage {
  readonly name: StageName;
  readonly index: number;
  readonly evaluators: readonly ProgramEvaluator[];
  /** What a stage of only `next` answers (PL-1). */
  readonly acceptsByDefault: boolean;
  /** Memory in the ct mark lets a flow that the stage admitted before pass it again: SG-66, NP-70. */
  readonly honoursHeld: boolean;
  /** ICMP errors about accepted flows pass it without being judged (PL-21, SG-71). */
  readonly passesRelated: boolean;
}

export interface Program {
  readonly knobs: Knobs;
  /** From outside to inside (PL-3). */
  readonly stages: readonly ProgramStage[];
  readonly evaluators: readonly ProgramEvaluator[];
}
