/** The agent's handle on the waiting room (NP-64). */
import type { PodRangeChange } from "../model/pod-range.ts";
import type { Address } from "../net/address.ts";
import { ThreadHandle } from "./thread-handle.ts";
import type { WaitingMessage, WaitingOptions, WaitingRequest } from "./waiting-protocol.ts";

export interface WaitingListeners {
  /** Nobody was known to have these addresses in time; each is told once in an hour, up to the last ones that are told. */
  readonly onExpired: (addresses: readonly Address[], areLast: boolean) => void;
  /** A defect of ours, after which the thread goes on. */
  readonly onFault: (message: string) => void;
  /** A defect after which it doesn't go on. */
  readonly onDeath: (error: Error) => void;
}

export class WaitingHandle {
  readonly #thread: ThreadHandle<WaitingRequest, WaitingMessage>;

  constructor(options: WaitingOptions, { onExpired, onFault, onDeath }: WaitingListeners) {
    this.#thread = new ThreadHandle(
      { file: new URL("./waiting-worker.js", import.meta.url), name: "verdictd-waiting", data: options },
      (message) => {
        if (message.kind === "fault") onFault(message.message);
        else if (message.kind === "expired") onExpired(message.addresses, message.areLast);
      },
      onDeath,
    );
  }

  /** Resolves when the queue is bound; rejects with the thread's error (a KernelError's `code` survives). */
  bound(): Promise<void> {
    return this.#thread.next("bound");
  }

  /** The kernel is about to hear of this change. */
  prepare({ prefixes, known: { removed } }: PodRangeChange): void {
    if (prefixes === null && removed.length === 0) return;
    this.#thread.send({ kind: "prepare", prefixes, removed });
  }

  /** It is in force: what waited for it goes on. */
  settle({ prefixes, known: { added } }: PodRangeChange): void {
    if (prefixes === null && added.length === 0) return;
    this.#thread.send({ kind: "settle", prefixes, added });
  }

  /** What waits is dropped. May be called twice. */
  stop(): Promise<void> {
    return this.#thread.stop({ kind: "stop" });
  }
}
