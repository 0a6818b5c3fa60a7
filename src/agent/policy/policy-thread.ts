/** The agent's handle on the thread that reads and compiles policies, so that neither holds up the agent or a packet. */
import { Worker } from "node:worker_threads";
import type { EvaluatorFailure } from "../../datapath/failure-report.ts";
import type { NamesBatch } from "../../datapath/names/names-protocol.ts";
import type { ApiStatus } from "../../sources/kubernetes/api/api-source.ts";
import type { InventoryReport, PolicyMessage, PolicyOptions, PolicyRequest, PolicyUpdate } from "./protocol.ts";

const YOUNG_GENERATION_MB = 12;

export interface PolicyListeners {
  /** The next update comes after `applied`. */
  readonly onUpdate: (update: PolicyUpdate) => void;
  readonly onReport: (report: InventoryReport) => void;
  /** Why the inventory in force may be older than what there is, or why there is none yet; empty: it's current. */
  readonly onStale: (reasons: readonly string[]) => void;
  readonly onClusterStatus: (status: ApiStatus) => void;
  /** Something that was to be told to the cluster couldn't be. */
  readonly onComplaint: (text: string) => void;
  /** A user's evaluator threw while it was made. */
  readonly onFailure: (failure: EvaluatorFailure) => void;
  /** The thread is gone: policies no longer follow the files. */
  readonly onDeath: (error: Error) => void;
}

export type PolicyLoaded = Extract<PolicyMessage, { kind: "loaded" }>;

export class PolicyThread {
  readonly #worker: Worker;
  readonly #loaded: Promise<PolicyLoaded>;
  #isStopped = false;
  #onStopped: () => void = () => {};

  constructor(options: PolicyOptions, listeners: PolicyListeners) {
    this.#worker = new Worker(new URL("./policy-worker.js", import.meta.url), {
      workerData: options,
      name: "verdictd-policy",
      // Reading a large cluster makes much garbage at once: collected often, little of it is kept for long.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      stdout: true,
    });
    // Standard output has our events. What a user's evaluator prints belongs to the logs.
    this.#worker.stdout.pipe(process.stderr, { end: false });
    this.#loaded = new Promise((resolve, reject) => {
      let cause: Error | null = null;
      this.#worker.on("error", (error) => {
        cause = error instanceof Error ? error : new Error(String(error));
      });
      this.#worker.on("exit", (code) => {
        const error = cause ?? new Error(`the policy thread exited with code ${code}`);
        reject(error);
        if (!this.#isStopped) listeners.onDeath(error);
        this.#isStopped = true;
        this.#onStopped();
      });
      this.#worker.on("message", (message: PolicyMessage) => {
        if (message.kind === "loaded") resolve(message);
        else if (this.#isStopped) return;
        else if (message.kind === "update") listeners.onUpdate(message.update);
        else if (message.kind === "report") listeners.onReport(message.report);
        else if (message.kind === "stale") listeners.onStale(message.reasons);
        else if (message.kind === "cluster") listeners.onClusterStatus(message.status);
        else if (message.kind === "complaint") listeners.onComplaint(message.text);
        else listeners.onFailure(message.failure);
      });
    });
    // Whoever asks hears of it; nobody may have asked yet.
    this.#loaded.catch(() => {});
  }

  /** The first inventory, whole. Changes follow after the first `applied`. */
  loaded(): Promise<PolicyLoaded> {
    return this.#loaded;
  }

  /** The last update is in force, or its patches are at least in use: the next one may come. */
  applied(): void {
    this.#say({ kind: "applied" });
  }

  /** Connection tracking holds nothing any more of owners before the update of this number. */
  settled(number: number): void {
    this.#say({ kind: "settled", number });
  }

  /** Comes with the next update. */
  learn(names: NamesBatch): void {
    if (!this.#isStopped) this.#say({ kind: "learn", names });
  }

  /** No update after this. May be called twice. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const stopped = new Promise<void>((resolve) => {
      this.#onStopped = resolve;
    });
    this.#say({ kind: "stop" });
    await stopped;
  }

  #say(request: PolicyRequest): void {
    this.#worker.postMessage(request);
  }
}
