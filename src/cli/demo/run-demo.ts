/** The demo from the first line to the last: lab, policy, matrix, why, a live change, latency, what to type next. */
import { join } from "node:path";
import { loadAddon } from "../../kernel/addon-loader.ts";
import { probeKernel } from "../../kernel/probe.ts";
import { CliExit } from "../exit.ts";
import { Enforcement } from "../lab/enforcement.ts";
import { unlessAborted } from "../lab/interruption.ts";
import { removeLeftovers } from "../lab/namespaces.ts";
import { describeKernel } from "./describe-kernel.ts";
import { Lab } from "./lab.ts";
import { measureLatency } from "./latency.ts";
import { changeLive, isLiveAsExpected } from "./live.ts";
import { allProbes, isAsExpected, observe, waitForLab } from "./matrix.ts";
import { Policy } from "./policy.ts";
import { printFact, printLatency, printLive, printMatrix, printMore, wrap } from "./print.ts";
import type { Style } from "./style.ts";
import { bridgeName, endpointNamed } from "./topology.ts";

export interface DemoOptions {
  readonly version: string;
  /** The program's entry, of which the engine is started as a process of its own. */
  readonly main: string;
  /** A copy of `examples/` that may be changed. */
  readonly examples: string;
  readonly style: Style;
  readonly print: (line: string) => void;
  /** Aborts with the error to throw. */
  readonly signal: AbortSignal;
}

/** True where everything was as expected. Throws the signal's reason when interrupted; cleans up in all cases. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  try {
    return await run(options);
  } catch (error) {
    // Whatever failed after an interruption failed because of it.
    throw options.signal.aborted ? options.signal.reason : error;
  }
}

async function run(options: DemoOptions): Promise<boolean> {
  const { style, signal } = options;
  // What goes on for a moment after an interruption meets a lab that is being taken down: no word about that.
  const print = (line: string): void => {
    signal.throwIfAborted();
    options.print(line);
  };
  print(`${style.bold(`verdictd ${options.version}`)} · a VPC and a cluster on this machine, enforced for real`);
  const probe = await probeKernel(loadAddon());
  const [problem] = probe.problems;
  if (problem !== undefined) throw new CliExit(3, problem);
  print(printFact(style, "kernel", describeKernel(probe)));
  signal.throwIfAborted();

  const leftovers = removeLeftovers();
  if (leftovers > 0) {
    print(printFact(style, "swept", `${leftovers} network namespaces that an earlier run left when it was killed`));
  }
  const begun = performance.now();
  const lab = await Lab.create(signal);
  const seconds = (performance.now() - begun) / 1000;
  let enforcement: Enforcement | null = null;
  try {
    signal.throwIfAborted();
    const directories = [join(options.examples, "vpc"), join(options.examples, "openfaas")];
    return await unlessAborted(signal, async () => {
      const probes = allProbes();
      await waitForLab(lab, probes);
      const reachable = `all ${probes.length} probes open before the engine starts`;
      print(printFact(style, "lab", `3 subnets, 1 pod network, 10 endpoints · ${reachable} · ${seconds.toFixed(1)} s`));

      const policy = await Policy.load(directories);
      signal.throwIfAborted();
      enforcement = new Enforcement(options.main, lab.routerPath, [
        ...directories.flatMap((d) => ["--dir", d]),
        ...["--bridge", bridgeName],
      ]);
      const epoch = await enforcement.epochAfter(null, 20_000);
      print(printFact(style, "policy", `${policy.summary} → epoch ${epoch}`));

      const outcomes = await observe(lab, probes, policy.expectAll(probes));
      for (const line of ["", ...printMatrix(style, outcomes), ""]) print(line);

      const [first = "", ...more] = policy.why(endpointNamed("web"), endpointNamed("db"), style);
      print(printFact(style, "why", first));
      for (const line of more.flatMap(wrap)) print(printMore(line));

      const live = await changeLive(lab, enforcement, join(options.examples, "openfaas/policy-nginx.yaml"));
      for (const line of printLive(style, live)) print(line);

      const latency = await measureLatency(lab);
      for (const line of ["", ...printLatency(style, latency)]) print(line);
      for (const line of nextSteps(style)) print(line);
      return outcomes.every(isAsExpected) && isLiveAsExpected(live) && latency.every((row) => row.lost === 0);
    });
  } finally {
    await (enforcement as Enforcement | null)?.stop();
    await lab.close();
  }
}

function nextSteps(style: Style): string[] {
  return [
    printFact(style, "next", "node dist/main.js explain --dir examples/vpc --from i-web --to i-db --port 5432"),
    printMore("sudo node dist/main.js run --dir examples/vpc"),
  ];
}
