/**
 * Runs the last step of a script and hands on its exit code. Signals go on to it, and it doesn't outlive us: neither
 * where we are killed, nor where npm is that started us.
 */
import { spawn } from "node:child_process";
import { findCommand } from "./host.mjs";

/** Who started this script; process 1, or another reaper, takes its place when it dies. */
const parent = process.ppid;
const WATCH_MS = 250;

/** `onExit` runs before the exit code is set. */
export function supervise(command, args, options, onExit) {
  // A parent that is killed can't pass anything on: the kernel tells the child instead.
  const setpriv = findCommand("setpriv");
  const argv = setpriv ? [setpriv, "--pdeathsig", "TERM", "--", command, ...args] : [command, ...args];
  const child = spawn(argv[0], argv.slice(1), { stdio: "inherit", ...options });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  const watch = setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, WATCH_MS);
  child.on("error", (error) => process.stderr.write(`${argv[0]}: ${error.message}\n`));
  child.on("close", (code) => {
    clearInterval(watch);
    onExit();
    process.exitCode = code ?? 1;
  });
}
