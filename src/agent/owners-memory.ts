/**
 * Who had which address, in a file of the network namespace: connection tracking remembers flows beyond the end of a run,
 * and an address may have changed hands before the next one. Gone with a reboot, as the flows are.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { OwnerMap } from "./owners.ts";

export class OwnersMemory {
  readonly #path: string;

  /** `path` is another one in tests. */
  constructor(path = `/run/verdictd/${statSync("/proc/self/ns/net").ino}.owners.json`) {
    this.#path = path;
  }

  /** Null where nobody wrote it down: then nothing is known of who was admitted for what. */
  read(): OwnerMap | null {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#path, "utf8"));
      if (!Array.isArray(value)) return null;
      return new Map(value.filter((entry): entry is [string, string] => Array.isArray(entry) && entry.length === 2));
    } catch {
      return null;
    }
  }

  /** To be called when nothing that tracking holds is the owner's before: a run that ends earlier has it cleared again. */
  write(entries: Iterable<readonly [string, string]>): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      writeFileSync(`${this.#path}.new`, JSON.stringify([...entries]), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // A read-only file system: then the next run finds nothing, and judges held flows again.
      this.clear();
    }
  }

  /** After a stop that leaves nothing: there is nothing to be remembered. */
  clear(): void {
    rmSync(this.#path, { force: true });
  }
}
