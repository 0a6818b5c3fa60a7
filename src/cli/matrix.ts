/** `matrix`: who reaches whom, as a table, as JSON or as a page. Offline. */
import { writeFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { Command } from "commander";
import { buildMatrix, type Matrix, TooManyFlows } from "../engine/matrix/matrix.ts";
import { maxHtmlCells, renderMatrixHtml } from "../engine/matrix/render-matrix-html.ts";
import { renderMatrixJson } from "../engine/matrix/render-matrix-json.ts";
import { renderMatrixText } from "../engine/matrix/render-matrix-text.ts";
import { EndpointNames } from "../engine/render-explain-names.ts";
import { clusterFlags, readCluster } from "./cluster-flags.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { ChunkedOutput } from "./explain/chunked-output.ts";
import { readServices } from "./matrix/read-services.ts";
import { compileOffline, loadOffline, type PolicyFlags, readJudges } from "./offline.ts";
import { repeatable } from "./repeatable.ts";

/** Where it writes; a test's own in tests. */
export interface OfflineStreams {
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable;
}

interface MatrixFlags extends PolicyFlags {
  readonly protocol: readonly string[];
  readonly port: readonly string[];
  readonly json?: boolean;
  readonly html?: string;
}

export function matrixCommand(streams: OfflineStreams = process): Command {
  return new Command("matrix")
    .description("who reaches whom, and who closes the rest: a table, JSON or a page")
    .addOption(repeatable("--dir <dir>", "directory of AWS JSON and Kubernetes YAML"))
    .addOption(clusterFlags.kubernetes)
    .addOption(clusterFlags.kubeconfig)
    .addOption(clusterFlags.context)
    .addOption(repeatable("--protocol <protocol>", "only this protocol"))
    .addOption(repeatable("--port <port>", "only this port, instead of all that policies and pods mention"))
    .addOption(repeatable("--evaluator <module>", "your own evaluator, a JavaScript module"))
    .addOption(repeatable("--set <knob=value>", "a knob of README.md"))
    .option("--json", "one JSON document: groups of endpoints, and every flow with its reason")
    .option("--html <file>", "write a page that needs nothing else")
    .action((flags: MatrixFlags) => matrix(flags, streams));
}

async function matrix(flags: MatrixFlags, { stdout, stderr }: OfflineStreams): Promise<void> {
  const problems: string[] = [];
  const judges = await readJudges(flags, problems);
  const services = readServices(flags.protocol, flags.port, problems);
  if (problems.length > 0) throw new CliExit(2, problems.join("\n"));
  const inventory = await loadOffline({ directories: flags.dir, cluster: readCluster(flags) }, stderr);
  const program = compileOffline(inventory, judges);
  let built: Matrix;
  try {
    built = buildMatrix(inventory, program, services);
  } catch (error) {
    if (!(error instanceof TooManyFlows)) throw error;
    throw new CliExit(2, `${error.message}; choose some with --port and --protocol`);
  }
  if (flags.html !== undefined) {
    const cells = built.groups.length * built.columns.length;
    if (cells > maxHtmlCells) {
      throw new CliExit(
        2,
        `--html: ${cells} cells are more than a browser likes; choose some with --port and --protocol`,
      );
    }
    try {
      writeFileSync(flags.html, renderMatrixHtml(built, new EndpointNames(inventory), flags.dir));
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      throw new CliExit(2, `--html ${flags.html}: ${error.message}`);
    }
  }
  const output = new ChunkedOutput(stdout);
  if (flags.json === true) {
    for (const piece of renderMatrixJson(built)) {
      output.write(piece);
      await output.flush();
      if (output.isClosed) break;
    }
  } else if (flags.html === undefined) {
    const width = stdout.isTTY === true ? (stdout.columns ?? 100) : 160;
    output.write(renderMatrixText(built, styleFor(stdout, process.env), width));
  } else output.write(`${flags.html}\n`);
  await output.end();
}
