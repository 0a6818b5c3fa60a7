/** One variant's turn in one rotation of a part: its lane, and where its figures go. */
import { parseQueueStatistics } from "../../telemetry/queue-statistics.ts";
import { runCommand } from "../lab/command.ts";
import type { Lane } from "./lane.ts";
import { type Placement, trafficProgram } from "./placement.ts";
import { cpuTimeOf } from "./process-usage.ts";
import type { QueueServer } from "./queue-server.ts";
import type { Recorder, Unit } from "./recorder.ts";
import type { Variant } from "./variants.ts";

/** A variant in its lane, running. */
export interface Contestant {
  readonly variant: Variant;
  readonly lane: Lane;
  readonly server: QueueServer;
}

/** Sums over the lane's queues since they were bound. */
export interface QueueCounts {
  readonly waiting: number;
  /** Handed over to whoever serves. */
  readonly delivered: number;
  readonly dropped: number;
}

export class Turn {
  readonly contestant: Contestant;
  readonly placement: Placement;
  readonly signal: AbortSignal;
  readonly #part: string;
  readonly #recorder: Recorder;

  constructor(part: string, contestant: Contestant, placement: Placement, recorder: Recorder, signal: AbortSignal) {
    this.contestant = contestant;
    this.placement = placement;
    this.signal = signal;
    this.#part = part;
    this.#recorder = recorder;
  }

  record(metric: string, unit: Unit, value: number): void {
    this.#recorder.value(this.#part, metric, unit, this.placement.name, this.contestant.variant.name, value);
  }

  /** Single samples, for the distribution. */
  recordSamples(metric: string, samples: readonly number[]): void {
    this.#recorder.samples(this.#part, metric, this.placement.name, this.contestant.variant.name, samples);
  }

  /** Traffic among the clients, on the traffic's CPU. */
  traffic(command: string, values: Readonly<Record<string, string | number>>): Promise<string> {
    return this.contestant.lane.traffic(command, values, this.placement.traffic, this.signal);
  }

  /** Connections that earlier measurements left would fill the table. */
  async flush(): Promise<void> {
    await runCommand("nsenter", [`--net=${this.contestant.lane.routerPath}`, "--", trafficProgram, "flush"], {
      signal: this.signal,
    });
  }

  queueCounts(): QueueCounts {
    const queues = parseQueueStatistics(this.contestant.lane.readProcNet("netfilter/nfnetlink_queue"));
    return queues.reduce(
      (sum, q) => ({
        waiting: sum.waiting + q.waiting,
        delivered: sum.delivered + q.sequence - q.userDropped,
        dropped: sum.dropped + q.queueDropped + q.userDropped,
      }),
      { waiting: 0, delivered: 0, dropped: 0 },
    );
  }

  /** CPU time of whoever serves the queue, in nanoseconds. */
  serverTime(): number {
    const { session } = this.contestant.server;
    return session === 0 ? 0 : cpuTimeOf(session);
  }
}

/** `a=1 b=2` on the first line of what the traffic program printed. */
export function readSummary(output: string): Readonly<Record<string, number>> {
  const words = output.split("\n", 1)[0]?.split(" ") ?? [];
  return Object.fromEntries(words.map((word) => word.split("=")).map(([key = "", value]) => [key, Number(value)]));
}

/** The lines after the first, each a few numbers. */
export function readRows(output: string): number[][] {
  return output
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.split(" ").map(Number));
}

/** One number on each line. */
export function readColumn(output: string): number[] {
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}
