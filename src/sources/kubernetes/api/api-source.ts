/**
 * A cluster as its API server has it: all kinds that policies concern, each listed and watched by itself, into one
 * store. What the server can't be asked any more stays as it was.
 */
import type { InventoryStore } from "../../inventory-store.ts";
import type { ApiClient } from "./api-client.ts";
import { type ApiError, UnreadableKindError } from "./api-error.ts";
import { ApiObjects } from "./api-objects.ts";
import { type KindOptions, KindSource } from "./kind-source.ts";
import type { PolicyObserver } from "./policy-observer.ts";
import { defaultReflectorOptions, type ReflectorCounts } from "./reflector.ts";
import { builtInResources, policyResources } from "./resources.ts";

export interface ApiStatus {
  /** By kind, in the order in which they are asked for. */
  readonly kinds: readonly KindStatus[];
  /** Why what we know may be older than what the server knows; empty where it isn't. */
  readonly problems: readonly string[];
}

export interface KindStatus extends ReflectorCounts {
  readonly kind: string;
  /** It was known once; from then on there is something to enforce. */
  readonly isSynced: boolean;
  /** For so long the server hasn't told us of it, in seconds; 0: it does. */
  readonly behindSeconds: number;
}

export interface ApiListeners {
  /** The store has something new, or may have. */
  readonly onChange: () => void;
  /** `status().problems` are others than before. */
  readonly onProblems: () => void;
  /** Hears of each policy. */
  readonly policies?: PolicyObserver | null;
}

export interface ApiSourceOptions extends KindOptions {
  /** What lasts no longer isn't worth a word: servers restart, watches end. */
  readonly patienceMs: number;
}

export const defaultApiOptions: ApiSourceOptions = {
  ...defaultReflectorOptions,
  discoveryMs: 10_000,
  graceMs: 10_000,
  patienceMs: 3_000,
};

interface KindState {
  readonly source: KindSource;
  isSynced: boolean;
  /** Since the first failure after the last success. */
  failingSinceMs: number | null;
  error: ApiError | null;
  timer: NodeJS.Timeout | null;
}

export class ApiSource {
  /** What stands where a file's name does. */
  readonly server: string;
  readonly #options: ApiSourceOptions;
  readonly #states: readonly KindState[];
  readonly #listeners: ApiListeners;
  #problems = "";
  #isClosed = false;
  #isTelling = false;
  #onSynced: () => void = () => {};
  readonly #synced: Promise<void>;
  #onDefect: (error: unknown) => void = () => {};

  constructor(
    client: ApiClient,
    store: InventoryStore,
    listeners: ApiListeners,
    options: ApiSourceOptions = defaultApiOptions,
  ) {
    this.server = client.server;
    this.#options = options;
    this.#listeners = listeners;
    const objects = new ApiObjects(store, client.server, listeners.policies ?? null);
    this.#states = [...builtInResources, ...policyResources].map((resource) => {
      const state: KindState = {
        source: new KindSource(
          client,
          resource,
          objects,
          {
            onSync: () => this.#succeeded(state),
            onFailure: (error) => this.#failed(state, error),
            onEvents: () => this.#tellSoon(),
          },
          options,
        ),
        isSynced: false,
        failingSinceMs: null,
        error: null,
        timer: null,
      };
      return state;
    });
    this.#synced = new Promise((resolve) => {
      this.#onSynced = resolve;
    });
  }

  /** Begins to list and watch. Resolves when each kind has been listed once, however long that takes, or at `close`. */
  async start(): Promise<void> {
    const defect = new Promise<never>((_, reject) => {
      this.#onDefect = reject;
    });
    for (const { source } of this.#states) {
      source.run().catch((error: unknown) => {
        // Ours: it must not leave old policies in force quietly.
        this.#onDefect(error);
        queueMicrotask(() => {
          throw error;
        });
      });
    }
    await Promise.race([this.#synced, defect]);
  }

  get isSynced(): boolean {
    return this.#states.every(({ isSynced }) => isSynced);
  }

  status(): ApiStatus {
    const nowMs = performance.now();
    return {
      kinds: this.#states.map(({ source, isSynced, failingSinceMs }) => ({
        kind: source.kind,
        ...source.counts,
        isSynced,
        behindSeconds: failingSinceMs === null ? 0 : (nowMs - failingSinceMs) / 1000,
      })),
      problems: this.#describeProblems(),
    };
  }

  /** No call after this one. May be called twice. */
  close(): void {
    this.#isClosed = true;
    for (const { source, timer } of this.#states) {
      source.stop();
      if (timer !== null) clearTimeout(timer);
    }
    this.#onSynced();
  }

  #succeeded(state: KindState): void {
    state.failingSinceMs = null;
    state.error = null;
    if (state.timer !== null) clearTimeout(state.timer);
    state.timer = null;
    state.isSynced = true;
    this.#tellProblems();
    if (this.isSynced) this.#onSynced();
  }

  #failed(state: KindState, error: ApiError): void {
    if (this.#isClosed) return;
    state.error = error;
    state.failingSinceMs ??= performance.now();
    this.#tellProblems();
    state.timer ??= setTimeout(() => this.#tellProblems(), this.#options.patienceMs);
  }

  /** Once for all that came in one piece. */
  #tellSoon(): void {
    if (this.#isTelling || this.#isClosed) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      if (!this.#isClosed) this.#listeners.onChange();
    });
  }

  #tellProblems(): void {
    const problems = this.#describeProblems().join("\n");
    if (problems === this.#problems || this.#isClosed) return;
    this.#problems = problems;
    this.#listeners.onProblems();
  }

  /** One line for kinds that fail alike: mostly it's the server. Which they are matters where others are told of. */
  #describeProblems(): string[] {
    const kindsOf = new Map<string, string[]>();
    const nowMs = performance.now();
    // A timer may be a little early.
    const patienceMs = this.#options.patienceMs * 0.9;
    const ofKinds = new Set<string>();
    for (const { source, error, failingSinceMs } of this.#states) {
      if (error === null || failingSinceMs === null || nowMs - failingSinceMs < patienceMs) continue;
      const message = describe(error);
      kindsOf.set(message, [...(kindsOf.get(message) ?? []), source.kind]);
      if (isOfKind(error)) ofKinds.add(message);
    }
    return [...kindsOf].map(
      ([message, kinds]) => `${this.server}: ${ofKinds.has(message) ? `${kinds.join(", ")}: ` : ""}${message}`,
    );
  }
}

/** Other failures are the server's or the way's, whichever kind met them first. */
function isOfKind({ status }: ApiError): boolean {
  return status === 403 || status === 404;
}

/** With what helps. */
function describe(error: ApiError): string {
  const { status, message } = error;
  if (status === 401) return "the server doesn't know us (401): renew the token or certificate of the kubeconfig";
  if (status === 403)
    return "not allowed to list and watch (403): give this account the ClusterRole of deploy/kubernetes";
  if (error instanceof UnreadableKindError)
    return (
      `there are objects, ${message}, which this version can't read: ` +
      `have the definition serve ${error.readable.join(" or ")} as well, or update verdictd`
    );
  return `can't be listed or watched (${message}): see whether it runs and is reached from here`;
}
