/**
 * Directories of policy files, read and watched. Events only say when to look: what changed is found by scanning, so an
 * event that is lost, doubled or early costs time and never a change.
 *
 * ```
 *  event → a few ms of quiet → scan → new directories? watch them, scan again → different? onChange
 * ```
 */
import { DirectoryWatcher, findRootTargets, type WatchTarget } from "./directory-watcher.ts";
import { FileCache } from "./file-cache.ts";
import type { Loaded } from "./loaded.ts";

/** A writer's steps (truncate, write, rename) come closer than this. */
const QUIET_MS = 5;
/** A writer that never rests delays a change by no more than this. */
const PATIENCE_MS = 20;
/** Only while some directory can't be watched. */
const POLL_MS = 1000;
const MAX_SCANS = 10;

export class FileSource {
  readonly #roots: readonly string[];
  readonly #cache: FileCache;
  #watcher: DirectoryWatcher | null = null;
  #onChange: (loaded: Loaded) => void = () => {};
  /** Scans happen one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  #firstEventMs = 0;
  #isUndelivered = false;
  #isClosed = false;

  /** `vpcIds`: of EC2, these VPCs alone; all where there are none. */
  constructor(roots: readonly string[], vpcIds: readonly string[] = []) {
    this.#roots = roots;
    this.#cache = new FileCache(roots, vpcIds);
  }

  /** Reads what has changed since the last time, or everything. Never rejects for what lies in the directories. */
  load(): Promise<Loaded> {
    return this.#afterOthers(async () => {
      const { loaded } = await this.#cache.scan();
      this.#isUndelivered = false;
      return loaded;
    });
  }

  /**
   * Calls `onChange` for every difference from what `load` or the call before gave, errors that come and go included;
   * at once where there was neither. Calls never overlap. Once for each source, until `close`.
   */
  watch(onChange: (loaded: Loaded) => void): void {
    if (this.#watcher || this.#isClosed) throw new Error("a source is watched once, before it's closed");
    this.#onChange = onChange;
    this.#watcher = new DirectoryWatcher(() => this.#onEvent());
    this.#startScan();
  }

  /** No call after this one. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    for (const timer of [this.#timer, this.#poll]) if (timer) clearTimeout(timer);
  }

  #onEvent(): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    if (this.#timer) clearTimeout(this.#timer);
    else this.#firstEventMs = nowMs;
    const leftMs = this.#firstEventMs + PATIENCE_MS - nowMs;
    this.#timer = setTimeout(() => this.#startScan(), Math.max(0, Math.min(QUIET_MS, leftMs)));
  }

  #startScan(): void {
    this.#timer = null;
    this.#afterOthers(() => this.#update()).catch((error: unknown) => {
      // A defect, ours or the listener's: it must not leave old policies in force quietly.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #update(): Promise<void> {
    for (let scans = 1; !this.#isClosed; scans++) {
      const { loaded, isChanged, directories } = await this.#cache.scan();
      this.#isUndelivered ||= isChanged;
      const targets = new Map<string, WatchTarget>(await findRootTargets(this.#roots));
      for (const [path, identity] of directories) targets.set(path, { identity, names: null });
      if (this.#isClosed || !this.#watcher) return;
      const watch = this.#watcher.watch(targets);
      if (watch.isIncomplete) this.#pollLater();
      // What came into a directory before it was watched made no event. Directories that come faster than they are
      // scanned are left to a later scan.
      if (watch.isChanged && scans < MAX_SCANS) continue;
      if (watch.isChanged) this.#onEvent();
      if (!this.#isUndelivered) return;
      this.#isUndelivered = false;
      this.#onChange(loaded);
      return;
    }
  }

  #pollLater(): void {
    this.#poll ??= setTimeout(() => {
      this.#poll = null;
      this.#onEvent();
    }, POLL_MS);
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}
