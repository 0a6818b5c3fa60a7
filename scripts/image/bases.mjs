/** Two images' file trees without a registry: Debian with nftables, and the same with a compiler, Node and npm. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findCommand } from "../host.mjs";
import { hashOf } from "../stamp.mjs";

const MIRROR = "http://deb.debian.org/debian";
const RELEASE = "bookworm";

/** Runs a command to its end. Throws with its outputs where it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", timeout: 600_000, maxBuffer: 64 << 20, ...options });
  if (result.status === 0) return result.stdout.trim();
  const why = result.error?.message ?? result.status;
  throw new Error(`${command} ${args.join(" ")}: ${why}\n${result.stdout}${result.stderr}`);
}

/** Their paths in `folder`; one that is there already, and has the packages of the lock file, stays. */
export function makeBases(root, folder) {
  const [base, build] = [
    join(folder, "base"),
    join(folder, `build-${hashOf(root, ["package-lock.json"]).slice(0, 12)}`),
  ];
  mkdirSync(folder, { recursive: true });
  if (!existsSync(`${base}.tar`)) {
    rmSync(base, { recursive: true, force: true });
    run("debootstrap", ["--variant=minbase", "--include=nftables,netbase,ca-certificates", RELEASE, base, MIRROR]);
    pack(base, ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*"]);
  }
  const tars = { base: `${base}.tar`, build: `${build}.tar` };
  if (existsSync(tars.build)) return tars;
  rmSync(build, { recursive: true, force: true });
  run("cp", ["-a", base, build]);
  const packages = ["g++", "libc6-dev", "libcap2-bin"];
  run("chroot", [build, "apt-get", "install", "-y", "--no-install-recommends", ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  addNode(build);
  fillCache(root, join(build, "root/.npm"));
  pack(build);
  return tars;
}

function pack(folder, options = []) {
  run("tar", ["-C", folder, ...options, "-cf", `${folder}.tar`, "."]);
}

/** This machine's, as official images have it. */
function addNode(folder) {
  cpSync(process.execPath, join(folder, "usr/local/bin/node"));
  const npm = dirname(dirname(run("readlink", ["-f", findCommand("npm")])));
  cpSync(npm, join(folder, "usr/local/lib/node_modules/npm"), { recursive: true });
  run("ln", ["-s", "../lib/node_modules/npm/bin/npm-cli.js", join(folder, "usr/local/bin/npm")]);
}

/** The namespace that images are built in has no way out: npm finds what it needs in its cache. */
function fillCache(root, cache) {
  const folder = mkdtempSync(join(tmpdir(), `vd${process.pid}-npm-`));
  try {
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(root, file), join(folder, file));
    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
