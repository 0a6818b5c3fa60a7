/** What tells that a file or directory is still the one that was met. */
import type { BigIntStats, Stats } from "node:fs";

/** Longer than a tick of the kernel's coarse clock, which files' times are taken from. */
const CLOCK_GRAIN_MS = 20;

/** Of a file: what changes when it does. The time is the one that nobody can set, to a quarter of a microsecond. */
export type FileVersion = Pick<Stats, "dev" | "ino" | "size" | "ctimeMs">;

export function versionOf({ dev, ino, size, ctimeMs }: Stats): FileVersion {
  return { dev, ino, size, ctimeMs };
}

export function isSameVersion(a: FileVersion, b: FileVersion): boolean {
  return a.ctimeMs === b.ctimeMs && a.ino === b.ino && a.size === b.size && a.dev === b.dev;
}

/** Whether a later write must show in the version: none fell within the clock's grain before this moment. */
export function isSettled(stats: Stats): boolean {
  return Date.now() - stats.ctimeMs > CLOCK_GRAIN_MS;
}

/** The last thing that happened to it was no write: it was moved here, or given its rights or times. */
export function wasMoved(stats: Stats): boolean {
  return stats.ctimeMs !== stats.mtimeMs;
}

/** Of a directory, by device and inode alone: those of some file systems need all their bits. */
export function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}
