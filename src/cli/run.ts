/** `run`: the agent, until SIGTERM. Events on standard output, logs on standard error. */
import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { Agent } from "../agent/agent.ts";
import { ConfigurationError } from "../agent/configuration-error.ts";
import type { AgentOptions } from "../agent/options.ts";
import { KernelError } from "../kernel/error.ts";
import { parsePrefix } from "../net/prefix.ts";
import { ListenError, parseListenAddress } from "../telemetry/http-server.ts";
import { createLogger, type LogLevel, logLevels } from "../telemetry/log.ts";
import { type ClusterFlags, clusterFlags, readCluster } from "./cluster-flags.ts";
import { CliExit } from "./exit.ts";
import { MARK_MASK_DEFAULT, MARK_MASK_HELP, parseMarkMask } from "./mark-mask.ts";
import { readJudges } from "./offline.ts";
import { repeatable } from "./repeatable.ts";

interface RunFlags extends ClusterFlags {
  readonly dir: readonly string[];
  readonly vpc?: readonly string[];
  readonly nodeName?: string;
  readonly policyStatus?: boolean;
  readonly policyEvents?: boolean;
  readonly podRange?: readonly string[];
  readonly queue: string;
  readonly workers: string;
  readonly queueLength: string;
  readonly spin: string;
  readonly bridge?: readonly string[];
  readonly listen: string;
  readonly knpMetrics?: boolean;
  readonly markMask: string;
  readonly set: readonly string[];
  readonly evaluator: readonly string[];
  readonly logLevel: LogLevel;
}

const MAX_WORKERS = 64;
/** A name that matched no pod would enforce nothing: what can't be one is refused (an empty variable, a capital). */
const nodeNamePattern = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;

/** One CPU for traffic to each that judges. */
function defaultWorkers(): number {
  return Math.min(8, Math.max(1, availableParallelism() >> 1));
}

export function runCommand(): Command {
  return new Command("run")
    .description("enforce the policies of directories or of a cluster until SIGTERM (needs CAP_NET_ADMIN)")
    .addOption(repeatable("--dir <dir>", "directory of AWS JSON and Kubernetes YAML, watched for changes"))
    .addOption(clusterFlags.kubernetes)
    .addOption(clusterFlags.kubeconfig)
    .addOption(clusterFlags.context)
    .option("--policy-status", "tell in the status of policies whether they are accepted and programmed")
    .option("--policy-events", "make an event of each policy with an error")
    .addOption(repeatable("--vpc <id>", "of EC2, only this VPC, where several have the same addresses"))
    .addOption(
      repeatable("--pod-range <cidr>", "where this node's pods have their addresses, if its Node doesn't say it"),
    )
    .option("--node-name <name>", "of Kubernetes, enforce for the pods of this node alone, which is this machine")
    .option(
      "--queue <number>",
      "first of the NFQUEUE numbers: one to wait in, one for DNS, then one for each worker",
      "4720",
    )
    .option("--workers <number>", "threads that judge, each with a queue of its own", String(defaultWorkers()))
    .option("--queue-length <packets>", "packets that the kernel keeps waiting before the queue is full", "8192")
    .option(
      "--spin <microseconds>",
      "look this long for the next packet before sleeping, where it pays; 0: never",
      "50",
    )
    .addOption(
      repeatable(
        "--bridge <name>",
        "bridge whose inner traffic is filtered too; those that hold a managed subnet's address are found",
      ),
    )
    .option("--listen <host:port>", "address of /metrics, /readyz and /livez, or none", "127.0.0.1:9472")
    .option("--knp-metrics", "publish metrics under the names of kube-network-policies too")
    .option("--mark-mask <mask>", MARK_MASK_HELP, MARK_MASK_DEFAULT)
    .addOption(repeatable("--evaluator <module>", "your own evaluator, a JavaScript module"))
    .addOption(repeatable("--set <knob=value>", "a knob of README.md"))
    .addOption(new Option("--log-level <level>", "least severe log line").choices(logLevels).default("info"))
    .action(async (flags: RunFlags) => run(await readOptions(flags), flags.logLevel));
}

