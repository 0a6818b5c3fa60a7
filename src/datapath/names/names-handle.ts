/**
 * The agent's handle on the observer of DNS (AN-30). Its thread is started when rules mean domains for the first time: most
 * policies never do.
 */
import type { Address } from "../../net/address.ts";
import { ThreadHandle } from "../thread-handle.ts";
import type { NamesBatch, NamesMessage, NamesOptions, NamesRequest } from "./names-protocol.ts";

export interface NamesListeners {
  /** Pods learnt something, or something has expired. */
  readonly onNames: (batch: NamesBatch) => void;
  /** A defect of ours, after which the thread goes on. */
  readonly onFault: (message: string) => void;
  /** A defect after which it doesn't go on. */
  readonly onDeath: (error: Error) => void;
}

export class NamesHandle {
  readonly #options: NamesOptions;
  readonly #listeners: NamesListeners;
  #thread: ThreadHandle<NamesRequest, NamesMessage> | null = null;

  constructor(options: NamesOptions, listeners: NamesListeners) {
    this.#options = options;
    this.#listeners = listeners;
  }

  /**
   * Before the kernel hears of a change: the domains that rules mean (null: as before), and addresses that are somebody
   * else's. Rejects with the thread's error (a KernelError's `code` survives).
   */
  async prepare(domains: readonly string[] | null, forgotten: readonly Address[]): Promise<void> {
    if (this.#thread === null) {
      if (domains === null || domains.length === 0) return;
      this.#thread = this.#start();
      await this.#thread.next("bound");
    }
    if (domains === null && forgotten.length === 0) return;
    const thread = this.#thread;
    thread.send({ kind: "use", domains, forgotten });
    await thread.answered("used");
  }

  /** What was told up to this batch is in force. */
  settle(batch: number): void {
    this.#thread?.send({ kind: "in-force", batch });
  }

  /** Lets go what waits. May be called twice. */
  async stop(): Promise<void> {
    await this.#thread?.stop({ kind: "stop" });
  }

  #start(): ThreadHandle<NamesRequest, NamesMessage> {
    const { onNames, onFault, onDeath } = this.#listeners;
    const file = new URL("./names-worker.js", import.meta.url);
    return new ThreadHandle(
      { file, name: "verdictd-names", data: this.#options },
      (message) => {
        if (message.kind === "names") onNames(message);
        else if (message.kind === "fault") onFault(message.message);
      },
      onDeath,
    );
  }
}
