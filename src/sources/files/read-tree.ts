/**
 * Which documents lie below the given directories: `.json`, `.yaml` and `.yml`, sorted by path; opens no file. Follows
 * symbolic links and takes each real file once, so a mounted ConfigMap (`groups.yaml → ..data/groups.yaml`) is read
 * through its visible names alone. What can't be used is an error, never left out silently.
 */
import { type BigIntStats, promises as fs } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeSystemError, type FileError, systemCode } from "./file-error.ts";

export interface FoundFile {
  /** As users see it: the root as it was given, and the way below it. */
  readonly path: string;
  /** Changes when the file does: identity, size and times. */
  readonly version: string;
}

export interface Tree {
  readonly files: readonly FoundFile[];
  /** In order of path. */
  readonly errors: readonly FileError[];
  /** Every directory whose entries matter, those of links' targets included, with its identity. */
  readonly directories: ReadonlyMap<string, string>;
}

interface Walk {
  readonly files: FoundFile[];
  readonly errors: FileError[];
  readonly directories: Map<string, string>;
  /** Real paths. */
  readonly seen: Set<string>;
}

/** Never throws: errors are part of the answer. */
export async function readTree(roots: readonly string[]): Promise<Tree> {
  const walk: Walk = { files: [], errors: [], directories: new Map(), seen: new Set() };
  for (const root of roots) {
    try {
      await readDirectory(root, walk);
    } catch (error) {
      walk.errors.push({ file: root, message: describeRootError(error) });
    }
  }
  walk.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  walk.errors.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  return walk;
}

export function versionOf(stats: BigIntStats): string {
  return `${identityOf(stats)}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

export function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

async function readDirectory(path: string, walk: Walk): Promise<void> {
  const real = await fs.realpath(path);
  const names = await fs.readdir(path);
  if (walk.seen.has(real)) return;
  walk.seen.add(real);
  await addDirectory(path, walk);
  for (const name of names.sort()) {
    // `..data` and its like are Kubernetes' own; `.#name` is Emacs's lock, a link to nowhere.
    if (!name.startsWith("..") && !name.startsWith(".#")) await readEntry(join(path, name), join(real, name), walk);
  }
}

async function readEntry(path: string, realPath: string, walk: Walk): Promise<void> {
  try {
    const link = await fs.lstat(path, { bigint: true });
    const stats = link.isSymbolicLink() ? await fs.stat(path, { bigint: true }) : link;
    const isDocument = hasDocumentName(path);
    if (stats.isDirectory() && !isDocument) await readDirectory(path, walk);
    if (!isDocument) return;
    // Docker makes a directory where a file to be mounted is missing: its policies would be missed silently.
    const kind = stats.isDirectory() ? "a directory with a document's name" : stats.isFile() ? null : "no regular file";
    if (kind !== null) {
      walk.errors.push({ file: path, message: `${kind}; put the file that is meant in its place, or rename it` });
      return;
    }
    const real = link.isSymbolicLink() ? await fs.realpath(path) : realPath;
    // A change of the file that a link leads to shows in that file's directory.
    if (link.isSymbolicLink()) await addDirectory(dirname(real), walk);
    if (walk.seen.has(real)) return;
    walk.seen.add(real);
    walk.files.push({ path, version: versionOf(stats) });
  } catch (error) {
    const message = await describeEntryError(path, error);
    if (message !== null) walk.errors.push({ file: path, message });
  }
}

async function addDirectory(path: string, walk: Walk): Promise<void> {
  if (!walk.directories.has(path)) walk.directories.set(path, identityOf(await fs.stat(path, { bigint: true })));
}

function hasDocumentName(path: string): boolean {
  return /\.(?:json|ya?ml)$/i.test(path);
}

/** Null for what is none: deleted since the directory was listed, or a dangling link that names no document. */
async function describeEntryError(path: string, error: unknown): Promise<string | null> {
  if (systemCode(error) !== "ENOENT") return describeSystemError(error);
  const target = hasDocumentName(path) ? await fs.readlink(path).catch(() => null) : null;
  return target === null ? null : `a symbolic link to ${basename(target)}, which isn't there; repair or remove it`;
}

function describeRootError(error: unknown): string {
  const code = systemCode(error);
  if (code === "ENOENT") return "no such directory; make it, or name another one";
  if (code === "ENOTDIR") return "not a directory; name the directory that holds the files";
  return describeSystemError(error);
}
