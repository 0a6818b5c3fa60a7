/**
 * `demo`: a small data centre of network namespaces, `examples/` enforced in it for real, and what came of it on one
 * screen. Ends with 0 only where every packet did what the policy says; leaves nothing behind in any case.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { runDemo } from "./demo/run-demo.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { listenForSignals } from "./lab/interruption.ts";

const root = join(import.meta.dirname, "../..");

export function demoCommand(): Command {
  return new Command("demo")
    .description("build a lab of network namespaces, enforce examples/ in it, and show who reaches whom (needs root)")
    .action(demo);
}

async function demo(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new CliExit(3, "The demo makes network namespaces, which needs root: sudo npm start");
  }
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  removeLeftovers();
  const examples = mkdtempSync(join(tmpdir(), `verdictd-demo-${process.pid}-`));
  const interruption = listenForSignals();
  try {
    cpSync(join(root, "examples"), examples, { recursive: true });
    const isAsExpected = await runDemo({
      version,
      main: join(root, "dist/main.js"),
      examples,
      style: styleFor(process.stdout, process.env),
      print: (line) => process.stdout.write(`${line}\n`),
      signal: interruption.signal,
    });
    if (!isAsExpected) throw new CliExit(1, "Not everything was as expected.");
  } finally {
    rmSync(examples, { recursive: true, force: true });
    interruption.stop();
  }
}

/** Copies of the examples whose demo was killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^verdictd-demo-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
