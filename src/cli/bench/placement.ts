/** Where processes run: traffic on one CPU and whoever serves the queue on another, or all of it anywhere. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../lab/command.ts";

export const trafficProgram = join(import.meta.dirname, "../../../build/traffic");

/** A list as taskset takes it, or null: wherever the scheduler likes. */
export type Cpus = string | null;

export interface Placement {
  readonly name: "pinned" | "free";
  readonly traffic: Cpus;
  readonly server: Cpus;
}

export const free: Placement = { name: "free", traffic: null, server: null };

/** The start of a command that runs the rest on these CPUs. */
export function pinned(cpus: Cpus): string[] {
  return cpus === null ? [] : ["taskset", "-c", cpus];
}

/** Moves all threads of running processes. */
export async function move(pids: readonly number[], cpus: Cpus): Promise<void> {
  const list = cpus ?? allowedCpus();
  await Promise.all(pids.map((pid) => runCommand("taskset", ["-a", "-c", "-p", list, String(pid)])));
}

/** `0-1`: the CPUs that this process may use. */
export function allowedCpus(): string {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
}

/** The numbers of a list such as `0-2,4`. */
export function expandCpus(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
