/**
 * Who owns what the set-up makes. Under sudo it belongs to the user who called: steps run as that user where the user
 * can work in the checkout, and otherwise as root, with the result handed over afterwards.
 */
import { spawnSync } from "node:child_process";
import { existsSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isRoot } from "./host.mjs";

/** What git doesn't keep: everything that set-up, build and tests write into the checkout. */
const MADE = ["node_modules", "dist", "build", "coverage"];

/** The user behind sudo: `{ uid, gid, home }`, or null for root itself and for anybody else. */
function caller() {
  const uid = Number(process.env.SUDO_UID || 0);
  const gid = Number(process.env.SUDO_GID || 0);
  if (!isRoot() || !Number.isInteger(uid) || !Number.isInteger(gid) || uid <= 0) return null;
  const passwd = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8") : "";
  const entry = passwd.split("\n").find((line) => line.split(":")[2] === String(uid));
  return { uid, gid, home: entry ? entry.split(":")[5] : null };
}

/** Runs a command in the checkout, its output shown; true where it went well. */
export function run(root, command, args) {
  const user = caller();
  const asUser = user !== null && canWork(root, user);
  if (asUser) giveBack(root);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: environment(user, asUser),
    ...(asUser ? { uid: user.uid, gid: user.gid } : {}),
  });
  if (result.error) process.stderr.write(`${command}: ${result.error.message}\n`);
  if (!asUser) giveBack(root);
  return result.status === 0;
}

/** Hands what root owns among the made directories to the caller. */
export function giveBack(root) {
  const user = caller();
  if (user === null) return;
  for (const name of MADE) if (existsSync(join(root, name))) giveBackTree(join(root, name), user);
}

function giveBackTree(path, user) {
  const stat = lstatSync(path);
  if (stat.uid === 0) lchownSync(path, user.uid, user.gid);
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveBackTree(join(path, name), user);
}

/** Whether the user owns the checkout and a home for npm's cache, and can run this Node (it may live in root's home). */
function canWork(root, user) {
  if (![root, user.home].every((path) => path && existsSync(path) && statSync(path).uid === user.uid)) return false;
  const { uid, gid } = user;
  return spawnSync(process.execPath, ["-e", "0"], { cwd: root, uid, gid, stdio: "ignore" }).status === 0;
}

/**
 * An outer `npm start` hands its own settings down, among them places in root's home that the user can't write; the
 * user's own npm finds its own. As root npm must not leave its cache or logs in the user's home.
 */
function environment(user, asUser) {
  const env = { ...process.env };
  for (const name of Object.keys(env))
    if (/^npm_(package|lifecycle|node|command|execpath)/.test(name)) delete env[name];
  if (user === null) return env;
  for (const name of [
    "cache",
    "userconfig",
    "prefix",
    "global_prefix",
    "local_prefix",
    "globalconfig",
    "init_module",
  ]) {
    delete env[`npm_config_${name}`];
  }
  env.HOME = asUser ? user.home : "/root";
  return env;
}
