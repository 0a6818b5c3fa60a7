/**
 * One inotify watch for each directory of a changing set of them. A watch follows the directory, not its name, so a
 * directory that another one takes the place of is watched anew. Says where something happened, never what.
 */
import { type FSWatcher, realpathSync, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { identityOf } from "./file-version.ts";

export interface DirectoryEvent {
  readonly directory: string;
  /** The entry; null where it's the directory itself, or can't be told. */
  readonly name: string | null;
  /** The entry came or went, under this name; false: what it is changed. */
  readonly isRename: boolean;
}

export interface WatchTarget {
  /** Device and inode. */
  readonly identity: string;
  /** The entries that matter; null means all. */
  readonly names: ReadonlySet<string> | null;
}

export interface WatchResult {
  /** A watch was added: what happened before it was there must be looked for. */
  readonly isChanged: boolean;
  /** Some directory can't be watched (often: fs.inotify.max_user_watches). */
  readonly isIncomplete: boolean;
}

interface Watched extends WatchTarget {
  readonly watcher: FSWatcher;
}

export class DirectoryWatcher {
  readonly #watched = new Map<string, Watched>();
  readonly #onEvent: (event: DirectoryEvent) => void;

  constructor(onEvent: (event: DirectoryEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Watches these directories and no others. Never throws. */
  watch(targets: ReadonlyMap<string, WatchTarget>): WatchResult {
    let isChanged = false;
    let isIncomplete = false;
    for (const [path, { identity, names }] of this.#watched) {
      const target = targets.get(path);
      if (target?.identity !== identity || !areEqual(target.names, names)) this.#drop(path);
    }
    for (const [path, target] of targets) {
      if (this.#watched.has(path)) continue;
      if (this.#add(path, target)) isChanged = true;
      else isIncomplete = true;
    }
    return { isChanged, isIncomplete };
  }

  close(): void {
    for (const path of [...this.#watched.keys()]) this.#drop(path);
  }

  #add(path: string, target: WatchTarget): boolean {
    try {
      // An event about the directory itself carries its own name.
      const own = basename(path);
      const watcher = watch(path, (event, name) => {
        const entry = target.names === null && name !== own ? name : null;
        if (target.names === null || name === null || name === own || target.names.has(name)) {
          this.#onEvent({ directory: path, name: entry, isRename: event === "rename" });
        }
      });
      watcher.on("error", () => {
        if (this.#watched.get(path)?.watcher === watcher) this.#drop(path);
        this.#onEvent({ directory: path, name: null, isRename: false });
      });
      this.#watched.set(path, { ...target, watcher });
      return true;
    } catch {
      return false;
    }
  }

  #drop(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
  }
}

/**
 * What tells that a root is put in place, replaced or removed: its name in the directory above, and in the one above
 * its target where it is a link. Where there is none above, the next one further up.
 */
export function findRootTargets(roots: readonly string[]): Map<string, WatchTarget> {
  const targets = new Map<string, { identity: string; names: Set<string> }>();
  for (const root of roots) {
    for (const path of new Set([resolve(root), realPath(root)])) addAbove(path, targets);
  }
  return targets;
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return resolve(path);
  }
}

function addAbove(path: string, targets: Map<string, { identity: string; names: Set<string> }>): void {
  const above = dirname(path);
  if (above === path) return;
  const identity = identityAt(above);
  if (identity === null) {
    addAbove(above, targets);
    return;
  }
  const target = targets.get(above) ?? { identity, names: new Set() };
  target.names.add(basename(path));
  targets.set(above, target);
}

function identityAt(path: string): string | null {
  try {
    return identityOf(statSync(path, { bigint: true }));
  } catch {
    return null;
  }
}

function areEqual(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  return a === b || (a !== null && b !== null && a.size === b.size && [...a].every((name) => b.has(name)));
}
