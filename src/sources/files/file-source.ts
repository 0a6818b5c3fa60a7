/**
 * Directories of policy files, read and watched. An event says where to look: one file that was moved into place is read
 * at once, one that somebody writes after a moment of quiet. Everything else, and what an event may have missed, is
 * found by scanning: an event that is lost, doubled or early costs time and never a change.
 *
 * ```
 *  renamed here ──────────────▶ look at it ──────────────────────────────────────────────┐
 *  written, deleted ─ quiet ──▶ look at it ── unclear ─┐                                  ├─▶ different? onChange
 *  directories, links, errors ─ quiet ─────────────────┴▶ scan → new directories? watch, ┘
 *  a while after events, and now and then ──────────────▶       scan again
 * ```
 */
import { noChange } from "../../model/inventory-change.ts";
import { InventoryStore } from "../inventory-store.ts";
import { type DirectoryEvent, DirectoryWatcher, findRootTargets } from "./directory-watcher.ts";
import { FileCache } from "./file-cache.ts";
import { runInSlices } from "./in-slices.ts";
import type { Loaded } from "./loaded.ts";

/** A writer's steps (truncate, write, rename) come closer than this. */
const QUIET_MS = 5;
/** A writer that never rests delays a change by no more than this. */
const PATIENCE_MS = 20;
/** How long looks and scans may hold up everything else, but for one file that takes longer. */
const SLICE_MS = 2;
/** Scans that nothing asks for take no more than one part in so many of the time. */
const REST = 20;
/** What an event missed, and what can't be watched, is found after this; what made no event at all after the other. */
const CHECK_MS = 1000;
const IDLE_CHECK_MS = 60_000;
const MAX_SCANS = 10;

interface Entry {
  readonly directory: string;
  readonly name: string;
}

export class FileSource {
  readonly #roots: readonly string[];
  readonly #cache: FileCache;
  #watcher: DirectoryWatcher | null = null;
  #onChange: (loaded: Loaded) => void = () => {};
  /** Scans happen one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  /** Moved here, as it seems, and to be looked at now. */
  readonly #moved = new Map<string, Entry>();
  #immediate: NodeJS.Immediate | null = null;
  /** To be looked at after a moment of quiet; or everything. */
  readonly #written = new Map<string, Entry>();
  #wantsScan = false;
  #quiet: NodeJS.Timeout | null = null;
  #firstEventMs = 0;
  #check: NodeJS.Timeout | null = null;
  #checkDueMs = 0;
  #scanMs = 0;
  #isClosed = false;

  /** `store`: where what the files say is put; it may be other sources' too. */
  constructor(roots: readonly string[], store: InventoryStore = new InventoryStore()) {
    this.#roots = roots;
    this.#cache = new FileCache(roots, store);
  }

