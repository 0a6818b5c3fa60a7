/** What earlier runs left in this network namespace's kernel, and its way out. */
import type { MarkLayout } from "../model/mark.ts";
import type { Addon } from "./addon.ts";
import { Conntrack } from "./conntrack.ts";
import { Firewall } from "./firewall.ts";
import { hasTable } from "./rule-tables.ts";
import { SwitchMemory } from "./switch-memory.ts";

export interface Leftovers {
  readonly hadRules: boolean;
  /** Flags and sysctls of bridges, which are as they were again. */
  readonly switches: number;
  /** Flows whose marks had bits of ours. */
  readonly flows: number;
}

/**
 * Takes it all out; the marks are those of runs with this layout. Where neither our tables nor `isKnown` tell of a run,
 * the marks may be another program's, and the memory of switches another namespace's: they're left alone.
 */
export async function removeLeftovers(
  addon: Pick<Addon, "NetlinkSocket">,
  mark: MarkLayout,
  isKnown: boolean,
): Promise<Leftovers> {
  const hadRules = await hasTable();
  const wasRun = hadRules || isKnown;
  const memory = new SwitchMemory();
  if (!wasRun) memory.clear();
  const switches = memory.names().length;
  const firewall = new Firewall(addon);
  try {
    await firewall.remove();
  } finally {
    firewall.close();
  }
  if (!wasRun) return { hadRules, switches, flows: 0 };
  const conntrack = new Conntrack(addon);
  try {
    conntrack.useLayout(mark);
    return { hadRules, switches, flows: await conntrack.clearAll() };
  } finally {
    conntrack.close();
  }
}
