/** Commands as users call them: directories, flags and streams in; lines and exit codes out. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { Command } from "commander";
import { CliExit } from "../../src/cli/exit.ts";
import type { OfflineStreams } from "../../src/cli/matrix.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCommand(make: (streams: OfflineStreams) => Command, ...args: string[]): Promise<Outcome> {
  const texts = { stdout: "", stderr: "" };
  const stream = (key: keyof typeof texts): Writable =>
    new Writable({
      write(chunk, _encoding, callback) {
        texts[key] += String(chunk);
        callback();
      },
    });
  const command = make({ stdout: stream("stdout"), stderr: stream("stderr") }).exitOverride();
  try {
    await command.parseAsync(args, { from: "user" });
    return { code: 0, ...texts };
  } catch (error) {
    if (!(error instanceof CliExit)) throw error;
    return { code: error.code, stdout: texts.stdout, stderr: `${texts.stderr}${error.message}` };
  }
}

/** Folders with files, by path; removed by `remove`. */
export function makeFolders(folders: Readonly<Record<string, Readonly<Record<string, unknown>>>>): {
  readonly root: string;
  readonly remove: () => void;
} {
  const root = mkdtempSync(join(tmpdir(), "verdictd-cli-"));
  for (const [folder, files] of Object.entries(folders)) {
    mkdirSync(join(root, folder));
    for (const [name, value] of Object.entries(files)) {
      writeFileSync(join(root, folder, name), typeof value === "string" ? value : JSON.stringify(value));
    }
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