/** Every problem at once. Throws CliExit 2. */
async function readOptions(flags: RunFlags): Promise<AgentOptions> {
  const problems: string[] = [];
  const { knobs, modules } = await readJudges(flags, problems);
  const queue = Number(flags.queue);
  const workers = Number(flags.workers);
  if (!/^\d+$/.test(flags.workers) || workers < 1 || workers > MAX_WORKERS) {
    problems.push(`--workers ${flags.workers}: a number from 1 to ${MAX_WORKERS}`);
  }
  if (!/^\d+$/.test(flags.queue) || queue > 65535) problems.push(`--queue ${flags.queue}: a number from 0 to 65535`);
  else if (queue + workers + 2 > 65536)
    problems.push(`--queue ${flags.queue}: ${workers} workers need as many numbers and two more, up to 65535`);
  const queueLength = Number(flags.queueLength);
  if (!/^\d+$/.test(flags.queueLength) || queueLength < 1 || queueLength > 1 << 24) {
    problems.push(`--queue-length ${flags.queueLength}: a number of packets from 1 to 16777216`);
  }
  const spinMicroseconds = Number(flags.spin);
  if (!/^\d+$/.test(flags.spin) || spinMicroseconds > 1000) {
    problems.push(`--spin ${flags.spin}: a number of microseconds from 0 to 1000`);
  }
  const listen = flags.listen === "none" ? null : parseListenAddress(flags.listen);
  if (flags.listen !== "none" && listen === null) {
    problems.push(`--listen ${flags.listen}: HOST:PORT, such as 127.0.0.1:9472 or [::1]:9472, or none`);
  }
  const cluster = readCluster(flags);
  // Where the manifests of a node's agent put it.
  const nodeName = flags.nodeName ?? (cluster === null ? null : process.env.NODE_NAME || null);
  if (nodeName !== null && !nodeNamePattern.test(nodeName)) {
    problems.push(`--node-name ${JSON.stringify(nodeName)}: the name of a Node, as spec.nodeName of its pods has it`);
  }
  for (const flag of ["policyStatus", "policyEvents"] as const) {
    const name = flag === "policyStatus" ? "--policy-status" : "--policy-events";
    if (flags[flag] === true && cluster === null)
      problems.push(`${name}: only a cluster can be told; add --kubernetes`);
  }
  const mark = parseMarkMask(flags.markMask);
  if (typeof mark === "string") problems.push(mark);
  const podRanges = (flags.podRange ?? []).flatMap((text) => parsePrefix(text) ?? refusePrefix(text, problems));
  if (problems.length > 0 || typeof mark === "string") throw new CliExit(2, problems.join("\n"));
  return {
    directories: flags.dir,
    cluster,
    told: { conditions: flags.policyStatus === true, events: flags.policyEvents === true },
    vpcs: flags.vpc ?? [],
    nodeName,
    podRanges,
    queue,
    workers,
    queueLength,
    spinMicroseconds,
    bridges: flags.bridge ?? [],
    listen,
    knpMetrics: flags.knpMetrics === true,
    mark,
    knobs,
    modules,
  };
}

function refusePrefix(text: string, problems: string[]): readonly [] {
  problems.push(`--pod-range ${JSON.stringify(text)}: ADDRESS/LENGTH, such as 10.244.1.0/24`);
  return [];
}

async function run(options: AgentOptions, level: LogLevel): Promise<void> {
  const log = createLogger(level);
  let end: (fatal: string | null) => void = () => {};
  const ended = new Promise<string | null>((resolve) => {
    end = resolve;
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end(null));
  const agent = new Agent(options, log, {
    onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
    onFatal: (error, areRulesInForce) =>
      end(`${error.message}; ${areRulesInForce ? "the rules stay, and bypass applies" : rulesAreGone}`),
  });
  let isEnding = false;
  // A start that waits for a server waits no more.
  void ended.then(async () => {
    isEnding = true;
    await agent.cancelWaiting();
  });
  try {
    await agent.start();
  } catch (error) {
    if (isEnding) return;
    if (error instanceof ConfigurationError) throw new CliExit(2, error.message);
    if (isKernelError(error)) throw new CliExit(3, error.message);
    if (error instanceof ListenError) throw new CliExit(2, `--listen ${error.message}`);
    throw error;
  }
  const fatal = await ended;
  // What is in the kernel stays, so that nothing opens: no clean stop.
  if (fatal !== null) throw new CliExit(3, `enforcement ended: ${fatal}`);
  await agent.stop();
}

const rulesAreGone =
  "our rules aren't in force, so packets pass unjudged: stop what removes the table inet verdictd, and start again";

/** An error of the worker arrives as a copy: its class is lost, its code isn't. */
function isKernelError(error: unknown): error is KernelError {
  return error instanceof KernelError || (error instanceof Error && codeOf(error).startsWith("VERDICTD_"));
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
