/** A traffic program under way: its lines, one after the other. */
import { type ChildProcess, spawn } from "node:child_process";
import { onLines } from "../lab/lines.ts";

export class RunningTraffic {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #failure: Error | null = null;
  #hasEnded = false;
  #wake: () => void = () => {};

  /** `argv` is what nsenter takes. */
  constructor(argv: readonly string[], signal: AbortSignal) {
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    this.#child = spawn("nsenter", argv, { stdio, detached: true, signal, killSignal: "SIGKILL" });
    let complaint = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    onLines(this.#child.stdout!, (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      const end = (failure: Error | null): void => {
        this.#failure ??= failure;
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      this.#child.on("error", end);
      this.#child.on("close", (code) =>
        end(code === 0 ? null : new Error(complaint.trim() || `traffic: exit ${code}`)),
      );
    });
  }

  /** The next line. Throws where the program failed, or ended without one. */
  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#hasEnded) throw this.#failure ?? new Error("traffic: it ended early");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift() as string;
  }

  /** Waits for its end. Throws where it failed. */
  async ended(): Promise<void> {
    await this.#ended;
    if (this.#failure !== null) throw this.#failure;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
