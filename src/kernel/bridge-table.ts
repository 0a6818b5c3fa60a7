/**
 * The table `bridge verdictd` while it stands: asleep where no bridge is enforced, and told which ports aren't ours.
 * Where the kernel has no such tables, no bridge can be enforced.
 */
import { KernelError } from "./error.ts";
import type { Link } from "./links.ts";
import type { MessageBuilder, NetlinkClient } from "./netlink-client.ts";
import { hostUint32 } from "./netlink-message.ts";
import { rehearsal, replaceElements, switchTable } from "./nf-tables.ts";
import { type BridgeRules, renderBridgeTable } from "./ruleset-bridge.ts";
import type { TableState } from "./table-watch.ts";

const nothing: BridgeRules = { isOn: false, otherPorts: [] };

export class BridgeTable {
  readonly #client: NetlinkClient;
  #isSupported = false;
  #rules = nothing;

  /** The client speaks NETLINK_NETFILTER and stays its owner's to close. */
  constructor(client: NetlinkClient) {
    this.#client = client;
  }

  /** What the table is made from, as it is or should be now; the empty string where the kernel has no such tables. */
  render(): string {
    this.#isSupported ||= this.#client.tryRequest(rehearsal([switchTable("bridge", false)])).errors.length === 0;
    return this.#isSupported ? renderBridgeTable(this.#rules) : "";
  }

  /** Null where there is no table. */
  get state(): TableState | null {
    const { isOn, otherPorts } = this.#rules;
    return this.#isSupported ? { isOn, sets: new Map([["other_ports", otherPorts.length]]) } : null;
  }

  /** From now on frames between ports of these bridges (by index) are looked at, and no others. */
  enforce(
    bridges: readonly number[],
    links: readonly Link[],
    commit: (operation: string, messages: readonly MessageBuilder[]) => void,
  ): void {
    if (bridges.length > 0 && !this.#isSupported) {
      throw new KernelError(
        "VERDICTD_NO_BRIDGE_TABLE",
        "drop frames with stacked tags on bridges",
        0,
        "this kernel has no nftables tables of the family bridge (it was built without CONFIG_NF_TABLES_BRIDGE)",
      );
    }
    const before = this.#rules;
    const after = rulesFor(bridges, links);
    const isSamePorts = String(after.otherPorts) === String(before.otherPorts);
    commit("drop frames with stacked tags on bridges", [
      ...(isSamePorts
        ? []
        : replaceElements(
            "bridge",
            "other_ports",
            after.otherPorts.map((port) => hostUint32(port)),
          )),
      ...(after.isOn === before.isOn ? [] : [switchTable("bridge", after.isOn)]),
    ]);
    this.#rules = after;
  }

  /** Whether the ports are still those that it was told of. */
  isCurrent(bridges: readonly number[], links: readonly Link[]): boolean {
    return String(rulesFor(bridges, links).otherPorts) === String(this.#rules.otherPorts);
  }

  /** It's gone from the kernel. */
  forget(): void {
    this.#rules = nothing;
  }
}

function rulesFor(bridges: readonly number[], links: readonly Link[]): BridgeRules {
  if (bridges.length === 0) return nothing;
  const others = new Set(
    links.filter((l) => l.bridgeFilter !== null && !bridges.includes(l.index)).map((l) => l.index),
  );
  return { isOn: true, otherPorts: links.filter((link) => others.has(link.master)).map((link) => link.index) };
}
