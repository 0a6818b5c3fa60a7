/** What was read, file by file, so that a scan reads and parses only what changed. */
import { noChange } from "../../model/inventory-change.ts";
import { InventoryStore } from "../inventory-store.ts";
import type { FileError } from "./file-error.ts";
import type { Loaded } from "./loaded.ts";
import { type KnownFile, readFile } from "./read-file.ts";
import { type FoundFile, readTree } from "./read-tree.ts";

export interface Scan {
  readonly loaded: Loaded;
  /** Whether files or errors differ from those of the scan before; true for the first one. */
  readonly isChanged: boolean;
  /** Directories whose entries matter, with their identity. */
  readonly directories: ReadonlyMap<string, string>;
}

/** Enough to keep the thread pool busy, and far from the limit of open files. */
const FILES_AT_ONCE = 32;

export class FileCache {
  readonly #roots: readonly string[];
  readonly #store: InventoryStore;
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #state: string | null = null;
  #loaded: Loaded | null = null;

  constructor(roots: readonly string[], vpcIds: readonly string[]) {
    this.#roots = roots;
    this.#store = new InventoryStore(vpcIds);
  }

  /** Never rejects for what lies in the directories. One at a time. */
  async scan(): Promise<Scan> {
    const tree = await readTree(this.#roots);
    const files = new Map<string, KnownFile>();
    for (let start = 0; start < tree.files.length; start += FILES_AT_ONCE) {
      const some = tree.files.slice(start, start + FILES_AT_ONCE);
      const read = await Promise.all(some.map((file) => this.#read(file)));
      some.forEach(({ path }, i) => {
        const file = read[i];
        if (file) files.set(path, file);
      });
    }
    const state = JSON.stringify([[...files].map(([path, file]) => [path, file.digest]), tree.errors]);
    const isChanged = state !== this.#state;
    for (const path of this.#files.keys()) if (!files.has(path)) this.#store.set(path, null);
    for (const [path, { content }] of files) {
      if (content !== this.#files.get(path)?.content) this.#store.set(path, "error" in content ? null : content.parts);
    }
    this.#files = files;
    this.#state = state;
    if (isChanged || !this.#loaded) this.#loaded = this.#load(tree.errors);
    return { loaded: this.#loaded, isChanged, directories: tree.directories };
  }

  #load(treeErrors: readonly FileError[]): Loaded {
    const errors = [...treeErrors];
    for (const { content } of this.#files.values()) if ("error" in content) errors.push(content.error);
    errors.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
    return { store: this.#store, change: errors.length > 0 ? noChange : this.#store.commit(), errors };
  }

  #read({ path, version }: FoundFile): KnownFile | Promise<KnownFile | null> {
    const known = this.#files.get(path) ?? null;
    return known?.isSettled && known.version === version ? known : readFile(path, known);
  }
}
