/**
 * Port → class: two ports share a class when no rule of the evaluators asked about tells them apart. So a scan of all
 * ports, or answers to all of a client's ports, are a handful of decisions.
 */
import { Reads } from "../model/evaluator.ts";
import type { ProgramEvaluator } from "./program.ts";

const PORTS = 0x10000;
const eachItsOwn = Uint16Array.from({ length: PORTS }, (_, port) => port);

export class PortClasses {
  /** A class is named by its first port. */
  readonly #classOf = new Uint16Array(PORTS);

  /** The partition by what these evaluators read of the destination port. */
  use(evaluators: readonly ProgramEvaluator[]): void {
    const bounds = new Set([0]);
    for (const { compiled } of evaluators) {
      if ((compiled.reads & Reads.destinationPort) === 0) continue;
      if (compiled.portBounds === undefined) {
        this.#classOf.set(eachItsOwn);
        return;
      }
      for (const bound of compiled.portBounds) bounds.add(bound);
    }
    const starts = Uint16Array.from(bounds).sort();
    starts.forEach((start, i) => {
      this.#classOf.fill(start, start, starts[i + 1] ?? PORTS);
    });
  }

  classOf(port: number): number {
    return this.#classOf[port] as number;
  }
}
