/** Bridges come, go and are made anew while we run: those that carry managed traffic, or are named, stay filtered. */
import type { Firewall } from "../kernel/firewall.ts";
import type { AddressChange } from "../model/address-change.ts";
import type { Logger } from "../telemetry/log.ts";

export class BridgeKeeper {
  readonly #firewall: Firewall;
  readonly #named: readonly string[];
  readonly #log: Logger;
  #enforced: ReadonlySet<string> = new Set();
  /** An address left: perhaps the last one of some bridge. */
  #isStale = false;
  #missing: ReadonlySet<string> = new Set();
  #complaint = "";

  /** `named`: bridges to filter besides those that hold a managed subnet's address. */
  constructor(firewall: Firewall, named: readonly string[], log: Logger) {
    this.#firewall = firewall;
    this.#named = named;
    this.#log = log;
  }

  /** Filters inside the bridges of the managed addresses, and inside no other. Throws KernelError where that fails. */
  enforce(): void {
    const wanted = this.#firewall.bridgesCarrying(this.#named);
    const missing = new Set(this.#firewall.enforceBridges(wanted));
    for (const bridge of missing) {
      if (!this.#missing.has(bridge)) this.#log.warn({ bridge }, describeMissing(bridge));
    }
    for (const bridge of this.#missing) {
      if (!missing.has(bridge)) this.#log.info({ bridge }, "the bridge is there now, and filtered");
    }
    this.#missing = missing;
    this.#enforced = new Set(wanted);
    this.#isStale = false;
  }

  /** Other addresses are managed now: a bridge that one came to is filtered at once, one that the last left, later. */
  follow(managed: AddressChange): void {
    if (managed === "all") {
      this.enforce();
      return;
    }
    if (managed.removed.length > 0) this.#isStale = true;
    if (managed.added.length === 0) return;
    const carrying = this.#firewall.bridgesCarrying(this.#named, managed.added);
    if (carrying.some((bridge) => !this.#enforced.has(bridge))) this.enforce();
  }

  /** Enforces again where a bridge came, went or was changed. Cheap where none was; never throws. */
  check(): void {
    try {
      if (this.#isStale || !this.#firewall.areBridgesEnforced()) this.enforce();
      this.#complaint = "";
    } catch (error) {
      const complaint = error instanceof Error ? error.message : String(error);
      if (complaint !== this.#complaint) this.#log.error({ err: error }, "a bridge could not be filtered");
      this.#complaint = complaint;
    }
  }
}

function describeMissing(bridge: string): string {
  return (
    `no bridge is called ${bridge} in this network namespace: traffic between its ports isn't judged until there is ` +
    "one, which is looked for every second; if the name is wrong, correct --bridge (ip link show type bridge)"
  );
}
