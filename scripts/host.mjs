/**
 * What the machine must bring along: Linux, a Node that can run us, a C++ compiler. Each thing that is missing is told
 * in one sentence, with exit code 3. Imported first by every script, and parseable by Nodes that are too old.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (process.platform !== "linux") refuse(`verdictd needs Linux (NFQUEUE); this is ${process.platform}.`);
if (major < 20 || (major === 20 && minor < 19)) {
  refuse(`verdictd needs Node 20.19 or newer; this is ${process.version}: see https://nodejs.org/en/download.`);
}

/** Says why and ends the process with exit code 3: this machine can't do it. */
export function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(3);
}

/** Ends the process where there is no C++ compiler. */
export function requireCompiler() {
  if (findCommand(process.env.CXX || "g++")) return;
  refuse("The native addon needs a C++ compiler: apt-get install g++ (or name yours in CXX).");
}

/** The path of a command, also in the directories of root's tools that a user's PATH leaves out; null without one. */
export function findCommand(name) {
  if (name.includes("/")) return existsSync(name) ? name : null;
  const directories = [...(process.env.PATH || "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, name)).find(existsSync) || null;
}

export function isRoot() {
  return process.getuid() === 0;
}
