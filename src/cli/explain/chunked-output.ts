/** Text to a stream in large pieces, no faster than it is taken; a reader who has gone (`| head`) ends it quietly. */
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

  /** Passes on what is pending once it is a piece's worth; waits while the stream is full. */
  async flush(): Promise<void> {
    if (this.#pending.length < CHUNK_CHARACTERS || this.isClosed) return;
    const text = this.#pending;
    this.#pending = "";
    if (!this.#stream.write(text) && !this.isClosed) await this.#drained();
  }

  /** Resolves when there is room again, or never will be. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of ["drain", "close", "error"]) this.#stream.off(event, done);
        resolve();
      };
      for (const event of ["drain", "close", "error"]) this.#stream.on(event, done);
    });
  }

  /** Writes the rest and waits until it is taken. Throws what went wrong with the stream, a closed pipe aside. */
  async end(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "" && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#stream.write(text, (error) => {
          if (error) this.#error ??= error;
          resolve();
        });
      });
    }
    // A stream that failed tells so once more after this: then somebody has to listen.
    if (this.#error === null) this.#stream.off("error", this.#onError);
    else if (this.#error.code !== "EPIPE") throw this.#error;
  }
}
