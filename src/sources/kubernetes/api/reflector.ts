/**
 * One kind of object, as an API server has it: listed in pages, then watched from the list's version, for ever. What the
 * server says is told object by object, in its order; what it doesn't say any more only after a whole list.
 *
 * ```
 *  list ──▶ watch ──▶ ended, cut off, silent ──▶ watch from the last version seen
 *    ▲         └────▶ 410, or nothing that can be trusted ──┐
 *    └──────────────────────────────────────────────────────┘    (whatever fails again waits longer each time)
 * ```
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "./api-client.ts";
import { ApiError, statusError } from "./api-error.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import type { ApiResource } from "./resources.ts";

export type ApiObject = Readonly<Record<string, unknown>>;

/** Whoever keeps the objects. */
export interface ReflectorSink {
  /** There is such an object, or it's different. */
  put(resource: ApiResource, object: ApiObject): void;
  remove(resource: ApiResource, object: ApiObject): void;
  /** A list begins; what is put from now until `listed` is all that there is. */
  listing(resource: ApiResource): void;
  listed(resource: ApiResource): void;
}

export interface ReflectorListeners {
  /** What the server says is known, up to this moment: after a list, and again after each failure. */
  readonly onSync: () => void;
  /** It isn't known any more, or not yet; the next try follows by itself. */
  readonly onFailure: (error: ApiError) => void;
  /** Something was put or removed. */
  readonly onEvents: () => void;
}

export interface ReflectorOptions {
  readonly pageSize: number;
  readonly backoff: BackoffLimits;
  /** The server is asked to end a watch after this or up to twice as long, so that watches move to new servers. */
  readonly watchSeconds: number;
}

export interface ReflectorCounts {
  lists: number;
  watches: number;
  events: number;
  failures: number;
}

export const defaultReflectorOptions: ReflectorOptions = {
  pageSize: 250,
  backoff: { firstMs: 500, mostMs: 30_000 },
  watchSeconds: 290,
};

/** A watch that ends sooner than this, and has said nothing, is no good one. */
const SHORT_WATCH_MS = 1000;
/** After so many of those in a row the list is asked for again: it may be what we watch from that is wrong. */
const MOST_BAD_WATCHES = 3;
/** Where pages expire again and again the list is asked for in one piece. */
const MOST_EXPIRED_LISTS = 3;
const GONE = 410;

export class Reflector {
  readonly counts: ReflectorCounts = { lists: 0, watches: 0, events: 0, failures: 0 };
  readonly #client: ApiClient;
  readonly #resource: ApiResource;
  readonly #sink: ReflectorSink;
  readonly #listeners: ReflectorListeners;
  readonly #options: ReflectorOptions;
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  /** Of the last list or event; null: a list comes first. */
  #version: string | null = null;
  #expiredLists = 0;
  #badWatches = 0;

