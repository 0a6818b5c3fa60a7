/**
 * The `nft` program: applies text as one transaction, and lists what is there. For structure alone; what changes often
 * goes through raw netlink, which is a thousand times faster. No shell, and no text from outside: see ruleset.ts.
 */
import { spawn } from "node:child_process";
import { KernelError } from "./error.ts";

const TIMEOUT_MS = 30_000;

/** Applies the text, all of it or nothing. `check` stops before the change. Throws KernelError with nft's line. */
export async function applyRuleset(text: string, mode: "apply" | "check" = "apply"): Promise<void> {
  await runNft([...(mode === "check" ? ["-c"] : []), "-f", "-"], text, `nft -f (${text.split("\n").length} lines)`);
}

/** The objects that `nft -j -t list KIND` names in all tables of all families; of sets not what is in them. */
export async function listObjects(kind: "chains" | "sets" | "counters"): Promise<readonly NftObject[]> {
  const output = await runNft(["-j", "-t", "list", kind], "", `nft list ${kind}`);
  const { nftables } = JSON.parse(output) as { nftables: readonly Record<string, NftObject>[] };
  return nftables.map((entry) => entry[kind.slice(0, -1)]).filter((object) => object !== undefined);
}

/**
 * The `ct timeout` objects of a table of the family `inet`, which must be there. Asked with the whole table, elements
 * aside: nft 1.0.6 crashes where it's asked for them alone.
 */
export async function listTimeouts(table: string): Promise<readonly NftObject[]> {
  const output = await runNft(["-j", "-t", "list", "table", "inet", table], "", "nft list table");
  const { nftables } = JSON.parse(output) as { nftables: readonly Record<string, NftObject>[] };
  return nftables.map((entry) => entry["ct timeout"]).filter((object) => object !== undefined);
}

/** What we read of a chain, set, counter or timeout. */
export interface NftObject {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly packets?: number;
  readonly bytes?: number;
}

/** `1.0.6`, or null where nft isn't installed. */
export async function nftVersion(): Promise<string | null> {
  try {
    return /v(\d+(\.\d+)+)/.exec(await runNft(["--version"], "", "nft --version"))?.[1] ?? null;
  } catch {
    return null;
  }
}

function runNft(args: readonly string[], input: string, operation: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // Detached: a Ctrl-C at the terminal is ours to answer, and must not end a transaction that we need for it.
    const env = { ...process.env, LC_ALL: "C" };
    const child = spawn("nft", args, { stdio: "pipe", timeout: TIMEOUT_MS, env, detached: true });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // nft may end, with an error, before it has read everything; its own words say why.
    child.stdin.on("error", () => {});
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === "ENOENT" ? "nft isn't installed (run: sudo apt-get install nftables)" : cause.message;
      reject(new KernelError("VERDICTD_NFT", operation, -(cause.errno ?? 0), message, { cause }));
    });
    child.on("close", (status, signal) => {
      if (status === 0) return resolve(Buffer.concat(stdout).toString());
      const text = Buffer.concat(stderr).toString().trim();
      const code = /Operation not permitted|must be root/.test(text) ? "VERDICTD_NO_PRIVILEGE" : "VERDICTD_NFT";
      const words = text === "" ? `nft ended with ${signal ?? status}` : text;
      return reject(new KernelError(code, operation, 0, withSourceLine(words, input)));
    });
    child.stdin.end(input);
  });
}

/** nft's first complaint, with the line of the text that it's about. */
function withSourceLine(complaint: string, input: string): string {
  const first = complaint.split("\n")[0] ?? complaint;
  const line = Number(/^[^:]*:(\d+):/.exec(first)?.[1] ?? 0);
  const source = input.split("\n")[line - 1]?.trim();
  return source === undefined || source === "" ? first : `${first} in \`${source}\``;
}
