/** Whoever serves the queue of a lane, started for real in its router's namespace, with the rule that feeds it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseQueueStatistics } from "../../telemetry/queue-statistics.ts";
import { CliExit } from "../exit.ts";
import { runCommand } from "../lab/command.ts";
import { Enforcement, type LogEntry } from "../lab/enforcement.ts";
import type { Lane } from "./lane.ts";

const loopProgram = join(import.meta.dirname, "../../../build/queue-loop");
const ruleProgram = join(import.meta.dirname, "queue-rule.js");
/** `run`'s pages, in the lane's own namespace. */
export const enginePort = 9472;

export interface QueueServer {
  /** Session of its processes, which is the first one's id; 0 where nothing runs. */
  readonly session: number;
  /** Keeps it from running at all until `resume`: its queue fills. */
  pause(): void;
  resume(): void;
  /** May be called twice. */
  stop(): Promise<void>;
}

/** Nobody: what begins a flow is accepted by a rule. */
export async function startNothing(lane: Lane, signal: AbortSignal): Promise<QueueServer> {
  await loadRule(lane, ["accept"], signal);
  return nobody;
}

/** Nobody, behind somebody else's ruleset. */
export async function startRules(lane: Lane, ruleset: string, signal: AbortSignal): Promise<QueueServer> {
  await loadRule(lane, ["load"], signal, ruleset);
  return nobody;
}

/** A program that serves queue number `queue`; the rule comes when it has bound it. */
export async function startProgram(
  lane: Lane,
  argv: readonly string[],
  queue: number,
  signal: AbortSignal,
): Promise<QueueServer> {
  const server = new ServerProcess(lane, argv);
  try {
    await server.hasBound(queue, signal);
    await loadRule(lane, ["queue", String(queue)], signal);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

export function loopCommand(queue: number, batch: number): string[] {
  if (!existsSync(loopProgram)) throw new CliExit(3, "The bench's programs aren't built yet: npm run build");
  return [loopProgram, String(queue), ...(batch > 0 ? ["--batch", String(batch)] : [])];
}

/** The engine as its users start it. */
export class EngineServer implements QueueServer {
  readonly enforcement: Enforcement;
  readonly directory: string;
  readonly #listeners = new Set<(entry: LogEntry) => void>();

  constructor(lane: Lane, directory: string, flags: readonly string[]) {
    this.directory = directory;
    const main = join(import.meta.dirname, "../../main.js");
    const listen = `127.0.0.1:${enginePort}`;
    // Each change is told in debug alone.
    const argv = ["--dir", directory, "--listen", listen, "--log-level", "debug", ...flags];
    const onLog = (entry: LogEntry): void => {
      for (const listener of this.#listeners) listener(entry);
    };
    this.enforcement = new Enforcement(main, lane.routerPath, argv, { onLog, deathSignal: "KILL" });
  }

  get session(): number {
    return this.enforcement.pid;
  }

  /** Returns what takes the listener off. */
  onLog(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pause(): void {
    this.enforcement.pause();
  }

  resume(): void {
    this.enforcement.resume();
  }

  stop(): Promise<void> {
    return this.enforcement.stop();
  }
}

class ServerProcess implements QueueServer {
  readonly #lane: Lane;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #end: string | null = null;
  #complaint = "";

  constructor(lane: Lane, argv: readonly string[]) {
    this.#lane = lane;
    this.#child = spawn(
      "nsenter",
      [`--net=${lane.routerPath}`, "--", "setpriv", "--pdeathsig", "KILL", "--", ...argv],
      { stdio: ["ignore", "ignore", "pipe"], detached: true },
    );
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-2000);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end = error.message;
        resolve();
      });
      this.#child.on("close", (code, end) => {
        this.#end = `${argv[0]} ended (${end ?? code}): ${this.#complaint.trim()}`;
        resolve();
      });
    });
  }

  get session(): number {
    return this.#child.pid ?? 0;
  }

  async hasBound(queue: number, signal: AbortSignal, limitMs = 60_000): Promise<void> {
    const end = performance.now() + limitMs;
    while (!parseQueueStatistics(this.#lane.readProcNet("netfilter/nfnetlink_queue")).some((q) => q.queue === queue)) {
      signal.throwIfAborted();
      if (this.#end !== null) throw new CliExit(1, this.#end);
      if (performance.now() > end) throw new CliExit(1, `nobody bound queue ${queue} within ${limitMs / 1000} s`);
      await sleep(10);
    }
  }

  pause(): void {
    this.#kill("SIGSTOP");
  }

  resume(): void {
    this.#kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.#kill("SIGKILL");
    await this.#exited;
  }

  /** The whole session: a peer may have children. */
  #kill(signal: NodeJS.Signals): void {
    try {
      if (this.#end === null) process.kill(-this.session, signal);
    } catch {
      // It ended by itself in between.
    }
  }
}

const nobody: QueueServer = { session: 0, pause() {}, resume() {}, async stop() {} };

function loadRule(lane: Lane, words: readonly string[], signal: AbortSignal, input = ""): Promise<string> {
  const argv = [`--net=${lane.routerPath}`, "--", process.execPath, ruleProgram, ...words];
  return runCommand("nsenter", argv, { input, signal });
}