  constructor(
    client: ApiClient,
    resource: ApiResource,
    sink: ReflectorSink,
    listeners: ReflectorListeners,
    options: ReflectorOptions = defaultReflectorOptions,
  ) {
    this.#client = client;
    this.#resource = resource;
    this.#sink = sink;
    this.#listeners = listeners;
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** Until `stop`, or until the server has no such kind (404 of a list): then it resolves to false. */
  async run(): Promise<boolean> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const version = this.#version;
      try {
        if (version === null) await this.#list();
        else await this.#watch(version);
      } catch (error) {
        if (signal.aborted) break;
        const failure = asApiError(error);
        if (failure.status === 404 && version === null) return false;
        await this.#recover(failure, version !== null);
      }
    }
    return true;
  }

  /** No event after this; what is on its way is forgotten. */
  stop(): void {
    this.#abort.abort();
  }

  async #list(): Promise<void> {
    const { pageSize } = this.#options;
    this.counts.lists++;
    let query = this.#expiredLists < MOST_EXPIRED_LISTS ? `?limit=${pageSize}` : "";
    this.#sink.listing(this.#resource);
    for (;;) {
      const page = await this.#client.request(`${this.#resource.path}${query}`, { signal: this.#abort.signal });
      if (this.#abort.signal.aborted) return;
      const { items, version, next } = readPage(page);
      for (const item of items) this.#sink.put(this.#resource, item);
      this.#listeners.onEvents();
      if (next === "") {
        this.#version = version;
        break;
      }
      query = `?limit=${pageSize}&continue=${encodeURIComponent(next)}`;
    }
    this.#expiredLists = 0;
    this.#sink.listed(this.#resource);
    this.#listeners.onEvents();
    this.#listeners.onSync();
  }

  async #watch(version: string): Promise<void> {
    const seconds = Math.round(this.#options.watchSeconds * (1 + Math.random()));
    const query = `?watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${encodeURIComponent(version)}`;
    this.counts.watches++;
    let isOpen = false;
    let isGood = false;
    const succeeded = (): void => {
      if (isGood) return;
      isGood = true;
      this.#badWatches = 0;
      this.#backoff.reset();
      this.#listeners.onSync();
    };
    let timer: NodeJS.Timeout | undefined;
    const startMs = performance.now();
    try {
      await this.#client.stream(
        `${this.#resource.path}${query}`,
        {
          onOpen: () => {
            isOpen = true;
            timer = setTimeout(succeeded, SHORT_WATCH_MS);
          },
          onLine: (line) => {
            this.#take(line);
            succeeded();
          },
        },
        this.#abort.signal,
      );
      if (!isGood) throw new ApiError(0, "a watch that ended at once");
      // Over soon, again and again: a server, or something before it, that can't hold a watch.
      if (performance.now() - startMs < SHORT_WATCH_MS) await this.#wait(this.#backoff.next());
    } finally {
      clearTimeout(timer);
      if (isOpen && !isGood && ++this.#badWatches >= MOST_BAD_WATCHES) this.#version = null;
    }
  }

  #take(line: unknown): void {
    if (this.#abort.signal.aborted) return;
    const { type, object } = (line ?? {}) as { readonly type?: unknown; readonly object?: unknown };
    if (type === "ERROR") {
      const code = (object as { readonly code?: unknown } | null)?.code;
      throw statusError(typeof code === "number" ? code : 500, object);
    }
    const version = versionOf(object);
    if (version === null || !isObject(object)) throw new ApiError(0, `a watch event without an object: ${type}`);
    if (type === "ADDED" || type === "MODIFIED") this.#sink.put(this.#resource, object);
    else if (type === "DELETED") this.#sink.remove(this.#resource, object);
    else if (type !== "BOOKMARK") throw new ApiError(0, `a watch event of an unknown type: ${JSON.stringify(type)}`);
    this.#version = version;
    if (type === "BOOKMARK") return;
    this.counts.events++;
    this.#listeners.onEvents();
  }

  async #recover(error: ApiError, wasWatching: boolean): Promise<void> {
    this.counts.failures++;
    if (error.status === GONE) {
      // What we have is too old to go on from: nothing is wrong with the server.
      if (!wasWatching) this.#expiredLists++;
      this.#version = null;
    } else {
      // Asked for what it can't answer (400, 403, 404 …), the server is asked for everything again.
      if (error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429)
        this.#version = null;
      this.#listeners.onFailure(error);
    }
    await this.#wait(this.#backoff.next(error.retryAfterMs ?? 0));
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#abort.signal }).catch(() => {});
  }
}

interface Page {
  readonly items: readonly ApiObject[];
  readonly version: string;
  readonly next: string;
}

/** Throws ApiError for what is no list: taken for an empty one, it would delete everything. */
function readPage(page: unknown): Page {
  const { items, metadata } = (page ?? {}) as { readonly items?: unknown; readonly metadata?: { continue?: unknown } };
  const version = versionOf(page);
  // Go writes an empty list as null.
  const list = items === null ? [] : items;
  if (!Array.isArray(list) || version === null) throw new ApiError(0, "an answer that is no list of objects");
  const next = metadata?.continue;
  return { items: list.filter(isObject), version, next: typeof next === "string" ? next : "" };
}

function versionOf(value: unknown): string | null {
  if (!isObject(value) || !isObject(value.metadata)) return null;
  const { resourceVersion } = value.metadata;
  return typeof resourceVersion === "string" && resourceVersion !== "" ? resourceVersion : null;
}

function isObject(value: unknown): value is ApiObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}
