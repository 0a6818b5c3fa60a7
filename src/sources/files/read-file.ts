/** One file from the disk to its resources, with what it takes to see later that it's still the same. */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import type { FileParts } from "../file-parts.ts";
import { describeSystemError, type FileError, systemCode } from "./file-error.ts";
import { type FileVersion, isSameVersion, isSettled, versionOf, wasMoved } from "./file-version.ts";
import { parseFile } from "./parse-file.ts";
import { readParts } from "./read-parts.ts";

/** A file as it was read. */
export interface FileReading {
  readonly version: FileVersion;
  readonly isSettled: boolean;
  /** Nobody is still writing it, as far as can be told: it was moved here, or it's JSON from end to end. */
  readonly isComplete: boolean;
  /** Of the bytes; of the message, where they can't be read. */
  readonly digest: string;
  /** Null: the bytes are those that were known. */
  readonly content: { readonly parts: FileParts } | { readonly error: FileError } | null;
}

const ATTEMPTS = 3;
const unread: FileVersion = { dev: 0, ino: 0, size: 0, ctimeMs: 0 };

export class FileReader {
  /** For one file after the other; given up by `rest`. */
  #bytes = Buffer.alloc(0);

  /** Null where the file is gone by now. Bytes of the known digest aren't parsed again. */
  read(path: string, knownDigest: string | null): FileReading | null {
    try {
      const { bytes, stats } = this.#readStable(path);
      const digest = digestOf(bytes);
      const content = digest === knownDigest ? null : parse(bytes, path);
      const isJson = content !== null && "parts" in content && path.toLowerCase().endsWith(".json");
      const isComplete = content === null || isJson || wasMoved(stats);
      return { version: versionOf(stats), isSettled: isSettled(stats), isComplete, digest, content };
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      const message = describeSystemError(error);
      const content = message === knownDigest ? null : { error: { file: path, message } };
      return { version: unread, isSettled: false, isComplete: false, digest: message, content };
    }
  }

  rest(): void {
    this.#bytes = Buffer.alloc(0);
  }

  /** Reads again while somebody writes; the last attempt counts, and that writer's event brings the next one. */
  #readStable(path: string): { bytes: Buffer; stats: Stats } {
    // Non-blocking: a FIFO put in the file's place would wait for a writer.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      for (let attempt = 1; ; attempt++) {
        const before = fstatSync(file);
        const { size } = before;
        if (this.#bytes.length < size) this.#bytes = Buffer.alloc(size);
        const length = readSync(file, this.#bytes, 0, size, 0);
        const stats = fstatSync(file);
        if (attempt < ATTEMPTS && (length !== size || !isSameVersion(stats, before))) continue;
        return { bytes: this.#bytes.subarray(0, length), stats };
      }
    } finally {
      closeSync(file);
    }
  }
}

/** Half of it tells any two files apart, and there may be many. */
function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest().toString("latin1", 0, 16);
}

function parse(bytes: Buffer, path: string): { parts: FileParts } | { error: FileError } {
  if (!isUtf8(bytes)) return { error: { file: path, message: "not UTF-8 text; save it as UTF-8" } };
  const { documents, failure } = parseFile(path, bytes.toString("utf8"));
  return failure === null ? { parts: readParts(path, documents) } : { error: { file: path, message: failure } };
}
