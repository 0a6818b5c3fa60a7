/**
 * Which documents lie below the given directories: `.json`, `.yaml` and `.yml`; opens no file. Follows symbolic links and
 * takes each real file once, under the first of its names in order of path, so a mounted ConfigMap
 * (`groups.yaml → ..data/groups.yaml`) is read through its visible names alone. What can't be used is an error, never
 * left out silently. Keeps nothing for a plain file: there may be a hundred thousand.
 */
import { lstatSync, opendirSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeSystemError, type FileError, systemCode } from "./file-error.ts";
import { identityOf } from "./file-version.ts";

export interface Tree {
  /** In order of path. */
  readonly errors: readonly FileError[];
  /** Every directory whose entries matter, those of links' targets included, with its identity. */
  readonly directories: ReadonlyMap<string, string>;
  /** Links to files or directories: one entry doesn't tell then what becomes of others. */
  readonly hasLinks: boolean;
}

/** A file as users see it: the root as it was given, and the way below it. */
export type OnFile = (path: string, stats: Stats) => void;

/** A directory that was met. */
interface Visit {
  /** What comes before it in order of names has been met; null: everything. */
  current: string | null;
}

interface Walk {
  readonly onFile: OnFile;
  readonly errors: FileError[];
  readonly directories: Map<string, string>;
  /** By real path. */
  readonly visits: Map<string, Visit>;
  /** Real paths of files that were met through a link first. */
  readonly linked: Set<string>;
  hasLinks: boolean;
}

/** Yields between entries, so that others may have their turn. Never throws: errors are part of the answer. */
export function* walkTree(roots: readonly string[], onFile: OnFile): Generator<void, Tree> {
  const walk: Walk = {
    onFile,
    errors: [],
    directories: new Map(),
    visits: new Map(),
    linked: new Set(),
    hasLinks: false,
  };
  for (const root of roots) {
    try {
      yield* walkDirectory(root, walk);
    } catch (error) {
      walk.errors.push({ file: root, message: describeRootError(error) });
    }
  }
  walk.errors.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  return walk;
}

/** `..data` and its like are Kubernetes' own; `.#name` is Emacs's lock, a link to nowhere. */
export function isHidden(name: string): boolean {
  return name.startsWith("..") || name.startsWith(".#");
}

export function hasDocumentName(path: string): boolean {
  return /\.(?:json|ya?ml)$/i.test(path);
}

/** What the paths of a directory's entries start with. */
export function childPrefix(directory: string): string {
  return join(directory, "x").slice(0, -1);
}

/** In one piece: a path that is put together otherwise keeps its parts alive. */
export function childPath(prefix: string, name: string): string {
  return [prefix, name].join("");
}

function* walkDirectory(path: string, walk: Walk): Generator<void> {
  const real = realpathSync.native(path);
  const { names, isPlain } = yield* readNames(path);
  if (walk.visits.has(real)) return;
  const visit: Visit = { current: null };
  walk.visits.set(real, visit);
  addDirectory(path, walk);
  const prefix = childPrefix(path);
  // Among files alone the order says nothing.
  for (const name of isPlain ? names : names.sort()) {
    visit.current = name;
    yield* walkEntry(childPath(prefix, name), name, real, walk);
    yield;
  }
  visit.current = null;
}

/** Bounded pieces: a directory may have a hundred thousand entries. */
function* readNames(path: string): Generator<void, { readonly names: string[]; readonly isPlain: boolean }> {
  const names: string[] = [];
  let isPlain = true;
  const directory = opendirSync(path, { bufferSize: 256 });
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      const isFile = entry.isFile();
      // What is a file and no document concerns nobody.
      if (isHidden(entry.name) || (isFile && !hasDocumentName(entry.name))) continue;
      names.push(entry.name);
      if (!isFile) isPlain = false;
      yield;
    }
  } finally {
    directory.closeSync();
  }
  return { names, isPlain };
}

function* walkEntry(path: string, name: string, realDirectory: string, walk: Walk): Generator<void> {
  try {
    const link = lstatSync(path);
    const stats = link.isSymbolicLink() ? statSync(path) : link;
    const isDocument = hasDocumentName(name);
    if (link.isSymbolicLink() && (isDocument || stats.isDirectory())) walk.hasLinks = true;
    if (stats.isDirectory() && !isDocument) yield* walkDirectory(path, walk);
    if (!isDocument) return;
    // Docker makes a directory where a file to be mounted is missing: its policies would be missed silently.
    const kind = stats.isDirectory() ? "a directory with a document's name" : stats.isFile() ? null : "no regular file";
    if (kind !== null) {
      walk.errors.push({ file: path, message: `${kind}; put the file that is meant in its place, or rename it` });
      return;
    }
    if (link.isSymbolicLink()) {
      const real = realpathSync.native(path);
      // A change of the file that a link leads to shows in that file's directory.
      addDirectory(dirname(real), walk);
      if (walk.linked.has(real) || isMet(real, walk)) return;
      walk.linked.add(real);
    } else if (walk.linked.size > 0 && walk.linked.has(join(realDirectory, name))) return;
    walk.onFile(path, stats);
  } catch (error) {
    const message = describeEntryError(path, error);
    if (message !== null) walk.errors.push({ file: path, message });
  }
}

/** Whether a regular file was met under its own name. */
function isMet(real: string, walk: Walk): boolean {
  const name = basename(real);
  const visit = walk.visits.get(dirname(real));
  if (!visit || isHidden(name) || !hasDocumentName(name)) return false;
  return visit.current === null || name < visit.current;
}

function addDirectory(path: string, walk: Walk): void {
  if (!walk.directories.has(path)) walk.directories.set(path, identityOf(statSync(path, { bigint: true })));
}

/** Null for what is none: deleted since the directory was listed, or a dangling link that names no document. */
function describeEntryError(path: string, error: unknown): string | null {
  if (systemCode(error) !== "ENOENT") return describeSystemError(error);
  const target = hasDocumentName(path) ? readLink(path) : null;
  return target === null ? null : `a symbolic link to ${basename(target)}, which isn't there; repair or remove it`;
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function describeRootError(error: unknown): string {
  const code = systemCode(error);
  if (code === "ENOENT") return "no such directory; make it, or name another one";
  if (code === "ENOTDIR") return "not a directory; name the directory that holds the files";
  return describeSystemError(error);
}
