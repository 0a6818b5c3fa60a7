/**
 * Directories of policy files, read and watched. Only files that changed are read again; a change is told once
 * everything that changed with it has been read.
 */
import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describeSystemError, type FileError } from "./file-error.ts";
import type { Loaded } from "./load.ts";
import { parseFile } from "./parse-file.ts";
import { assembleInventory, type FileParts, readParts } from "./read-inventory.ts";
import { type FoundFile, readTree, type Tree } from "./read-tree.ts";

/** A file as it was read last: its share, or why it has none. */
interface Entry {
  readonly version: string;
  readonly parts: FileParts | null;
  readonly error: FileError | null;
}

/** Events of one change come close together: a rename is two. */
const COALESCE_MS = 5;

export class FileSource {
  readonly #roots: readonly string[];
  #entries = new Map<string, Entry>();
  /** What the last load saw, to tell whether anything has changed. */
  #signature = "";
  readonly #watchers = new Map<string, FSWatcher>();
  #onChange: ((loaded: Loaded) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isReading = false;
  #isDirty = false;
  #isClosed = false;

  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /** Reads what has changed since the last time, or everything. */
  async load(): Promise<Loaded> {
    return this.#assemble(await this.#read());
  }

  /** Calls `onChange` after each change of the files, never twice at once, until `close`. */
  watch(onChange: (loaded: Loaded) => void): void {
    this.#onChange = onChange;
    // What came between the first load and this is a change, too.
    this.#soon(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#onChange = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #read(): Promise<Tree> {
    const tree = await readTree(this.#roots);
    const entries = new Map<string, Entry>();
    for (const file of tree.files) {
      const known = this.#entries.get(file.path);
      entries.set(file.path, known?.version === file.version ? known : await readEntry(file));
    }
    this.#entries = entries;
    return tree;
  }

  #assemble(tree: Tree): Loaded {
    const entries = [...this.#entries.values()];
    this.#signature = signatureOf(tree);
    const errors = [...tree.errors, ...entries.flatMap((entry) => entry.error ?? [])];
    return {
      inventory: assembleInventory(entries.flatMap((entry) => entry.parts ?? [])),
      errors: errors.sort((a, b) => (a.file < b.file ? -1 : 1)),
    };
  }

  #soon(delayMs: number): void {
    if (this.#isClosed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#check();
    }, delayMs);
  }

  async #check(): Promise<void> {
    if (this.#isReading) {
      this.#isDirty = true;
      return;
    }
    this.#isReading = true;
    try {
      do {
        this.#isDirty = false;
        const before = this.#signature;
        const tree = await this.#read();
        const isNew = this.#watchDirectories(tree);
        if (this.#isClosed) return;
        if (signatureOf(tree) !== before) this.#onChange?.(this.#assemble(tree));
        // What came into a directory before it was watched made no event.
        if (isNew) this.#isDirty = true;
      } while (this.#isDirty && !this.#isClosed);
    } finally {
      this.#isReading = false;
    }
  }

  /** Watches what is to be watched, and the roots' parents, in which a root may be replaced. True if any is new. */
  #watchDirectories(tree: Tree): boolean {
    const wanted = new Set([...tree.directories, ...this.#roots.map((root) => dirname(root))]);
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    let isNew = false;
    for (const directory of wanted) {
      if (this.#isClosed || this.#watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, (event, name) => {
          // A directory that was moved away or replaced: its watcher sees nothing of the new one.
          if (event === "rename" && name !== null) this.#forgetBelow(directory, name);
          this.#soon(COALESCE_MS);
        });
        watcher.on("error", () => {
          watcher.close();
          this.#watchers.delete(directory);
          this.#soon(COALESCE_MS);
        });
        this.#watchers.set(directory, watcher);
        isNew = true;
      } catch {
        // It's gone, or was never there: readTree tells.
      }
    }
    return isNew;
  }

  #forgetBelow(directory: string, name: string): void {
    const path = directory === "." ? name : `${directory.replace(/\/$/, "")}/${name}`;
    for (const [watched, watcher] of this.#watchers) {
      // Behind `..data` of a mounted ConfigMap everything changes at once.
      if (watched !== path && !watched.startsWith(`${path}/`) && !(name.startsWith("..") && watched !== directory))
        continue;
      if (watched === directory) continue;
      watcher.close();
      this.#watchers.delete(watched);
    }
  }
}

async function readEntry({ path, version }: FoundFile): Promise<Entry> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    return { version, parts: null, error: { file: path, message: describeSystemError(error, "file") } };
  }
  const { documents, failure } = parseFile(path, text);
  if (failure !== null) return { version, parts: null, error: { file: path, message: failure.message } };
  return { version, parts: readParts(path, documents), error: null };
}

function signatureOf(tree: Tree): string {
  return JSON.stringify([tree.files, tree.errors]);
}
