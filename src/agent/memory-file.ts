/**
 * What one run leaves for the next, in a file of the network namespace beside the lock: connection tracking remembers flows
 * beyond the end of a run. Gone with a reboot, as the flows are.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export class MemoryFile {
  readonly #path: string;

  /** `path` is another one in tests. */
  constructor(name: string, path = `/run/verdictd/${statSync("/proc/self/ns/net").ino}.${name}.json`) {
    this.#path = path;
  }

  /** Null where nobody wrote it down, or it can't be read. */
  read(): readonly unknown[] | null {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#path, "utf8"));
      return Array.isArray(value) ? value : null;
    } catch {
      return null;
    }
  }

  write(values: Iterable<unknown>): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      writeFileSync(`${this.#path}.new`, JSON.stringify([...values]), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // A read-only file system: then the next run finds nothing.
      this.clear();
    }
  }

  clear(): void {
    rmSync(this.#path, { force: true });
  }
}
