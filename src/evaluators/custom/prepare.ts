/**
 * A user's module → an evaluator like the built-in ones: built on one thread, loaded on others, in a stage of its own,
 * so that its accept skips nobody else (PL-5).
 *
 * What it throws while it is made for an inventory doesn't stop a change: it then fails for each packet (PL-8), until an
 * inventory comes with which it works. At a start `check` says so first.
 */
import type { Capture, CompiledEvaluator, Evaluator, Failures } from "../../model/evaluator.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import { completeEvaluator, failingEvaluator } from "./complete.ts";
import type { CustomEvaluator } from "./contract.ts";
import { ContractError, describeThrown } from "./failures.ts";
import { readCapture, readExport } from "./read-export.ts";
import { toolkit } from "./toolkit.ts";

/** Plain data for structured clone; the inventory where the module has `compile` alone. */
export type CustomTables =
  | { readonly kind: "data"; readonly data: unknown }
  | { readonly kind: "inventory"; readonly inventory: Inventory; readonly knobs: Knobs }
  | { readonly kind: "failure"; readonly message: string };

export interface PreparedEvaluator extends Evaluator {
  readonly stage: `custom:${string}`;
  /** Of `build` and `capture`; those of a loaded one are its own. */
  readonly failures: Failures;
  /** Never throws. */
  build(inventory: Inventory, knobs: Knobs): CustomTables;
  /** Never throws. */
  load(tables: CustomTables): CompiledEvaluator;
  /** Makes it for this inventory, on this thread, and says what is wrong; nothing where it works. */
  check(inventory: Inventory, knobs: Knobs): readonly string[];
}

/** `exported` is a module's namespace; `taken` are names of other evaluators. Throws ContractError. */
export function prepareEvaluator(
  exported: Readonly<Record<string, unknown>>,
  taken: readonly string[],
): PreparedEvaluator {
  const own = readExport(exported, taken);
  const failures: Failures = { count: 0, error: null };
  const load = (tables: CustomTables): CompiledEvaluator => {
    try {
      return loadTables(own, tables);
    } catch (error) {
      return failingEvaluator(error);
    }
  };
  const build = (inventory: Inventory, knobs: Knobs): CustomTables => {
    try {
      return buildTables(own, inventory, knobs);
    } catch (error) {
      noteFailure(failures, error);
      return { kind: "failure", message: describeThrown(error) };
    }
  };
  return {
    name: own.name,
    stage: `custom:${own.name}`,
    isStateful: own.isStateful ?? true,
    failures,
    build,
    load,
    compile: (inventory, knobs) => load(build(inventory, knobs)),
    capture(inventory, knobs) {
      try {
        return captureFor(own, inventory, knobs);
      } catch (error) {
        noteFailure(failures, error);
        // What it would have left alone is unknown: everything is diverted, and it is asked.
        return { subjects: "all", output: false };
      }
    },
    check(inventory, knobs) {
      const problems: string[] = [];
      const attempt = (what: string, step: () => void): void => {
        try {
          step();
        } catch (error) {
          problems.push(`${what}: ${describeThrown(error)}`);
        }
      };
      let tables: CustomTables | null = null;
      attempt("build", () => {
        tables = buildTables(own, inventory, knobs);
      });
      attempt(own.load === undefined ? "compile" : "load", () => {
        if (tables !== null) loadTables(own, tables);
      });
      attempt("capture", () => {
        captureFor(own, inventory, knobs);
      });
      return problems;
    },
  };
}

function buildTables(own: CustomEvaluator, inventory: Inventory, knobs: Knobs): CustomTables {
  if (own.load === undefined) return { kind: "inventory", inventory, knobs };
  const data = own.build?.(inventory, knobs, toolkit);
  if (data instanceof Promise) throw new ContractError("it must not be async: return the data itself");
  // Cloned here already: what can't be sent is this module's error, and what it changes later isn't seen.
  return { kind: "data", data: structuredClone(data) };
}

function loadTables(own: CustomEvaluator, tables: CustomTables): CompiledEvaluator {
  if (tables.kind === "failure") throw new ContractError(tables.message);
  const given =
    tables.kind === "data" ? own.load?.(tables.data, toolkit) : own.compile?.(tables.inventory, tables.knobs, toolkit);
  return completeEvaluator(given);
}

function captureFor(own: CustomEvaluator, inventory: Inventory, knobs: Knobs): Capture {
  return readCapture(own.capture === undefined ? {} : own.capture(inventory, knobs, toolkit));
}

function noteFailure(failures: Failures, error: unknown): void {
  failures.count++;
  failures.error = error;
}
