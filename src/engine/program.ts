/** A compiled policy: immutable, made once for an inventory, stamped with an epoch. */
import type { CustomTables } from "../evaluators/custom/prepare.ts";
import type { CompiledEvaluator } from "../model/evaluator.ts";
import type { Knobs } from "../model/knobs.ts";
import type { StageName } from "../model/stage.ts";

/** What a program is made from, as plain data: structured clone carries it to other threads. */
export interface ProgramData {
  readonly epoch: number;
  readonly knobs: Knobs;
  /** By the name of the built-in evaluator. */
  readonly tables: Readonly<Record<string, unknown>>;
  /** Of users' own evaluators, in their order. */
  readonly custom: readonly CustomTables[];
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
  readonly epoch: number;
  readonly knobs: Knobs;
  /** From outside to inside (PL-3). */
  readonly stages: readonly ProgramStage[];
  readonly evaluators: readonly ProgramEvaluator[];
}
