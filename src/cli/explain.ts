/**
 * `explain`: the verdict of one flow or of a file of them, with who decided and how. Offline: it reads policies, and
 * neither needs nor touches a kernel.
 */
import { createReadStream } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { Command, Option } from "commander";
import type { FlowError } from "../engine/flow-request.ts";
import { formatFinding } from "../model/finding.ts";
import { hasPorts, isIcmp, parseProtocol } from "../net/protocol.ts";
import { loadInventory } from "../sources/load-inventory.ts";
import { clusterFlags, readCluster } from "./cluster-flags.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { ChunkedOutput } from "./explain/chunked-output.ts";
import { Expectations } from "./explain/expectations.ts";
import { readLines } from "./explain/flow-lines.ts";
import { FlowJudge, wordsOf } from "./explain/judge-flows.ts";
import { compileOffline, type Judges, type PolicyFlags, readJudges } from "./offline.ts";
import { repeatable } from "./repeatable.ts";

/** Where it reads and writes; a test's own in tests. */
export interface ExplainStreams {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

interface ExplainFlags extends PolicyFlags {
  readonly vpc?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: string;
  readonly port?: string;
  readonly sourcePort?: string;
  readonly icmpType?: string;
  readonly icmpCode?: string;
  readonly via?: string;
  readonly flows?: string;
  readonly json?: boolean;
  readonly trace: boolean;
  readonly expect?: string;
}

/** What belongs to a single flow: its key, and the last number where the value is one. */
const flowKeys = {
  from: null,
  to: null,
  protocol: null,
  port: 65535,
  sourcePort: 65535,
  icmpType: 255,
  icmpCode: 255,
  via: null,
} as const;
/** Whether a protocol has no such field. */
const foreignTo = {
  port: (protocol: number) => !hasPorts(protocol),
  sourcePort: (protocol: number) => !hasPorts(protocol),
  icmpType: (protocol: number) => !isIcmp(protocol),
  icmpCode: (protocol: number) => !isIcmp(protocol),
} as const;
type FlowKey = keyof typeof flowKeys;

export function explainCommand(streams: ExplainStreams = process): Command {
  return new Command("explain")
    .description("the verdict of a flow, who decided it and why; or of many flows")
    .addOption(repeatable("--dir <dir>", "directory of AWS JSON and Kubernetes YAML"))
    .addOption(clusterFlags.kubernetes)
    .addOption(clusterFlags.kubeconfig)
    .addOption(clusterFlags.context)
    .addOption(repeatable("--vpc <id>", "of EC2, only this VPC, where several have the same addresses"))
    .option("--from <endpoint>", "source: an address, i-…, eni-…, namespace/name or Kind:namespace/name")
    .option("--to <endpoint>", "destination, named the same way")
    .option("--protocol <protocol>", "tcp, udp, sctp, icmp, icmpv6 or a number (default: tcp)")
    .option("--port <port>", "destination port")
    .option("--source-port <port>", "source port, which only the answer meets (default: 49152)")
    .option("--icmp-type <type>", "ICMP type (default: echo request)")
    .option("--icmp-code <code>", "ICMP code (default: 0)")
    .addOption(new Option("--via <way>", "the flow went through a Service").choices(["service"]))
    .option("--flows <file>", "one flow a line as JSON, {from, to, protocol, port, …}; - is standard input")
    .addOption(repeatable("--evaluator <module>", "your own evaluator, a JavaScript module"))
    .addOption(repeatable("--set <knob=value>", "a knob of README.md"))
    .option("--json", "one line of JSON for each flow")
    .option("--no-trace", "only the decision, not every answer on the way")
    .addOption(new Option("--expect <verdict>", "exit with 1 where the verdict is another").choices(["accept", "deny"]))
    .action((flags: ExplainFlags) => explain(flags, streams));
}

async function explain(flags: ExplainFlags, { stdin, stdout, stderr }: ExplainStreams): Promise<void> {
  const judges = await checkFlags(flags);
  const { inventory, errors } = await loadInventory({
    directories: flags.dir,
    vpcs: flags.vpc ?? [],
    cluster: readCluster(flags),
  });
  for (const finding of inventory.findings) stderr.write(`${formatFinding(finding)}\n`);
  if (errors.length > 0) throw new CliExit(2, errors.map((e) => `${e.file}: ${e.message}`).join("\n"));

  const expectations = new Expectations(flags.expect ?? null);
  const judge = new FlowJudge(inventory, compileOffline(inventory, judges), expectations, {
    isJson: flags.json === true,
    withTrace: flags.trace,
    style: styleFor(stdout, process.env),
  });
  const output = new ChunkedOutput(stdout);
  if (flags.flows === undefined) {
    output.write(judge.judge(singleFlow(flags), null));
    if (judge.lastError !== null && flags.json !== true) throw new CliExit(2, nameFlag(judge.lastError, flags));
  } else await judgeFile(flags.flows, stdin, judge, output);
  await output.end();

  if (judge.errorCount > 0) {
    const count = judge.errorCount === 1 ? "a flow" : `${judge.errorCount} flows`;
    throw new CliExit(
      2,
      flags.flows === undefined ? "" : `${count} couldn't be judged\n${expectations.describe()}`.trim(),
    );
  }
  if (!expectations.isMet) throw new CliExit(1, expectations.describe());
}

async function judgeFile(file: string, stdin: Readable, judge: FlowJudge, output: ChunkedOutput): Promise<void> {
  const stream = file === "-" ? stdin : createReadStream(file, { highWaterMark: 1 << 18 });
  stream.setEncoding("utf8");
  try {
    for await (const { lines, firstNumber } of readLines(stream)) {
      for (let i = 0; i < lines.length; i++) {
        const line = lines[i] as string;
        if (line !== "" && line.trim() !== "") output.write(judge.judgeLine(line, firstNumber + i));
      }
      await output.flush();
      if (output.isClosed) return;
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && "syscall" in error)) throw error;
    await output.end();
    const why = flowsFailures[String(error.code)] ?? `it can't be read (${error.code})`;
    throw new CliExit(2, `--flows ${file}: ${why}; name a file with one flow a line, or - for standard input`);
  }
}

