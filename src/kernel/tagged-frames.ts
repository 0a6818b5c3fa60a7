/**
 * Whether bridges hand VLAN-tagged and PPPoE frames to netfilter too, which the kernel leaves out by default: a receiver
 * takes the packet from a frame tagged with VLAN 0 as if there were no tag. The switches are the network namespace's
 * and count for the bridges that are filtered. Under /proc, which shows each process its own namespace; a container sees
 * that read-only, and may be given the same to write to below /host.
 *
 * Source: net/bridge/br_netfilter_hooks.c, Documentation/networking/ip-sysctl.rst.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { KernelError } from "./error.ts";
import type { SwitchMemory } from "./switch-memory.ts";

const DIRECTORY = "/proc/sys/net/bridge";
const WRITABLE_DIRECTORY = `/host${DIRECTORY}`;
const switches = ["bridge-nf-filter-vlan-tagged", "bridge-nf-filter-pppoe-tagged"] as const;
type Switch = (typeof switches)[number];

export class TaggedFrames {
  readonly #memory: SwitchMemory;

  constructor(memory: SwitchMemory) {
    this.#memory = memory;
  }

  /** Switches them on. Throws KernelError where that isn't possible. */
  filter(): void {
    for (const name of switches) {
      const value = read(name);
      if (value === "1") continue;
      this.#memory.remember(name, value);
      write(name, "1");
    }
  }

  /** Whether they are on. */
  areFiltered(): boolean {
    return switches.every((name) => read(name) === "1");
  }

  /** Puts them back. Nothing happens where `filter` changed nothing. */
  restore(): void {
    for (const name of switches) {
      const value = this.#memory.before(name);
      if (value === null) continue;
      write(name, value);
      this.#memory.forget(name);
    }
  }
}

function read(name: Switch): string {
  return attempt(name, () => readFileSync(`${DIRECTORY}/${name}`, "utf8").trim());
}

function write(name: Switch, value: string): void {
  const directory = existsSync(WRITABLE_DIRECTORY) ? WRITABLE_DIRECTORY : DIRECTORY;
  attempt(name, () => writeFileSync(`${directory}/${name}`, value));
}

function attempt<T>(name: Switch, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { errno = 0, message } = error as NodeJS.ErrnoException;
    throw new KernelError(
      "VERDICTD_TAGGED_FRAMES",
      `filter tagged frames on bridges`,
      Math.abs(errno),
      `${message} (allow verdictd to write ${DIRECTORY}; in a container, mount the host's /proc/sys/net at /host/proc/sys/net; or run there: sysctl -w net.bridge.${name}=1)`,
      { cause: error },
    );
  }
}
