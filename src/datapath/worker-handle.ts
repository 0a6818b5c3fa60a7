/** The handle on one datapath worker: started once, fed programs, stopped. */
import type { ProgramPatch } from "../engine/program.ts";
import type { EvaluatorFailure } from "./failure-report.ts";
import type { AgentMessage, WorkerMessage, WorkerOptions } from "./protocol.ts";
import { ThreadHandle } from "./thread-handle.ts";

export interface DatapathListeners {
  /** A defect of ours, after which the worker goes on. */
  readonly onFault: (message: string) => void;
  /** A user's evaluator threw. */
  readonly onFailure: (failure: EvaluatorFailure) => void;
  /** A defect after which it doesn't go on. */
  readonly onDeath: (error: Error) => void;
}

export class WorkerHandle {
  readonly #thread: ThreadHandle<AgentMessage, WorkerMessage>;
  #askedAtMs: number | null = null;

  constructor(options: WorkerOptions, { onFault, onFailure, onDeath }: DatapathListeners) {
    this.#thread = new ThreadHandle(
      { file: new URL("./worker.js", import.meta.url), name: "verdictd-queue", data: options },
      (message) => {
        if (message.kind === "fault") onFault(message.message);
        else if (message.kind === "failure") onFailure(message.failure);
      },
      onDeath,
    );
  }

  /** Resolves when the queue is bound; rejects with the worker's error (a KernelError's `code` survives). */
  bound(): Promise<void> {
    return this.#thread.next("bound");
  }

  /** Resolves when every verdict sent from now on is the new program's. */
  async useProgram(patches: readonly ProgramPatch[], epochNibble: number): Promise<void> {
    this.#thread.send({ kind: "program", patches, epochNibble });
    await this.#thread.answered("programmed");
  }

  /** Brings the shared counters up to date with the socket's own. */
  async refreshStatistics(): Promise<void> {
    if (this.#thread.isStopped) return;
    this.#askedAtMs ??= performance.now();
    this.#thread.send({ kind: "statistics" });
    await this.#thread.answered("statistics");
    this.#askedAtMs = null;
  }

  /** How long the worker has owed an answer to `refreshStatistics`, in milliseconds: one that loops judges nothing. */
  get silentMs(): number {
    return this.#askedAtMs === null ? 0 : performance.now() - this.#askedAtMs;
  }

  /** Gives every packet still queued its verdict and ends the thread. May be called twice. */
  stop(): Promise<void> {
    return this.#thread.stop({ kind: "stop" });
  }
}
