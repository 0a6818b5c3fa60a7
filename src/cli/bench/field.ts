/**
 * All variants side by side, each in a lane of its own and running for real. Whoever's turn it isn't is stopped
 * (SIGSTOP), so that nobody's timers meet another's measurement.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../lab/command.ts";
import { unlessAborted } from "../lab/interruption.ts";
import { Namespaces } from "../lab/namespaces.ts";
import { writeDataset } from "./dataset/write-dataset.ts";
import { Lane } from "./lane.ts";
import { move, type Placement } from "./placement.ts";
import { memoryOf, processesOf } from "./process-usage.ts";
import { EngineServer, loopCommand, type QueueServer, startNothing, startProgram, startRules } from "./queue-server.ts";
import type { Recorder } from "./recorder.ts";
import { withoutQueue } from "./rules-alone.ts";
import { type Contestant, Turn } from "./turn.ts";
import type { Variant } from "./variants.ts";

/** The loops' queue: they are alone in their namespaces. */
const loopQueue = 0;
const startLimitMs = 120_000;

export interface FieldOptions {
  readonly variants: readonly Variant[];
  readonly peer: { readonly command: readonly string[]; readonly queue: number } | null;
  /** Added to every engine's command line. */
  readonly engineFlags: readonly string[];
  readonly recorder: Recorder;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export class Field {
  readonly contestants: Contestant[] = [];
  readonly #options: FieldOptions;
  readonly #namespaces = new Namespaces();
  readonly #directory = mkdtempSync(join(tmpdir(), `verdictd-bench-${process.pid}-`));
  readonly #lanes: Lane[] = [];

  /** Leaves nothing behind where it fails. */
  static async create(options: FieldOptions): Promise<Field> {
    const field = new Field(options);
    try {
      await field.#build();
    } catch (error) {
      await field.close();
      throw error;
    }
    return field;
  }

  private constructor(options: FieldOptions) {
    this.#options = options;
  }

  /** Runs `work` while the contestant, and no other, runs. */
  async turn(
    part: string,
    contestant: Contestant,
    placement: Placement,
    work: (turn: Turn) => Promise<void>,
  ): Promise<void> {
    const { recorder, signal } = this.#options;
    signal.throwIfAborted();
    contestant.server.resume();
    try {
      await unlessAborted(signal, () => work(new Turn(part, contestant, placement, recorder, signal)));
    } finally {
      contestant.server.pause();
    }
  }

  /** Puts everybody where the placement wants them. */
  async place(placement: Placement): Promise<void> {
    for (const { lane, server } of this.contestants) {
      await move([lane.serverPid], placement.traffic);
      if (server.session !== 0) await move(processesOf(server.session), placement.server);
    }
  }

  /** May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.contestants.splice(0).map(({ server }) => server.stop()));
    await Promise.all(this.#lanes.splice(0).map((lane) => lane.close()));
    this.#namespaces.remove();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Stops an engine and starts it again, as `start` measures it. */
  async restart(contestant: Contestant, placement: Placement): Promise<void> {
    if (!(contestant.server instanceof EngineServer)) return;
    contestant.server.resume();
    await contestant.server.stop();
    const server = await this.#startEngine(contestant.variant, contestant.lane, contestant.server.directory);
    await move(processesOf(server.session), placement.server);
    server.pause();
    this.contestants[this.contestants.indexOf(contestant)] = { ...contestant, server };
  }

  async #build(): Promise<void> {
    // Rules alone are a copy of an engine's.
    const { variants, signal, log } = this.#options;
    for (const variant of [...variants].sort((a, b) => Number(a.kind === "rules") - Number(b.kind === "rules"))) {
      signal.throwIfAborted();
      log(`starting: ${variant.title}`);
      const lane = await Lane.create(variant.name, this.#namespaces, signal);
      this.#lanes.push(lane);
      const server = await this.#start(variant, lane);
      if (server === null) continue;
      server.pause();
      this.contestants.push({ variant, lane, server });
    }
    const order = (c: Contestant): number => variants.indexOf(c.variant);
    this.contestants.sort((a, b) => order(a) - order(b));
  }

  async #start(variant: Variant, lane: Lane): Promise<QueueServer | null> {
    const { signal, peer } = this.#options;
    if (variant.kind === "none") return startNothing(lane, signal);
    if (variant.kind === "rules") return this.#startRules(lane);
    if (variant.kind === "loop")
      return startProgram(lane, loopCommand(loopQueue, variant.batch ?? 0), loopQueue, signal);
    if (variant.kind === "peer") return peer && startProgram(lane, peer.command, peer.queue, signal);
    const directory = join(this.#directory, variant.name);
    if (variant.dataset === undefined) return null;
    const bytes = writeDataset(directory, variant.dataset);
    this.#options.recorder.value("start", "files", "bytes", "free", variant.name, bytes);
    return this.#startEngine(variant, lane, directory);
  }

  async #startRules(lane: Lane): Promise<QueueServer | null> {
    const { log, signal } = this.#options;
    const engine = this.contestants.find(({ variant }) => (variant.dataset?.policies ?? 0) > 0);
    if (engine === undefined) return null;
    const argv = [`--net=${engine.lane.routerPath}`, "--", "nft", "list", "table", "inet", "verdictd"];
    try {
      return await startRules(lane, withoutQueue(await runCommand("nsenter", argv, { signal })), signal);
    } catch (error) {
      signal.throwIfAborted();
      log(`left out: our rules without a queue (${(error as Error).message})`);
      return null;
    }
  }

  async #startEngine(variant: Variant, lane: Lane, directory: string): Promise<EngineServer> {
    const { recorder, engineFlags, signal } = this.#options;
    const begun = performance.now();
    const server = new EngineServer(lane, directory, engineFlags);
    const record = (metric: string, unit: "ms" | "bytes", value: number): void =>
      recorder.value("start", metric, unit, "free", variant.name, value);
    // What the engine tells of its own phases: fields whose names end in Ms.
    server.onLog((entry) => {
      for (const [name, value] of Object.entries(entry)) {
        if (entry.msg === "enforcing" && /Ms$/.test(name) && typeof value === "number")
          record(name.slice(0, -2), "ms", value);
      }
    });
    try {
      await unlessAborted(signal, () => server.enforcement.epochAfter(null, startLimitMs));
    } catch (error) {
      await server.stop();
      throw error;
    }
    signal.throwIfAborted();
    record("ready", "ms", performance.now() - begun);
    const { now, peak } = memoryOf(server.session);
    record("memory", "bytes", now);
    record("peak-memory", "bytes", peak);
    return server;
  }
}
