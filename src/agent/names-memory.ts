/**
 * What DNS told pods (AN-30): flows that a name admitted outlive the run that knew the name, and the next one must judge
 * them by that name and no other. It admits no new flow, so the file may be old; what it lacks ends the flows concerned.
 */
import type { NameChange, ToldName } from "../model/inventory-change.ts";
import { addressKey, addressOfKey } from "../net/address.ts";
import { MemoryFile } from "./memory-file.ts";

/** From something new to the writing of it. */
const DELAY_MS = 250;
/** Of the time, what is spent on writing at most. */
const SHARE = 0.05;

const isKey = /^[46](:\d+){4}$/;

export class NamesMemory {
  readonly #file: MemoryFile;
  #timer: NodeJS.Timeout | null = null;
  #delayMs = DELAY_MS;
  #read: () => Iterable<ToldName> = () => [];

  /** `path` is another one in tests. */
  constructor(path?: string) {
    this.#file = new MemoryFile("names", path);
  }

  /** What an earlier run was told, of pods that still have their address: as something that has expired. */
  restore(readOwners: () => ReadonlyMap<string, string>): readonly NameChange[] {
    const entries = (this.#file.read() ?? []).filter(isEntry);
    if (entries.length === 0) return [];
    const owners = readOwners();
    return entries.flatMap((entry) => {
      const [owner, subject, name, address] = entry;
      if (owners.get(subject) !== owner || !isKey.test(subject) || !isKey.test(address)) return [];
      const told = { subject: addressOfKey(subject), name, address: addressOfKey(address) };
      return [
        { ...told, isLearnt: true },
        { ...told, isLearnt: false },
      ];
    });
  }

  /** Something is new: what `read` says soon is written. */
  writeSoon(read: () => Iterable<ToldName>): void {
    this.#read = read;
    this.#timer ??= setTimeout(() => this.flush(), this.#delayMs);
  }

  /** Writes now what would be written soon. */
  flush(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const startMs = performance.now();
    this.#file.write(entriesOf(this.#read()));
    this.#delayMs = Math.max(DELAY_MS, (performance.now() - startMs) / SHARE);
  }

  /** After a stop that leaves nothing. */
  clear(): void {
    this.#file.clear();
  }
}

type Entry = readonly [owner: string, subject: string, name: string, address: string];

function* entriesOf(told: Iterable<ToldName>): Generator<Entry> {
  for (const { owner, subject, name, address } of told) yield [owner, addressKey(subject), name, addressKey(address)];
}

function isEntry(value: unknown): value is Entry {
  return Array.isArray(value) && value.length === 4 && value.every((part) => typeof part === "string");
}
