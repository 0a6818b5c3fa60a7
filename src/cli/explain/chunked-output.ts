/** Text to a stream in large pieces, no faster than it is taken; a reader who has gone (`| head`) ends it quietly. */
import { once } from "node:events";
import type { Writable } from "node:stream";

const CHUNK_CHARACTERS = 1 << 16;

export class ChunkedOutput {
  readonly #stream: Writable;
  #pending = "";
  #error: NodeJS.ErrnoException | null = null;
  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#error ??= error;
  };

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", this.#onError);
  }

  /** Nobody reads any more: what follows needn't be made. */
  get isClosed(): boolean {
    return this.#error !== null || this.#stream.destroyed;
  }

  write(text: string): void {
    this.#pending += text;
  }

  /** Passes on what is pending once it is a piece's worth, or in any case with `all`; waits while the stream is full. */
  async flush(all = false): Promise<void> {
    if (this.#pending === "" || (!all && this.#pending.length < CHUNK_CHARACTERS) || this.isClosed) return;
    const text = this.#pending;
    this.#pending = "";
    if (!this.#stream.write(text) && !this.isClosed) {
      await Promise.race([once(this.#stream, "drain"), once(this.#stream, "close")]).catch(() => {});
    }
  }

  /** Writes the rest. Throws what went wrong with the stream, a closed pipe aside. */
  async end(): Promise<void> {
    await this.flush(true);
    this.#stream.off("error", this.#onError);
    if (this.#error !== null && this.#error.code !== "EPIPE") throw this.#error;
  }
}
