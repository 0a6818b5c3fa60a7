/**
 * Forwarding entries that don't age, for hardware addresses of managed endpoints on enforced bridges: a frame to an
 * address that the bridge has forgotten is flooded, and what is flooded is a clone that the queue loses. The entries
 * are the bridge's own, made static while we enforce; they follow an endpoint that moves to another port.
 */
import { KernelError } from "./error.ts";
import { type ForwardingEntry, listForwarding, setForwarding } from "./neighbours.ts";
import type { NetlinkClient } from "./netlink-client.ts";

export class ForwardingPins {
  readonly #client: NetlinkClient;
  /** What we made static, by bridge, VLAN and hardware address. */
  readonly #pinned = new Map<string, ForwardingEntry>();

  /** The client speaks NETLINK_ROUTE and stays its owner's to close. */
  constructor(client: NetlinkClient) {
    this.#client = client;
  }

  /** Pins what these addresses have learned on these bridges, and lets go of the rest. Blocks. */
  pin(macs: ReadonlySet<string>, bridges: readonly number[], forwarding: readonly ForwardingEntry[]): void {
    const wanted = new Set<string>();
    for (const entry of forwarding) {
      if (!bridges.includes(entry.bridgeIndex) || !macs.has(entry.mac)) continue;
      wanted.add(keyOf(entry));
      if (entry.kind === "learned" && this.#set(entry, "static")) this.#pinned.set(keyOf(entry), entry);
    }
    this.#release((key) => !wanted.has(key), forwarding);
  }

  /** Lets all of them age again. */
  restore(): void {
    if (this.#pinned.size > 0) this.#release(() => true, listForwarding(this.#client));
  }

  /** Where it is now: it may have moved, or gone with its port. */
  #release(matches: (key: string) => boolean, forwarding: readonly ForwardingEntry[]): void {
    const now = new Map(forwarding.map((entry) => [keyOf(entry), entry]));
    for (const key of [...this.#pinned.keys()].filter(matches)) {
      this.#pinned.delete(key);
      const entry = now.get(key);
      if (entry?.kind === "static") this.#set(entry, "learned");
    }
  }

  /** False where the port has gone meanwhile. */
  #set(entry: ForwardingEntry, kind: "static" | "learned"): boolean {
    try {
      setForwarding(this.#client, entry, kind);
      return true;
    } catch (error) {
      if (error instanceof KernelError && error.code === "VERDICTD_NETLINK") return false;
      throw error;
    }
  }
}

function keyOf({ bridgeIndex, mac, vlan }: ForwardingEntry): string {
  return `${bridgeIndex} ${mac} ${vlan ?? ""}`;
}
