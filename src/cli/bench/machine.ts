/** What the figures were measured on. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Probe } from "../../kernel/probe.ts";
import { runCommand } from "../lab/command.ts";
import type { Machine } from "./report/result.ts";

const root = join(import.meta.dirname, "../../..");

export function describeMachine({ queue }: Pick<Probe, "queue">): Machine {
  return {
    cpu: cpus()[0]?.model.trim().replace(/\s+/g, " ") ?? "unknown CPU",
    cpus: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    queueRule: queue === "native" ? "nft queue" : queue === "xt" ? "xt target" : "nothing",
    loadBefore: loadavg()[0] ?? Number.NaN,
  };
}

/** The commit that runs, `-dirty` where the checkout differs from it; `unknown` without git. */
export async function describeProgram(): Promise<{ readonly version: string; readonly commit: string }> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  try {
    // The checkout is another user's under sudo.
    const argv = ["-c", "safe.directory=*", "-C", root, "describe", "--always", "--dirty", "--abbrev=12"];
    return { version, commit: (await runCommand("git", argv)).trim() };
  } catch {
    return { version, commit: "unknown" };
  }
}
