/** One file from the disk to its resources, with what it takes to see later that it's still the same. */
import { createHash } from "node:crypto";
import { constants, promises as fs } from "node:fs";
import type { FileParts } from "../file-parts.ts";
import { describeSystemError, type FileError, systemCode } from "./file-error.ts";
import { parseFile } from "./parse-file.ts";
import { readParts } from "./read-parts.ts";
import { versionOf } from "./read-tree.ts";

export type FileContent = { readonly parts: FileParts } | { readonly error: FileError };

/** A file as it was read. */
export interface KnownFile {
  readonly version: string;
  /** Whether a later write must show in the version: no write fell within the clock's grain before the reading. */
  readonly isSettled: boolean;
  /** Of the bytes; of the message, where they can't be read. */
  readonly digest: string;
  readonly content: FileContent;
}

/** Longer than a tick of the kernel's coarse clock, which files' times are taken from. */
const CLOCK_GRAIN_MS = 20;
const ATTEMPTS = 3;

/** Null where the file is gone by now. `known` is what was read before: the same bytes aren't parsed again. */
export async function readFile(path: string, known: KnownFile | null): Promise<KnownFile | null> {
  try {
    const { bytes, version, isSettled } = await readStable(path);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const content = known?.digest === digest ? known.content : parse(bytes, path);
    return { version, isSettled, digest, content };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    const message = describeSystemError(error);
    return { version: "", isSettled: false, digest: message, content: { error: { file: path, message } } };
  }
}

/** Reads again while somebody writes; the last attempt counts, and that writer's event brings the next one. */
async function readStable(path: string): Promise<{ bytes: Buffer; version: string; isSettled: boolean }> {
  // Non-blocking: a FIFO put in the file's place would wait for a writer.
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (let attempt = 1; ; attempt++) {
      const before = await handle.stat({ bigint: true });
      const bytes = Buffer.alloc(Number(before.size));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
      const after = await handle.stat({ bigint: true });
      const version = versionOf(after);
      if (attempt < ATTEMPTS && (bytesRead !== bytes.length || version !== versionOf(before))) continue;
      const isSettled = Date.now() - Number(after.ctimeNs / 1_000_000n) > CLOCK_GRAIN_MS;
      return { bytes: bytes.subarray(0, bytesRead), version, isSettled };
    }
  } finally {
    await handle.close();
  }
}

function parse(bytes: Buffer, path: string): FileContent {
  const text = decode(bytes);
  if (text === null) return { error: { file: path, message: "not UTF-8 text; save it as UTF-8" } };
  const { documents, failure } = parseFile(path, text);
  return failure === null ? { parts: readParts(path, documents) } : { error: { file: path, message: failure } };
}

function decode(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
