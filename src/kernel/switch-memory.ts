/**
 * What bridges and their sysctls had before we switched them, in a file of the network namespace: a run that was killed
 * can't put it back, and the next one would take our own switches for what was there. Gone with a reboot, as the
 * switches are.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** By what was switched, `bridge 7 br0` or the name of a sysctl, the value as it was. */
export class SwitchMemory {
  readonly #path: string;
  #now: Record<string, string>;

  /** `path` is another one in tests. */
  constructor(path = `/run/verdictd/${statSync("/proc/self/ns/net").ino}.switches.json`) {
    this.#path = path;
    this.#now = read(path);
  }

  /** What it was before the first of our runs that nobody has undone, or null. */
  before(name: string): string | null {
    return Object.hasOwn(this.#now, name) ? (this.#now[name] as string) : null;
  }

  /** What is remembered. */
  names(): readonly string[] {
    return Object.keys(this.#now);
  }

  /** Before it's switched. What is remembered already stays. */
  remember(name: string, value: string): void {
    if (this.before(name) !== null) return;
    this.#now[name] = value;
    this.#write();
  }

  /** After it's put back. */
  forget(name: string): void {
    if (this.before(name) === null) return;
    delete this.#now[name];
    this.#write();
  }

  /** There is no run to clean up after: what the file says is of another namespace that had this number before. */
  clear(): void {
    this.#now = {};
    this.#write();
  }

  #write(): void {
    try {
      if (Object.keys(this.#now).length === 0) {
        rmSync(this.#path, { force: true });
        return;
      }
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      writeFileSync(this.#path, JSON.stringify(this.#now), { mode: 0o600 });
    } catch {
      // A read-only file system: then a run that is killed leaves its switches on, and nothing else is lost.
    }
  }
}

/** Empty where there is none, or one that isn't ours. */
function read(path: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  } catch {
    return {};
  }
}
