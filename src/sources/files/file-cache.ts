/**
 * What was read, file by file, so that only what changed is read and parsed: all files in a scan, or one that an event
 * named. Each file is judged at the moment that it's looked at, so that looks between the steps of a scan are never
 * undone by it. The store is given all of it together, and only while nothing is wrong: it may be others' too, who take
 * from it when they have something.
 */
import { lstatSync, type Stats, statSync } from "node:fs";
import type { InventoryChange } from "../../model/inventory-change.ts";
import type { FileParts } from "../file-parts.ts";
import type { InventoryStore } from "../inventory-store.ts";
import { type FileError, systemCode } from "./file-error.ts";
import { type FileVersion, identityOf, isSameVersion } from "./file-version.ts";
import { FileReader } from "./read-file.ts";
import { childPath, childPrefix, hasDocumentName, isHidden, type Tree, walkTree } from "./walk-tree.ts";

interface KnownFile extends FileVersion {
  /** False where it couldn't be read, too. */
  isSettled: boolean;
  digest: string;
  /** The last scan that met it. */
  scan: number;
}

/**
 * What looking at one entry came to: nothing new; done; too early, because somebody may still be writing, or about to
 * put another file in its place; or that only a scan can tell.
 */
export type Look = "same" | "changed" | "early" | "unclear";

const noTree: Tree = { errors: [], directories: new Map(), hasLinks: true };

export class FileCache {
  readonly store: InventoryStore;
  readonly #roots: readonly string[];
  readonly #reader = new FileReader();
  readonly #files = new Map<string, KnownFile>();
  readonly #fileErrors = new Map<string, FileError>();
  /** What files say that the store hasn't been given yet; null: nothing any more. */
  readonly #pending = new Map<string, FileParts | null>();
  #hasTaken = false;
  #tree = noTree;
  #scan = 0;
  #isApplying = false;
  #isChanged = true;

  constructor(roots: readonly string[], store: InventoryStore) {
    this.#roots = roots;
    this.store = store;
  }

  /** Directories whose entries matter, with their identity, as the last scan found them. */
  get directories(): ReadonlyMap<string, string> {
    return this.#tree.directories;
  }

  /** Whether `look` can tell anything: not where entries depend on each other. */
  get canLook(): boolean {
    return !this.#tree.hasLinks && this.#tree.errors.length === 0;
  }

  /** Whether there is something to `take`: since the last time, and whole. True at first. */
  get isChanged(): boolean {
    return this.#isChanged && !this.#isApplying;
  }

  /** Something may change without an event or a new version: it has to be looked at again. */
  get isUnsure(): boolean {
    if (this.#tree.errors.length > 0 || this.#fileErrors.size > 0) return true;
    for (const { isSettled } of this.#files.values()) if (!isSettled) return true;
    return false;
  }

  /** Files and directories that can't be used at all, in order of path. */
  errors(): readonly FileError[] {
    const errors = [...this.#tree.errors, ...this.#fileErrors.values()];
    return errors.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  }

  /** Commits the store with what is different since the last time; null while there are errors. Where `isChanged`. */
  take(): InventoryChange | null {
    this.#isChanged = false;
    if (this.#tree.errors.length > 0 || this.#fileErrors.size > 0) return null;
    for (const [path, parts] of this.#pending) this.store.set(path, parts);
    this.#pending.clear();
    this.#hasTaken = true;
    return this.store.commit();
  }

  /**
   * Brings everything up to date: finds out what is different, then reads that, and is `isChanged` only when all of it
   * is. One at a time. Never throws for what lies in the directories.
   */
  *scan(): Generator<void, void> {
    const scan = ++this.#scan;
    const dirty: string[] = [];
    const tree = yield* walkTree(this.#roots, (path, stats) => {
      const known = this.#files.get(path);
      if (known) known.scan = scan;
      if (!isCurrent(known, stats)) dirty.push(path);
    });
    const gone: string[] = [];
    for (const [path, known] of this.#files) {
      if (known.scan !== scan) gone.push(path);
      yield;
    }
    this.#isApplying = true;
    try {
      if (JSON.stringify(tree.errors) !== JSON.stringify(this.#tree.errors)) this.#isChanged = true;
      this.#tree = tree;
      for (const path of dirty) {
        this.#read(path);
        yield;
      }
      for (const path of gone) {
        // Of a directory that changes while it's listed some entries may be left out.
        if (this.canLook && this.#files.get(path)?.scan !== scan && isThere(path)) this.#read(path);
        else if (this.#files.get(path)?.scan !== scan) this.#remove(path);
        yield;
      }
    } finally {
      this.#isApplying = false;
      this.#reader.rest();
    }
  }

  /** Looks at one entry of a directory. `isEager`: not if it may be too early. Only where `canLook`. */
  look(directory: string, name: string, isEager: boolean): Look {
    if (isHidden(name)) return "same";
    const path = childPath(childPrefix(directory), name);
    const stats = statEntry(path);
    if (stats === null) return this.#lookAtGap(path, directory, isEager);
    if (stats === "unknown" || stats.isDirectory() || stats.isSymbolicLink()) return "unclear";
    if (!hasDocumentName(name)) return "same";
    if (!stats.isFile()) return "unclear";
    if (isCurrent(this.#files.get(path), stats)) return "same";
    return this.#read(path, isEager);
  }

  /** Editors delete a file and make it again; who deletes a directory starts with its files. */
  #lookAtGap(path: string, directory: string, isEager: boolean): Look {
    if (!this.#files.has(path)) return this.#tree.directories.has(path) ? "unclear" : "same";
    if (isEager) return "early";
    if (!this.#isSameDirectory(directory)) return "unclear";
    this.#remove(path);
    return "changed";
  }

  #isSameDirectory(path: string): boolean {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats !== undefined && identityOf(stats) === this.#tree.directories.get(path);
  }

  #read(path: string, isEager = false): Look {
    const known = this.#files.get(path);
    const reading = this.#reader.read(path, known?.digest ?? null);
    if (reading === null) {
      if (isEager) return "early";
      this.#remove(path);
      return known ? "changed" : "same";
    }
    const { version, isSettled, digest, content } = reading;
    if (isEager && !reading.isComplete) return "early";
    const { dev, ino, size, ctimeMs } = version;
    this.#files.set(path, { dev, ino, size, ctimeMs, isSettled, digest, scan: this.#scan });
    if (content === null) return "same";
    if ("parts" in content) {
      this.#set(path, content.parts);
      this.#fileErrors.delete(path);
    } else this.#fileErrors.set(path, content.error);
    // What it said before the error stays with the store.
    this.#isChanged = true;
    return "changed";
  }

  #remove(path: string): void {
    if (!this.#files.delete(path)) return;
    this.#fileErrors.delete(path);
    this.#set(path, null);
    this.#isChanged = true;
  }

  /** At first nobody takes anything yet, and there is much: it isn't kept twice. */
  #set(path: string, parts: FileParts | null): void {
    if (this.#hasTaken) this.#pending.set(path, parts);
    else this.store.set(path, parts);
  }
}

/** What was read is what is there. */
function isCurrent(known: KnownFile | undefined, stats: Stats): boolean {
  return known?.isSettled === true && isSameVersion(known, stats);
}

/** Null where there's nothing. */
function statEntry(path: string): Stats | "unknown" | null {
  try {
    return lstatSync(path);
  } catch (error) {
    return systemCode(error) === "ENOENT" ? null : "unknown";
  }
}

function isThere(path: string): boolean {
  const stats = statEntry(path);
  return stats !== null && stats !== "unknown" && stats.isFile();
}
