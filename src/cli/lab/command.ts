/**
 * Runs a program to its end, with an argument array and never through a shell. In a session of its own: a Ctrl-C meets
 * the demo alone, and what it has begun ends in order.
 */
import { spawn } from "node:child_process";

export interface CommandOptions {
  /** Its standard input; nothing without. */
  readonly input?: string;
  /** Kills it. */
  readonly signal?: AbortSignal;
}

/** Throws with what the program said where it can't be started or ends with anything but 0. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { input = "", signal }: CommandOptions = {},
): Promise<string> {
  const child = spawn(command, args, { stdio: "pipe", detached: true, signal, killSignal: "SIGKILL" });
  // A program that ends before it has read everything says why by itself.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${complaint.trim() || `exit ${code}`}`);
  return output;
}
