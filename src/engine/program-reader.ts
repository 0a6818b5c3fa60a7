/** Patches → program, on the thread that judges by it: the functions of the evaluators round shared tables. */

import type { CustomTables, PreparedEvaluator } from "../evaluators/custom/prepare.ts";
import { KubernetesReader } from "../evaluators/kubernetes/policy-reader.ts";
import type { Knobs } from "../model/knobs.ts";
import { assembleProgram, loadCustom } from "./assemble-program.ts";
import type { Program, ProgramPatch } from "./program.ts";

export class ProgramReader {
  readonly #knobs: Knobs;
  readonly #kubernetes: KubernetesReader;
  readonly #custom: readonly PreparedEvaluator[];
  #tables: Readonly<Record<string, unknown>> = {};
  #customTables: readonly CustomTables[] = [];

  /** `custom`: users' own evaluators, those that the patches are made with, in the same order. */
  constructor(knobs: Knobs, custom: readonly PreparedEvaluator[] = []) {
    this.#knobs = knobs;
    this.#kubernetes = new KubernetesReader(knobs);
    this.#custom = custom;
  }

  /** The program after these patches. The one before is good no longer. */
  apply(patches: readonly ProgramPatch[]): Program {
    for (const { tables, kubernetes, custom } of patches) {
      this.#tables = { ...this.#tables, ...tables };
      if (kubernetes !== null) this.#kubernetes.apply(kubernetes);
      if (custom !== null) this.#customTables = custom;
    }
    return this.#assemble(loadCustom(this.#custom, this.#customTables));
  }

  /** The same program without users' own evaluators. */
  withoutCustom(): Program {
    return this.#assemble([]);
  }

  #assemble(custom: ReturnType<typeof loadCustom>): Program {
    return assembleProgram({ ec2: this.#tables, kubernetes: this.#kubernetes.tables, custom, knobs: this.#knobs });
  }
}