const flowsFailures: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "that is a directory",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
};

/** Every problem at once. Throws CliExit 2. */
async function checkFlags(flags: ExplainFlags): Promise<Judges> {
  const problems: string[] = [];
  const judges = await readJudges(flags, problems);
  const given = (Object.keys(flowKeys) as FlowKey[]).filter((key) => flags[key] !== undefined);
  if (flags.flows !== undefined) {
    if (given.length > 0) problems.push(`--flows brings its own flows: leave out ${given.map(flagOf).join(", ")}`);
  } else {
    for (const key of ["from", "to"] as const) {
      if (flags[key] === undefined) problems.push(`${flagOf(key)}: name an endpoint, or a file of flows with --flows`);
    }
  }
  for (const key of given) {
    const value = flags[key] ?? "";
    const last = flowKeys[key];
    if (last === null || (/^\d+$/.test(value) && Number(value) <= last)) continue;
    problems.push(`${flagOf(key)} ${value}: a whole number from 0 to ${last}`);
  }
  const protocol = parseProtocol(flags.protocol ?? "tcp");
  for (const key of given) {
    // A number or a name that is none is reported where it's read.
    if (protocol === null || !(key in foreignTo) || !foreignTo[key as keyof typeof foreignTo](protocol)) continue;
    problems.push(`${flagOf(key)} ${flags[key]}: ${flags.protocol ?? "tcp"} has none; leave it out`);
  }
  if (problems.length > 0) throw new CliExit(2, problems.join("\n"));
  return judges;
}

function singleFlow(flags: ExplainFlags): Partial<Record<FlowKey, string | number>> {
  const flow: Partial<Record<FlowKey, string | number>> = {};
  for (const key of Object.keys(flowKeys) as FlowKey[]) {
    const value = flags[key];
    if (value !== undefined) flow[key] = flowKeys[key] === null ? value : Number(value);
  }
  return flow;
}

/** `--from b/oter: …`, without the value where the sentence has it. */
function nameFlag(error: FlowError, flags: ExplainFlags): string {
  const words = wordsOf(error);
  if (error.field === null) return words;
  const value = flags[error.field as FlowKey];
  const shown = value === undefined || words.includes(value) ? "" : ` ${value}`;
  return `${flagOf(error.field as FlowKey)}${shown}: ${words}`;
}

function flagOf(key: FlowKey): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
