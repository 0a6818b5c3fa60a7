/**
 * Takes what earlier runs left out of this network namespace: after `onStop=keep`, after a kill, before an uninstall.
 * Refuses where an agent runs, which would take it for damage.
 */
import { loadAddon } from "../kernel/addon-loader.ts";
import { KernelError } from "../kernel/error.ts";
import { type Leftovers, removeLeftovers } from "../kernel/leftovers.ts";
import { hasNetAdmin, noNetAdmin } from "../kernel/probe.ts";
import type { MarkLayout } from "../model/mark.ts";
import { NamespaceLock } from "./lock.ts";
import { NamesMemory } from "./names-memory.ts";
import { OwnersMemory } from "./owners-memory.ts";

/** `mark` is the layout of those runs. Throws KernelError where an agent runs, or the kernel refuses. */
export async function removeEverything(mark: MarkLayout): Promise<Leftovers> {
  if (!hasNetAdmin()) throw new KernelError("VERDICTD_NO_PRIVILEGE", "remove", 0, noNetAdmin);
  const lock = await NamespaceLock.acquire();
  try {
    const owners = new OwnersMemory();
    const leftovers = await removeLeftovers(loadAddon(), mark, owners.read() !== null);
    owners.clear();
    new NamesMemory().clear();
    return leftovers;
  } finally {
    await lock.release();
    NamespaceLock.removeDirectory();
  }
}
