/** `verdictd run` in a namespace, from the build, over a directory that the test writes. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Namespace, patience } from "./namespace.ts";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** A directory of policy files; every write is a rename, as editors and Kubernetes do it. */
export class PolicyDirectory {
  readonly path = mkdtempSync(join(tmpdir(), `vd${process.pid}-policy-`));

  /** Writes `name`, replacing it at once; an object is written as JSON. */
  write(name: string, content: string | object): void {
    const target = join(this.path, name);
    mkdirSync(join(target, ".."), { recursive: true });
    const text = typeof content === "string" ? content : JSON.stringify(content);
    writeFileSync(`${target}.new`, text);
    renameSync(`${target}.new`, target);
  }

  delete(name: string): void {
    rmSync(join(this.path, name));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export class Engine {
  readonly child: ChildProcessWithoutNullStreams;
  readonly events: { event: string; epoch: number }[] = [];
  stderr = "";
  #exit: number | null = null;
  #wake: () => void = () => {};

  /** `wrapper`: a command that runs the engine as its last words say. */
  constructor(namespace: Namespace, args: readonly string[], wrapper: readonly string[] = []) {
    this.child = namespace.spawn([...wrapper, process.execPath, main, "run", "--listen", "127.0.0.1:9472", ...args]);
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.events.push(JSON.parse(line));
      this.#wake();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.child.on("exit", (code, signal) => {
      this.#exit = code ?? (signal === null ? 1 : 128);
      this.#wake();
    });
  }

  /** Starts and waits until enforcement is in the kernel. */
  static async start(
    namespace: Namespace,
    directories: readonly string[],
    args: readonly string[] = [],
  ): Promise<Engine> {
    const engine = new Engine(namespace, [...directories.flatMap((d) => ["--dir", d]), ...args]);
    await engine.reaches("ready", () => engine.events.some((e) => e.event === "ready"), 30_000);
    return engine;
  }

  get epoch(): number {
    return this.events.at(-1)?.epoch ?? 0;
  }

  /** Runs `change` and waits until it is enforced. */
  async applies(change: () => void): Promise<void> {
    const before = this.epoch;
    change();
    await this.reaches(`an epoch after ${before}`, () => this.epoch > before);
  }

  async reaches(what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> {
    const end = performance.now() + timeoutMs * patience;
    while (!condition()) {
      const left = end - performance.now();
      if (left <= 0 || this.#exit !== null) {
        throw new Error(
          `waiting for ${what}: ${this.#exit === null ? "timed out" : `exit ${this.#exit}`}\n${this.stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async exits(timeoutMs = 10_000): Promise<number> {
    const end = performance.now() + timeoutMs * patience;
    while (this.#exit === null) {
      if (performance.now() > end) throw new Error(`verdictd didn't end\n${this.stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#exit;
  }

  /** A clean stop; returns the exit code. */
  async stop(): Promise<number> {
    if (this.#exit === null) this.child.kill("SIGTERM");
    return this.exits();
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exits();
  }
}
