/** One kind, for as long as we run: built in, or served only while its definition is there. */
import { setTimeout } from "node:timers/promises";
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import type { ApiObjects } from "./api-objects.ts";
import { findResource } from "./optional-kind.ts";
import { Reflector, type ReflectorCounts, type ReflectorListeners, type ReflectorOptions } from "./reflector.ts";
import type { ApiResource, OptionalResource } from "./resources.ts";

export interface KindOptions extends ReflectorOptions {
  /** How often to look for a kind that isn't served. */
  readonly discoveryMs: number;
  /** A kind that was served and isn't is believed to be gone after this. */
  readonly graceMs: number;
}

export class KindSource {
  readonly kind: string;
  readonly #client: ApiClient;
  readonly #resource: ApiResource | OptionalResource;
  readonly #objects: ApiObjects;
  readonly #listeners: ReflectorListeners;
  readonly #options: KindOptions;
  readonly #abort = new AbortController();
  readonly #counts: ReflectorCounts = { lists: 0, watches: 0, events: 0, failures: 0 };
  #reflector: Reflector | null = null;
  /** Where its objects came from the last time. */
  #known: ApiResource | null = null;
  #goneSinceMs: number | null = null;

  constructor(
    client: ApiClient,
    resource: ApiResource | OptionalResource,
    objects: ApiObjects,
    listeners: ReflectorListeners,
    options: KindOptions,
  ) {
    this.kind = resource.kind;
    this.#client = client;
    this.#resource = resource;
    this.#objects = objects;
    this.#listeners = listeners;
    this.#options = options;
  }

  get counts(): ReflectorCounts {
    const { lists, watches, events, failures } = this.#counts;
    const now = this.#reflector?.counts;
    return {
      lists: lists + (now?.lists ?? 0),
      watches: watches + (now?.watches ?? 0),
      events: events + (now?.events ?? 0),
      failures: failures + (now?.failures ?? 0),
    };
  }

  /** Until `stop`. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const resource = "path" in this.#resource ? this.#resource : await this.#find(this.#resource);
      if (signal.aborted) return;
      if (resource !== null) {
        this.#known = resource;
        this.#goneSinceMs = null;
        if (await this.#reflect(resource)) return;
        // Listed as served, and not found: it's going, or coming.
        if ("path" in this.#resource)
          this.#listeners.onFailure(new ApiError(404, `404 no ${this.kind} on this server`));
      }
      await this.#wait();
    }
  }

  stop(): void {
    this.#abort.abort();
    this.#reflector?.stop();
  }

  async #reflect(resource: ApiResource): Promise<boolean> {
    const reflector = new Reflector(this.#client, resource, this.#objects, this.#listeners, this.#options);
    this.#reflector = reflector;
    const isStopped = await reflector.run();
    const before = this.counts;
    this.#reflector = null;
    Object.assign(this.#counts, before);
    return isStopped;
  }

  /** Null where there's none, for now. */
  async #find(optional: OptionalResource): Promise<ApiResource | null> {
    try {
      const found = await findResource(this.#client, optional, this.#abort.signal);
      if (found === null) this.#absent();
      return found;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Nobody said that it's gone.
      this.#goneSinceMs = null;
      if (!this.#abort.signal.aborted) {
        this.#counts.failures++;
        this.#listeners.onFailure(error);
      }
      return null;
    }
  }

  #absent(): void {
    this.#goneSinceMs ??= performance.now();
    if (this.#known !== null) {
      if (performance.now() - this.#goneSinceMs < this.#options.graceMs) return;
      this.#objects.clear(this.#known);
      this.#known = null;
      this.#listeners.onEvents();
    }
    this.#listeners.onSync();
  }

  async #wait(): Promise<void> {
    const { discoveryMs } = this.#options;
    const ms = discoveryMs * (0.75 + Math.random() / 2);
    await setTimeout(ms, undefined, { signal: this.#abort.signal }).catch(() => {});
  }
}
