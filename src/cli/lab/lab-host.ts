/**
 * One endpoint's process (bench/lab-host.cc) in its namespace: serves, and probes on command. Commands run side by
 * side; each answer finds its asker by id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CliExit } from "../exit.ts";
import { onLines } from "./lines.ts";

const program = join(import.meta.dirname, "../../../build/lab-host");

export interface Service {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

/** `open`, or the word for how it failed: `timeout`, `refused`, `reset`, `unreachable`, `error`. */
export interface ProbeResult {
  readonly isOpen: boolean;
  readonly how: string;
}

/** Nanoseconds of the monotonic clock (`process.hrtime.bigint`), null for what never happened. */
export interface LiveResult {
  /** Start of the first new connection that failed, when none succeeded after it. */
  readonly firstDenied: bigint | null;
  /** When the open connection was reset or closed, or its last answer before it fell silent. */
  readonly cut: bigint | null;
  readonly how: string;
}

type Waiter = { readonly resolve: (words: string[]) => void; readonly reject: (error: Error) => void };

export class LabHost {
  readonly #child: ChildProcess;
  readonly #waiters = new Map<string, Waiter>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #failure: Error | null = null;

  /** Starts the process in a network namespace given by its path. Throws CliExit 3 where it was never built. */
  constructor(namespacePath: string) {
    if (!existsSync(program)) throw new CliExit(3, "The lab's helper isn't built yet: npm run build");
    // Detached, so that a Ctrl-C meets the demo alone; the program itself ends with its parent.
    this.#child = spawn("nsenter", [`--net=${namespacePath}`, "--", program], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    onLines(this.#child.stdout!, (line) => this.#onAnswer(line));
    this.#child.stdin?.on("error", () => {}); // a process that died is told by `exit`
    this.#exited = new Promise((resolve) => {
      const end = (error: Error) => {
        this.#failure = error;
        for (const waiter of this.#waiters.values()) waiter.reject(error);
        this.#waiters.clear();
        resolve();
      };
      this.#child.on("error", end);
      this.#child.on("exit", (code, signal) => end(new Error(`a lab host ended early (${signal ?? code})`)));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Writes below /proc/sys/net of the namespace. False where this kernel hasn't got the setting. */
  async sysctl(path: string, value: string): Promise<boolean> {
    const [answer] = await this.#ask(`sysctl ${path} ${value}`);
    return answer === "ok";
  }

  async listen(service: Service): Promise<void> {
    const [answer, ...why] = await this.#ask(`listen ${service.protocol} ${service.port}`);
    if (answer !== "ok") throw new Error(`can't listen on ${service.port}: ${why.join(" ")}`);
  }

  async probe(
    protocol: "tcp" | "udp" | "icmp",
    address: string,
    port: number,
    timeoutMs: number,
  ): Promise<ProbeResult> {
    const [answer, how = ""] = await this.#ask(`probe ${protocol} ${address} ${port} ${timeoutMs}`);
    return { isOpen: answer === "open", how: answer === "open" ? "open" : how };
  }

  /** Round trips of one UDP byte, each from a source port of its own; nanoseconds. */
  async roundTrips(
    address: string,
    port: number,
    firstSourcePort: number,
    count: number,
  ): Promise<{ readonly lost: number; readonly nanoseconds: readonly number[] }> {
    const words = await this.#ask(`rtt ${address} ${port} ${firstSourcePort} ${count} 1000`);
    if (words[0] !== "rtt") throw new Error(`round trips failed: ${words.join(" ")}`);
    const [lost = 0, ...nanoseconds] = words.slice(1).map(Number);
    return { lost, nanoseconds };
  }

  /**
   * Opens a connection and keeps it busy, and tries a new one every millisecond, until both are refused or the time is
   * over. Calls back as soon as the connection is open; the process does nothing else meanwhile.
   */
  async live(address: string, port: number, limitMs: number, onStarted: () => void): Promise<LiveResult> {
    const id = String(this.#nextId++);
    const started = await this.#ask(`live ${address} ${port} ${limitMs}`, id);
    if (started[0] !== "started") throw new Error(`no connection to begin with: ${started.join(" ")}`);
    const ended = this.#wait(id);
    onStarted();
    const [, , firstDenied = "0", cut = "0", how = "none"] = await ended;
    const time = (text: string): bigint | null => (text === "0" ? null : BigInt(text));
    return { firstDenied: time(firstDenied), cut: time(cut), how };
  }

  /** Ends the process, at once. May be called twice. */
  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #ask(command: string, id = String(this.#nextId++)): Promise<string[]> {
    const answer = this.#wait(id);
    this.#child.stdin?.write(`${id} ${command}\n`);
    return answer;
  }

  #wait(id: string): Promise<string[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.set(id, { resolve, reject }));
  }

  #onAnswer(line: string): void {
    const [id = "", ...words] = line.split(" ");
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    waiter?.resolve(words);
  }
}
