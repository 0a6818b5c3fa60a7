/** A dataset's files on disk, and how one is changed: by a rename, so that nobody reads half a file. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DatasetSpec, generateDataset } from "./dataset.ts";

/** Returns how many bytes were written. */
export function writeDataset(directory: string, spec: DatasetSpec): number {
  mkdirSync(directory, { recursive: true });
  let bytes = 0;
  for (const { path, text } of generateDataset(spec)) {
    writeFileSync(join(directory, path), text);
    bytes += Buffer.byteLength(text);
  }
  return bytes;
}

/**
 * Puts `text` in the file's place; null deletes the file. The new text is written outside of the directory, on the same
 * file system, so that the rename is the one thing that a watcher sees. Returns the time just before that.
 */
export function changeFile(directory: string, path: string, text: string | null): bigint {
  const beside = `${directory}.new`;
  if (text !== null) writeFileSync(beside, text);
  const now = process.hrtime.bigint();
  if (text === null) rmSync(join(directory, path), { force: true });
  else renameSync(beside, join(directory, path));
  return now;
}
