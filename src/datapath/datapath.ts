/**
 * The agent's handle on the datapath: one worker for each queue, started once, fed programs, stopped. What is asked of
 * the datapath is done when every worker has done it.
 */
import type { ProgramPatch } from "../engine/program.ts";
import type { WorkerOptions } from "./protocol.ts";
import { type DatapathListeners, WorkerHandle } from "./worker-handle.ts";

export class Datapath {
  readonly #workers: readonly WorkerHandle[];

  /** The first worker's death is the datapath's, and told once. */
  constructor(options: readonly WorkerOptions[], listeners: DatapathListeners) {
    let isDead = false;
    const onDeath = (error: Error): void => {
      if (!isDead) listeners.onDeath(error);
      isDead = true;
    };
    this.#workers = options.map((each) => new WorkerHandle(each, { ...listeners, onDeath }));
  }

  /** Resolves when all queues are bound; rejects with a worker's error (a KernelError's `code` survives). */
  async bound(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.bound()));
  }

  /** Resolves when every verdict sent from now on is the new program's. */
  async useProgram(patches: readonly ProgramPatch[], epochNibble: number): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.useProgram(patches, epochNibble)));
  }

  /** Brings the shared counters up to date with the sockets' own. */
  async refreshStatistics(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.refreshStatistics()));
  }

  /** How long one of the workers has owed an answer, in milliseconds. */
  get silentMs(): number {
    return Math.max(...this.#workers.map((worker) => worker.silentMs));
  }

  /** Gives every packet still queued its verdict and ends the threads. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }
}
