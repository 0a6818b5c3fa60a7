/** The handle on one datapath worker: started once, fed programs, stopped. */
import { Worker } from "node:worker_threads";
import type { ProgramPatch } from "../engine/program.ts";
import type { EvaluatorFailure } from "./failure-report.ts";
import type { AgentMessage, WorkerMessage, WorkerOptions } from "./protocol.ts";

type Kind = WorkerMessage["kind"];

const ANSWER_TIMEOUT_MS = 10_000;
/** Of a worker that hangs: what's queued at it is dropped with its queue. */
const STOP_TIMEOUT_MS = 3_000;

export interface DatapathListeners {
  /** A defect of ours, after which the worker goes on. */
  readonly onFault: (message: string) => void;
  /** A user's evaluator threw. */
  readonly onFailure: (failure: EvaluatorFailure) => void;
  /** A defect after which it doesn't go on. */
  readonly onDeath: (error: Error) => void;
}

export class WorkerHandle {
  readonly #worker: Worker;
  readonly #waiting = new Map<Kind, { resolve: () => void; reject: (error: Error) => void }[]>();
  #isStopping = false;
  #isStopped = false;
  #askedAtMs: number | null = null;

  constructor(options: WorkerOptions, { onFault, onFailure, onDeath }: DatapathListeners) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: options,
      name: "verdictd-queue",
      stdout: true,
    });
    // Standard output has our events. What a user's evaluator prints belongs to the logs.
    this.#worker.stdout.pipe(process.stderr, { end: false });
    this.#worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "fault") onFault(message.message);
      else if (message.kind === "failure") onFailure(message.failure);
      else for (const { resolve } of this.#take(message.kind)) resolve();
    });
    let cause: Error | null = null;
    this.#worker.on("error", (error) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on("exit", (code) => {
      if (this.#isStopped) return;
      const error = cause ?? new Error(`the datapath worker exited with code ${code}`);
      this.#isStopped = true;
      // Its last words may be read together with its end.
      if (cause === null) for (const { resolve } of this.#take("stopped")) resolve();
      const waiting = [...this.#waiting.values()].flat();
      this.#waiting.clear();
      if (this.#isStopping && waiting.length === 0) return;
      for (const { reject } of waiting) reject(error);
      if (waiting.length === 0) onDeath(error);
    });
  }

  /** Resolves when the queue is bound; rejects with the worker's error (a KernelError's `code` survives). */
  bound(): Promise<void> {
    return this.#wait("bound");
  }

  /** Resolves when every verdict sent from now on is the new program's. */
  async useProgram(patches: readonly ProgramPatch[], epochNibble: number): Promise<void> {
    this.#send({ kind: "program", patches, epochNibble });
    await this.#answered("programmed");
  }

  /** Brings the shared counters up to date with the socket's own. */
  async refreshStatistics(): Promise<void> {
    if (this.#isStopped) return;
    this.#askedAtMs ??= performance.now();
    this.#send({ kind: "statistics" });
    await this.#answered("statistics");
    this.#askedAtMs = null;
  }

  /** How long the worker has owed an answer to `refreshStatistics`, in milliseconds: one that loops judges nothing. */
  get silentMs(): number {
    return this.#askedAtMs === null ? 0 : performance.now() - this.#askedAtMs;
  }

  /** Gives every packet still queued its verdict and ends the thread. May be called twice. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopping = true;
    this.#send({ kind: "stop" });
    // One that hangs is ended all the same; its end gives what is queued the error verdict.
    await this.#answered("stopped", STOP_TIMEOUT_MS).catch(() => {});
    this.#isStopped = true;
    await this.#worker.terminate();
  }

  /** A worker that answers nothing judges nothing: then it rejects. */
  async #answered(kind: Kind, timeoutMs = ANSWER_TIMEOUT_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the datapath worker doesn't answer")), timeoutMs);
    });
    try {
      await Promise.race([this.#wait(kind), deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  #send(message: AgentMessage): void {
    this.#worker.postMessage(message);
  }

  #wait(kind: Kind): Promise<void> {
    if (this.#isStopped) return Promise.reject(new Error("the datapath worker has ended"));
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, [...(this.#waiting.get(kind) ?? []), { resolve, reject }]);
    });
  }

  #take(kind: Kind) {
    const waiting = this.#waiting.get(kind) ?? [];
    this.#waiting.delete(kind);
    return waiting;
  }
}