  /** Reads what has changed since the last time, or everything. Never rejects for what lies in the directories. */
  load(): Promise<Loaded> {
    return this.#afterOthers(async () => {
      await this.#scan();
      return this.#take();
    });
  }

  /**
   * Calls `onChange` for every difference from what `load` or the call before gave, errors that come and go included;
   * at once where there was neither. Calls never overlap. Once for each source, until `close`.
   */
  watch(onChange: (loaded: Loaded) => void): void {
    if (this.#watcher || this.#isClosed) throw new Error("a source is watched once, before it's closed");
    this.#onChange = onChange;
    this.#watcher = new DirectoryWatcher((event) => this.#onEvent(event));
    this.#startScan();
  }

  /** No call after this one. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    for (const timer of [this.#quiet, this.#check]) if (timer) clearTimeout(timer);
    if (this.#immediate) clearImmediate(this.#immediate);
  }

  #onEvent({ directory, name, isRename }: DirectoryEvent): void {
    if (this.#isClosed) return;
    if (name === null || !this.#cache.canLook) {
      this.#scanSoon();
      return;
    }
    const entry = { directory, name };
    const key = `${directory}/${name}`;
    if (isRename) {
      this.#moved.set(key, entry);
      this.#lookNow();
    } else {
      // It came to be here, and is written here: it wasn't moved.
      this.#moved.delete(key);
      this.#lookSoon(key, entry);
    }
    this.#checkWithin(CHECK_MS);
  }

  /**
   * One turn later, after all events that are there by now: what was moved together is told together, and a file that is
   * made here and written is known by its second event.
   */
  #lookNow(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = setImmediate(() => {
        this.#immediate = null;
        this.#lookAt(this.#moved, true);
        if (this.#moved.size > 0) this.#lookNow();
      });
    });
  }

  #lookSoon(key: string, entry: Entry): void {
    this.#written.set(key, entry);
    this.#afterQuiet();
  }

  #scanSoon(): void {
    this.#wantsScan = true;
    this.#afterQuiet();
  }

  #afterQuiet(): void {
    const nowMs = performance.now();
    if (this.#quiet) clearTimeout(this.#quiet);
    else this.#firstEventMs = nowMs;
    const leftMs = this.#firstEventMs + PATIENCE_MS - nowMs;
    this.#quiet = setTimeout(() => this.#onQuiet(), Math.max(0, Math.min(QUIET_MS, leftMs)));
  }

  #onQuiet(): void {
    this.#quiet = null;
    if (this.#wantsScan) this.#startScan();
    else this.#lookAt(this.#written, false);
    if (this.#written.size > 0) this.#afterQuiet();
  }

  /** As many as there is time for. */
  #lookAt(entries: Map<string, Entry>, isEager: boolean): void {
    const endMs = performance.now() + SLICE_MS;
    for (const [key, entry] of entries) {
      entries.delete(key);
      const look = this.#cache.canLook ? this.#cache.look(entry.directory, entry.name, isEager) : "unclear";
      if (look === "early") this.#lookSoon(key, entry);
      else if (look === "unclear") this.#scanSoon();
      if (performance.now() > endMs) break;
    }
    this.#tell();
  }

  #startScan(): void {
    this.#wantsScan = false;
    this.#written.clear();
    this.#afterOthers(() => this.#update()).catch((error: unknown) => {
      // A defect, ours or the listener's: it must not leave old policies in force quietly.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #update(): Promise<void> {
    for (let scans = 1; !this.#isClosed; scans++) {
      await this.#scan();
      if (this.#isClosed || !this.#watcher) return;
      const targets = findRootTargets(this.#roots);
      for (const [path, identity] of this.#cache.directories) targets.set(path, { identity, names: null });
      const watch = this.#watcher.watch(targets);
      // What came into a directory before it was watched made no event. Directories that come faster than they are
      // scanned are left to a later scan.
      if (watch.isChanged && scans < MAX_SCANS) continue;
      if (watch.isChanged) this.#scanSoon();
      this.#checkWithin(watch.isIncomplete || this.#cache.isUnsure ? CHECK_MS : IDLE_CHECK_MS);
      this.#tell();
      return;
    }
  }

  async #scan(): Promise<void> {
    const startMs = performance.now();
    await runInSlices(this.#cache.scan(), SLICE_MS, () => this.#isClosed);
    this.#scanMs = performance.now() - startMs;
  }

  #tell(): void {
    if (this.#cache.isChanged && !this.#isClosed) this.#onChange(this.#take());
  }

  #take(): Loaded {
    const { store } = this.#cache;
    return { store, change: this.#cache.take() ?? noChange, errors: this.#cache.errors() };
  }

  #checkWithin(ms: number): void {
    const dueMs = performance.now() + Math.max(ms, this.#scanMs * REST);
    if (this.#isClosed || (this.#check && this.#checkDueMs <= dueMs)) return;
    if (this.#check) clearTimeout(this.#check);
    this.#checkDueMs = dueMs;
    this.#check = setTimeout(() => {
      this.#check = null;
      this.#scanSoon();
    }, dueMs - performance.now());
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}
