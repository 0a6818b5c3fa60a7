/** Users' own evaluators, on the control thread: whether they work, and what they threw. */
import type { EvaluatorFailure } from "../datapath/failure-report.ts";
import { describeThrown } from "../evaluators/custom/failures.ts";
import type { PreparedEvaluator } from "../evaluators/custom/prepare.ts";
import type { Inventory } from "../model/inventory.ts";
import type { Knobs } from "../model/knobs.ts";
import { checkModules, type LoadedModule } from "../sources/modules/load-modules.ts";
import type { Logger } from "../telemetry/log.ts";
import { ConfigurationError } from "./configuration-error.ts";

export class EvaluatorModules {
  readonly evaluators: readonly PreparedEvaluator[];
  /** What datapath workers import. */
  readonly urls: readonly string[];
  readonly #modules: readonly LoadedModule[];
  readonly #log: Logger;
  readonly #told = new Map<PreparedEvaluator, number>();

  constructor(modules: readonly LoadedModule[], log: Logger) {
    this.evaluators = modules.map((module) => module.evaluator);
    this.urls = modules.map((module) => module.url);
    this.#modules = modules;
    this.#log = log;
  }

  /** Throws ConfigurationError where one can't be made for this inventory. */
  check(inventory: Inventory, knobs: Knobs): void {
    const problems = checkModules(this.#modules, inventory, knobs);
    if (problems.length > 0) throw new ConfigurationError(problems);
  }

  /** Tells what `build` and `capture` threw since the last time. */
  report(): void {
    for (const evaluator of this.evaluators) {
      const { count, error } = evaluator.failures;
      const told = this.#told.get(evaluator) ?? 0;
      if (count === told) continue;
      this.#told.set(evaluator, count);
      this.tell({ evaluator: evaluator.name, count: count - told, message: describeThrown(error) });
    }
  }

  tell(failure: EvaluatorFailure): void {
    this.#log.error({ ...failure }, "an evaluator failed: errorVerdict decides what it should judge");
  }
}
