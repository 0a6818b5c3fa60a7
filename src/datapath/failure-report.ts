/**
 * What users' evaluators threw, told now and then: the packet path only keeps it. The first failure of a program is
 * told within a second, a flood of them once a second.
 */
import type { Program } from "../engine/program.ts";
import { describeThrown } from "../evaluators/custom/failures.ts";

export interface EvaluatorFailure {
  readonly evaluator: string;
  /** Since the last one of this evaluator was told. */
  readonly count: number;
  /** What was thrown last, and where. */
  readonly message: string;
}

const INTERVAL_MS = 1000;

export class FailureReport {
  readonly #tell: (failure: EvaluatorFailure) => void;
  #program: Program;
  #told: number[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(program: Program, tell: (failure: EvaluatorFailure) => void) {
    this.#tell = tell;
    this.#program = program;
    this.useProgram(program);
  }

  /** Programs without an evaluator of a user cost nothing. */
  useProgram(program: Program): void {
    this.check();
    this.#program = program;
    this.#told = program.evaluators.map(() => 0);
    if (program.evaluators.some(({ compiled }) => compiled.failures !== undefined)) {
      this.#timer ??= setInterval(() => this.check(), INTERVAL_MS);
    }
  }

  /** Tells what is new. */
  check(): void {
    for (const { name, compiled, index } of this.#program.evaluators) {
      const { failures } = compiled;
      const told = this.#told[index] ?? 0;
      if (failures === undefined || failures.count === told) continue;
      this.#told[index] = failures.count;
      this.#tell({ evaluator: name, count: failures.count - told, message: describeThrown(failures.error) });
    }
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
