/**
 * Network namespaces of a lab: named after this process, so that what a killed one left is known as such; all of them
 * go with `remove`, and with this process.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { runCommand } from "./command.ts";

const directory = "/run/netns";

/** Settings of a new namespace, before it has devices: addresses are usable at once, its bridges keep to themselves. */
export const quiet = [
  ["net/ipv6/conf/all/accept_dad", "0"],
  ["net/ipv6/conf/default/accept_dad", "0"],
  ["net/bridge/bridge-nf-call-iptables", "0"],
  ["net/bridge/bridge-nf-call-ip6tables", "0"],
] as const;

export class Namespaces {
  readonly #names: string[] = [];
  readonly #onExit = (): void => this.remove();

  /** Makes one, and returns its path, as `nsenter --net=` takes it. */
  async add(label: string): Promise<string> {
    if (this.#names.length === 0) process.on("exit", this.#onExit);
    const name = namespaceName(label);
    this.#names.push(name);
    await runCommand("ip", ["netns", "add", name]);
    return this.pathOf(label);
  }

  pathOf(label: string): string {
    return `${directory}/${namespaceName(label)}`;
  }

  /** May be called twice. */
  remove(): void {
    for (const name of this.#names.splice(0)) removeNamespace(name);
    process.off("exit", this.#onExit);
  }
}

/** As `ip -n` takes it. */
export function namespaceName(label: string): string {
  return `vd${process.pid}-${label}`;
}

/** Removes what a lab that was killed left: namespaces of our naming whose process is gone. Returns how many. */
export function removeLeftovers(): number {
  const leftovers = (existsSync(directory) ? readdirSync(directory) : []).filter((name) => {
    const pid = /^vd(\d+)-/.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
  for (const name of leftovers) removeNamespace(name);
  return leftovers.length;
}

function removeNamespace(name: string): void {
  if (existsSync(`${directory}/${name}`)) spawnSync("ip", ["netns", "delete", name], { stdio: "ignore" });
}
