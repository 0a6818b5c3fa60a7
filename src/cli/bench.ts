/**
 * `bench`: what enforcement costs on this machine, beside no queue and beside the loops that others have: variants in
 * network namespaces of their own, taking turns in one run. Leaves nothing behind in any case.
 */
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { loadAddon } from "../kernel/addon-loader.ts";
import { probeKernel } from "../kernel/probe.ts";
import { describeMachine, describeProgram } from "./bench/machine.ts";
import { type BenchFlags, readBenchOptions } from "./bench/options.ts";
import { partNames } from "./bench/parts/parts.ts";
import { Recorder } from "./bench/recorder.ts";
import { renderHtml } from "./bench/report/render-html.ts";
import { renderText } from "./bench/report/render-text.ts";
import { makeResult } from "./bench/report/result.ts";
import { type BenchOutcome, runBench } from "./bench/run-bench.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { listenForSignals } from "./lab/interruption.ts";
import { removeLeftovers } from "./lab/namespaces.ts";
import { repeatable } from "./repeatable.ts";

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure what enforcement costs here, beside no queue and a loop in C (needs root)")
    .option("--short", "a few minutes: fewer variants and rotations")
    .addOption(repeatable("--only <part>", `one part: ${partNames.join(", ")}`))
    .option("--rotations <number>", "rounds of turns (default 5; short 3)")
    .option("--seconds <number>", "length of a turn, or of each measurement in it (default 2; short 1)")
    .option("--sizes <list>", "POLICIES/ENDPOINTS of the engines, by commas; /all for all kinds of policies")
    .option("--layout <name>", "spread: ten policies a namespace; together: all in one", "spread")
    .option("--traffic-cpu <list>", "CPUs of clients and servers")
    .option("--engine-cpu <list>", "CPUs of whoever serves the queue")
    .option("--no-pin", "leave all of it to the scheduler (default: first pinned, then not)")
    .option("--peer <command>", "another program that serves a queue, run in the router's namespace")
    .option("--peer-queue <number>", "the queue that it serves")
    .option("--run-flags <flags>", "flags for `verdictd run`, by spaces")
    .option("--json <file>", "write all values")
    .option("--html <file>", "write a page with plots")
    .action(bench);
}

async function bench(flags: BenchFlags): Promise<void> {
  const options = readBenchOptions(flags);
  if (!("form" in options)) throw new CliExit(2, options.join("\n"));
  if (process.getuid?.() !== 0) {
    throw new CliExit(3, "The bench makes network namespaces, which needs root: sudo npm run bench");
  }
  for (const [flag, path] of Object.entries({ json: options.json, html: options.html })) requireWritable(flag, path);
  const probe = await probeKernel(loadAddon());
  const [problem] = probe.problems;
  if (problem !== undefined) throw new CliExit(3, problem);
  const machine = describeMachine(probe);
  const program = await describeProgram();
  sweep();
  const interruption = listenForSignals();
  const recorder = new Recorder();
  const log = (line: string): void => {
    if (!interruption.signal.aborted) process.stderr.write(`bench: ${line}\n`);
  };
  const begun = new Date();
  let outcome: BenchOutcome;
  try {
    outcome = await runBench({ options, recorder, log, signal: interruption.signal });
  } catch (error) {
    if (interruption.signal.aborted) throw interruption.signal.reason;
    throw isDefect(error) ? error : new CliExit(1, `the bench can't go on: ${(error as Error).message}`);
  } finally {
    interruption.stop();
  }
  const { form, rotations, seconds, parts, placements, engineFlags, peer } = options;
  const elapsedSeconds = (Date.now() - begun.getTime()) / 1000;
  const facts = {
    form,
    begun: begun.toISOString(),
    elapsedSeconds,
    rotations,
    seconds,
    parts,
    placements,
    engineFlags,
  };
  const run = { ...facts, isCut: outcome.isCut, peer: peer?.command ?? null };
  const result = makeResult({ program, machine, run, variants: outcome.variants, recorder });
  process.stdout.write(renderText(result, styleFor(process.stdout, process.env)));
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
  if (options.html !== null) writeFileSync(options.html, renderHtml(result));
}

/** A program that ended, a change that never arrived and the like are said in a sentence. */
function isDefect(error: unknown): boolean {
  return (
    error instanceof CliExit || error instanceof TypeError || error instanceof RangeError || !(error instanceof Error)
  );
}

/** Before the figures are there, rather than after. Throws CliExit 2. */
function requireWritable(flag: string, path: string | null): void {
  if (path === null) return;
  try {
    closeSync(openSync(path, "a"));
  } catch (error) {
    throw new CliExit(2, `--${flag} ${path}: ${(error as Error).message}`);
  }
}

/** What a bench that was killed left. */
function sweep(): void {
  removeLeftovers();
  for (const name of readdirSync(tmpdir())) {
    const pid = /^verdictd-bench-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
