/**
 * Our rules in the kernel may be taken away or changed by anybody with CAP_NET_ADMIN: `nft flush ruleset`, a restart
 * of the distribution's firewall. This notices, says so, and puts them back.
 */
import type { Firewall } from "../kernel/firewall.ts";
import { TABLE } from "../kernel/ruleset-config.ts";
import type { Logger } from "../telemetry/log.ts";

export class RulesGuard {
  readonly #firewall: Firewall;
  readonly #log: Logger;
  #isDamaged = false;
  #restoredCount = 0;

  /** The firewall is installed, and stays its owner's to remove. */
  constructor(firewall: Firewall, log: Logger) {
    this.#firewall = firewall;
    this.#log = log;
  }

  /** True from the moment that damage was noticed until it's repaired. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** How often the rules were put back. */
  get restoredCount(): number {
    return this.#restoredCount;
  }

  /** Asks the kernel whether our rules are in force. Rules that can't be read count as damaged. Never throws. */
  check(): boolean {
    if (this.#isDamaged) return false;
    let cause: { readonly err?: unknown } = {};
    try {
      if (this.#firewall.isIntact()) return true;
    } catch (error) {
      cause = { err: error };
    }
    this.#isDamaged = true;
    this.#log.error(cause, `somebody else removed or changed our rules (table ${TABLE}): they are put back at once`);
    return false;
  }

  /** Not while anything else changes the rules. Throws KernelError where they can't be made. */
  async restore(): Promise<void> {
    await this.#firewall.restore();
    this.#isDamaged = false;
    this.#restoredCount++;
    this.#log.warn({ restored: this.#restoredCount }, "our rules are back; packets passed unjudged in between");
  }
}
