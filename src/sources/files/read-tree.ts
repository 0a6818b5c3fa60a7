/**
 * The policy files below some directories: `.json`, `.yaml` and `.yml`, sorted by path. Symbolic links are followed, as
 * Kubernetes mounts ConfigMaps behind them; names that begin with `..` are such a mount's own and left out.
 */
import type { BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeSystemError, type FileError } from "./file-error.ts";

export interface FoundFile {
  /** As users see it: the root as it was given, and the way below it. */
  readonly path: string;
  /** Changes when the file does: time, size, and identity. */
  readonly version: string;
}

export interface Tree {
  readonly files: readonly FoundFile[];
  /** Every directory on the way, to be watched. */
  readonly directories: readonly string[];
  readonly errors: readonly FileError[];
}

const MAX_DEPTH = 32;

export async function readTree(roots: readonly string[]): Promise<Tree> {
  const files = new Map<string, FoundFile>();
  const directories = new Set<string>();
  const errors: FileError[] = [];

  const visit = async (directory: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) {
      errors.push({ file: directory, message: "more than 32 directories deep; is it a link to one above it?" });
      return;
    }
    // Before it's read, so that a watcher misses nothing that comes in between.
    directories.add(directory);
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      errors.push({ file: directory, message: describeSystemError(error, "directory") });
      return;
    }
    for (const name of names) {
      if (name.startsWith("..")) continue;
      const path = join(directory, name);
      let found: BigIntStats;
      try {
        found = await stat(path, { bigint: true });
      } catch (error) {
        // A file that is no policy may dangle as it likes.
        if (isPolicyFile(name)) errors.push({ file: path, message: describeSystemError(error, "file") });
        continue;
      }
      if (found.isDirectory()) await visit(path, depth + 1);
      else if (found.isFile() && isPolicyFile(name)) {
        files.set(path, { path, version: `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}` });
      }
    }
  };
  for (const root of roots) await visit(root, 0);
  return {
    files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    directories: [...directories],
    errors,
  };
}

function isPolicyFile(name: string): boolean {
  return /\.(json|ya?ml)$/.test(name);
}
