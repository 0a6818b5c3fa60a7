/** The agent's handle on a thread that serves a queue: started once, asked things that it answers, stopped. */
import { Worker } from "node:worker_threads";

const ANSWER_TIMEOUT_MS = 10_000;
/** Of a thread that hangs: what's queued at it is dropped with its queue. */
const STOP_TIMEOUT_MS = 3_000;

export interface ThreadStart {
  readonly file: URL;
  readonly name: string;
  readonly data: object;
}

/** Its messages answer what was asked by their kind: `bound` comes by itself, `stopped` before it ends. */
export class ThreadHandle<Request extends { readonly kind: string }, Message extends { readonly kind: string }> {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #waiting = new Map<Message["kind"], { resolve: () => void; reject: (error: Error) => void }[]>();
  #isStopping = false;
  #isStopped = false;

  /** `onMessage` hears every message; `onDeath` of an end that nobody asked for and nobody waits to hear of. */
  constructor(start: ThreadStart, onMessage: (message: Message) => void, onDeath: (error: Error) => void) {
    this.#name = start.name;
    this.#worker = new Worker(start.file, { workerData: start.data, name: start.name, stdout: true });
    // Standard output has our events. What a user's evaluator prints belongs to the logs.
    this.#worker.stdout.pipe(process.stderr, { end: false });
    this.#worker.on("message", (message: Message) => {
      onMessage(message);
      for (const { resolve } of this.#take(message.kind)) resolve();
    });
    let cause: Error | null = null;
    this.#worker.on("error", (error) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on("exit", (code) => {
      if (this.#isStopped) return;
      const error = cause ?? new Error(`the thread ${start.name} exited with code ${code}`);
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

  get isStopped(): boolean {
    return this.#isStopped;
  }

  send(request: Request): void {
    this.#worker.postMessage(request);
  }

  /** Resolves with the next message of the kind; rejects with the thread's error (a KernelError's `code` survives). */
  next(kind: Message["kind"]): Promise<void> {
    if (this.#isStopped) return Promise.reject(new Error(`the thread ${this.#name} has ended`));
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, [...(this.#waiting.get(kind) ?? []), { resolve, reject }]);
    });
  }

  /** The same for an answer, which a thread owes: rejects where none comes. */
  async answered(kind: Message["kind"], timeoutMs = ANSWER_TIMEOUT_MS): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the thread ${this.#name} doesn't answer`)), timeoutMs);
    });
    try {
      await Promise.race([this.next(kind), deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the thread once it has said `stopped` to this. May be called twice. */
  async stop(request: Request): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopping = true;
    this.send(request);
    // One that hangs is ended all the same; its end gives what is queued the error verdict.
    await this.answered("stopped", STOP_TIMEOUT_MS).catch(() => {});
    this.#isStopped = true;
    await this.#worker.terminate();
  }

  #take(kind: Message["kind"]) {
    const waiting = this.#waiting.get(kind) ?? [];
    this.#waiting.delete(kind);
    return waiting;
  }
}
