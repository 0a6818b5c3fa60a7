/**
 * Changes as the log tells them: each in debug, and at info no more than a line a second, which sums up what came
 * meanwhile. In a large cluster pods come and go all the time.
 */
import type { Logger } from "../telemetry/log.ts";

export interface LoggedChange {
  readonly epoch: number;
  /** How many addresses are managed after it. */
  readonly managed: number | "all";
  readonly affected: number | "all";
  readonly compileMs: number;
  readonly enforceMs: number;
}

const INTERVAL_MS = 1000;

export class ChangeLog {
  readonly #log: Logger;
  #sum: (LoggedChange & { readonly changes: number }) | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `isOfNames`: of domain names, which come and go all day long. */
  add(change: LoggedChange, isOfNames: boolean): void {
    this.#log.debug(rounded(change), "enforcing a change");
    if (isOfNames) return;
    const { changes, affected, compileMs, enforceMs } = this.#sum ?? nothing;
    this.#sum = {
      ...change,
      changes: changes + 1,
      affected: affected === "all" || change.affected === "all" ? "all" : affected + change.affected,
      compileMs: compileMs + change.compileMs,
      enforceMs: enforceMs + change.enforceMs,
    };
    if (this.#timer === null) this.#tell();
  }

  /** What wasn't told yet is told now. */
  close(): void {
    if (this.#sum !== null) this.#log.info(rounded(this.#sum), enforced);
    this.#sum = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** And for a second nothing more. */
  #tell(): void {
    this.#timer = null;
    if (this.#sum === null) return;
    this.close();
    this.#timer = setTimeout(() => this.#tell(), INTERVAL_MS);
  }
}

const enforced = "changes are in force";
const nothing = { changes: 0, affected: 0 as number | "all", compileMs: 0, enforceMs: 0 };

function rounded<T extends LoggedChange>(change: T): T {
  return { ...change, compileMs: round(change.compileMs), enforceMs: round(change.enforceMs) };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
