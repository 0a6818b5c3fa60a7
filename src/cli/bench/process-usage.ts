/** What processes cost, from /proc: CPU time, memory; and how busy CPUs are. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU time of all processes of a session, threads included, in nanoseconds. Softirqs that ran on top of them are in it:
 * delivering an accepted packet is part of what a verdict costs. What ksoftirqd did isn't.
 */
export function cpuTimeOf(session: number): number {
  return processesOf(session).reduce(
    (sum, pid) => sum + threadsOf(pid).reduce((s, tid) => s + runTime(pid, tid), 0),
    0,
  );
}

/** Resident memory of a session in bytes, now and at its highest. */
export function memoryOf(session: number): { readonly now: number; readonly peak: number } {
  const sum = { now: 0, peak: 0 };
  for (const pid of processesOf(session)) {
    const status = read(`/proc/${pid}/status`);
    sum.now += kilobytes(status, "VmRSS");
    sum.peak += kilobytes(status, "VmHWM");
  }
  return sum;
}

/** A process and its children: all that share its session. */
export function processesOf(session: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid === session || sessionOf(pid) === session);
}

/** Nanoseconds that these CPUs weren't idle since the machine started; of all CPUs without a list. */
export function busyTime(cpus: readonly number[]): number {
  const stat = read("/proc/stat");
  const tick = 1e9 / 100; // USER_HZ is 100 on all architectures that Linux calls by this file
  return cpus.reduce((sum, cpu) => {
    const fields = new RegExp(`^cpu${cpu} (.*)$`, "m").exec(stat)?.[1]?.split(" ").map(Number) ?? [];
    // user, nice, system, idle, iowait, irq, softirq, steal
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields;
    return sum + (user + nice + system + irq + softirq) * tick;
  }, 0);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The first field of schedstat: time on a CPU, in nanoseconds. */
function runTime(pid: number, tid: string): number {
  return Number(read(`/proc/${pid}/task/${tid}/schedstat`).split(" ")[0]);
}

function sessionOf(pid: number): number {
  // After the name, which may hold anything: state, parent, process group, session.
  return Number(read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ")[3]);
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
}

/** Empty where the process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
