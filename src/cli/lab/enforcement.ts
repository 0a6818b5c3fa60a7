/** The engine as its users run it, `verdictd run`, in the router's namespace: started, waited for, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { onLines } from "./lines.ts";

/** A line of the engine's log. */
export type LogEntry = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface EnforcementOptions {
  readonly onLog?: (entry: LogEntry) => void;
  /** What it gets where its parent dies: `KILL` also ends one that is paused. */
  readonly deathSignal?: "TERM" | "KILL";
}

export class Enforcement {
  readonly #child: ChildProcess;
  readonly #complaints: string[] = [];
  readonly #exited: Promise<void>;
  readonly #waiters = new Set<() => void>();
  readonly #onLog: (entry: LogEntry) => void;
  #epoch: number | null = null;
  #epochAt = 0n;
  #hasExited = false;

  /** `main` is the program's entry, `namespacePath` as `nsenter` takes it, `flags` those of `run`. */
  constructor(
    main: string,
    namespacePath: string,
    flags: readonly string[],
    { onLog = () => {}, deathSignal = "TERM" }: EnforcementOptions = {},
  ) {
    this.#onLog = onLog;
    const argv = [process.execPath, main, "run", ...flags];
    // Detached, so that a Ctrl-C meets the lab's owner alone, which stops the engine in order; setpriv, so that the engine
    // stops as well where the demo is killed.
    this.#child = spawn(
      "nsenter",
      [`--net=${namespacePath}`, "--", "setpriv", "--pdeathsig", deathSignal, "--", ...argv],
      {
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      },
    );
    onLines(this.#child.stdout!, (line) => this.#onEvent(line));
    onLines(this.#child.stderr!, (line) => {
      this.#complaints.push(line);
      if (this.#complaints.length > 20) this.#complaints.shift();
      const entry = parseLogLine(line);
      if (entry !== null) this.#onLog(entry);
    });
    this.#exited = new Promise((resolve) => {
      const end = () => {
        this.#hasExited = true;
        this.#wake();
        resolve();
      };
      this.#child.on("error", (error) => {
        this.#complaints.push(error.message);
        end();
      });
      this.#child.on("close", end);
    });
  }

  /** What nsenter and setpriv became: the engine itself. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** When the last epoch was heard of, by `process.hrtime.bigint`. */
  get epochAt(): bigint {
    return this.#epochAt;
  }

  /** Keeps it from running at all until `resume`: its queue fills. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** The epoch that is in the kernel; null before the first. */
  get epoch(): number | null {
    return this.#epoch;
  }

  /** Waits until an epoch other than `previous` is in the kernel. Throws where the engine ends, or takes too long. */
  async epochAfter(previous: number | null, timeoutMs: number): Promise<number> {
    const end = performance.now() + timeoutMs;
    while (this.#epoch === null || this.#epoch === previous) {
      if (this.#hasExited) throw new Error(`verdictd run ended early:\n${this.#complaints.join("\n")}`);
      const left = end - performance.now();
      if (left <= 0) throw new Error(`verdictd run said nothing for ${timeoutMs} ms:\n${this.#complaints.join("\n")}`);
      await this.#somethingOr(left);
    }
    return this.#epoch;
  }

  /** Asks it to stop; kills it after five seconds. May be called twice. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    this.#child.kill("SIGCONT");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#exited;
    clearTimeout(timer);
  }

  #onEvent(line: string): void {
    const event = parseEvent(line);
    if (event === null) return;
    this.#epoch = event;
    this.#epochAt = process.hrtime.bigint();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  #somethingOr(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiters.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** The epoch of `{"event":"ready","epoch":1}` or `{"event":"epoch","epoch":2}`; null for any other line. */
export function parseEvent(line: string): number | null {
  try {
    const { event, epoch } = JSON.parse(line) as { event?: unknown; epoch?: unknown };
    return (event === "ready" || event === "epoch") && typeof epoch === "number" ? epoch : null;
  } catch {
    return null;
  }
}

/** Null for a line that is no log entry. */
function parseLogLine(line: string): LogEntry | null {
  try {
    const entry = JSON.parse(line) as LogEntry | null;
    return typeof entry?.msg === "string" ? entry : null;
  } catch {
    return null;
  }
}
