/**
 * Who had which address: it may have changed hands before the next run, and what flows were held for is its owner's alone.
 */
import { MemoryFile } from "./memory-file.ts";
import type { OwnerMap } from "./owners.ts";

export class OwnersMemory {
  readonly #file: MemoryFile;

  /** `path` is another one in tests. */
  constructor(path?: string) {
    this.#file = new MemoryFile("owners", path);
  }

  /** Null where nobody wrote it down: then nothing is known of who was admitted for what. */
  read(): OwnerMap | null {
    const entries = this.#file.read();
    if (entries === null) return null;
    return new Map(entries.filter((entry): entry is [string, string] => Array.isArray(entry) && entry.length === 2));
  }

  /** To be called when nothing that tracking holds is the owner's before: a run that ends earlier has it cleared again. */
  write(entries: Iterable<readonly [string, string]>): void {
    this.#file.write(entries);
  }

  /** After a stop that leaves nothing: there is nothing to be remembered. */
  clear(): void {
    this.#file.clear();
  }
}
