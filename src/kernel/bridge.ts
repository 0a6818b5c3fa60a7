/**
 * Traffic between two ports of one bridge: it passes the table only where the bridge hands its packets to netfilter.
 * That is switched on for the bridges that are enforced, and for no other, and put back afterwards. Through rtnetlink,
 * because sysfs shows another namespace to a process that changed its own.
 */
import { existsSync } from "node:fs";
import { KernelError } from "./error.ts";
import { type BridgeFilter, findLink, IFINFOMSG_LENGTH, listLinks } from "./links.ts";
import type { NetlinkClient } from "./netlink-client.ts";
import {
  concatBytes,
  encodeMessage,
  encodeNested,
  encodeString,
  encodeUint8,
  hostUint32,
  NetlinkFlag,
} from "./netlink-message.ts";
import type { SwitchMemory } from "./switch-memory.ts";
import { TaggedFrames } from "./tagged-frames.ts";

const RTM_NEWLINK = 16;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BR_NF_CALL_IPTABLES = 36;
const IFLA_BR_NF_CALL_IP6TABLES = 37;
const ENODEV = 19;

export class Bridges {
  readonly #client: NetlinkClient;
  /** What each bridge had before it was switched on, by index: a name may be given to another bridge meanwhile. */
  readonly #before = new Map<number, { readonly key: string; readonly filter: BridgeFilter }>();

  /** The index of each bridge that was to be enforced last; null for a name that no bridge had. */
  readonly #asked = new Map<string, number | null>();

  readonly #memory: SwitchMemory;
  readonly #tagged: TaggedFrames;

  /** The client speaks NETLINK_ROUTE and stays its owner's to close. */
  constructor(client: NetlinkClient, memory: SwitchMemory) {
    this.#client = client;
    this.#memory = memory;
    this.#tagged = new TaggedFrames(memory);
  }

  /**
   * Enforces exactly these bridges: switches them on, and puts back those that are named no longer. A name that no
   * bridge has is returned, not thrown: the bridge may come later.
   */
  enforce(names: readonly string[]): readonly string[] {
    if (names.length > 0 && !hasBridgeNetfilter()) {
      throw new KernelError(
        "VERDICTD_NO_BRIDGE_NETFILTER",
        `enforce bridge ${names.join(", ")}`,
        0,
        "this kernel doesn't filter bridged packets yet (run: sudo modprobe br_netfilter)",
      );
    }
    const bridges = listLinks(this.#client).filter((link) => link.bridgeFilter !== null);
    const wanted = bridges.filter((link) => names.includes(link.name));
    if (wanted.length > 0) this.#tagged.filter();
    for (const { index, name, bridgeFilter } of wanted) {
      if (!this.#before.has(index) && bridgeFilter !== null) this.#remember(index, name, bridgeFilter);
      this.#set(index, { ipv4: true, ipv6: true });
    }
    for (const index of [...this.#before.keys()]) {
      if (!wanted.some((link) => link.index === index)) this.#putBack(index);
    }
    this.#putBackLeftovers();
    if (wanted.length === 0) this.#tagged.restore();
    this.#asked.clear();
    for (const name of names) this.#asked.set(name, wanted.find((link) => link.name === name)?.index ?? null);
    return names.filter((name) => this.#asked.get(name) === null);
  }

  /** Indexes of the bridges that are enforced. */
  get enforced(): readonly number[] {
    return [...this.#before.keys()];
  }

  /** Whether the bridges that were to be enforced are those that are there, and still filter. */
  areEnforced(): boolean {
    if (this.#before.size > 0 && !this.#tagged.areFiltered()) return false;
    return [...this.#asked].every(([name, index]) => {
      const link = findLink(this.#client, name);
      if (link === null || link.bridgeFilter === null) return index === null;
      return link.index === index && link.bridgeFilter.ipv4 && link.bridgeFilter.ipv6;
    });
  }

  /** Puts every bridge back as it was. */
  restore(): void {
    try {
      for (const index of [...this.#before.keys()]) this.#putBack(index);
      this.#putBackLeftovers();
    } finally {
      this.#tagged.restore();
    }
  }

  /** What a killed run found counts, not what it left. */
  #remember(index: number, name: string, found: BridgeFilter): void {
    const key = `bridge ${index} ${name}`;
    this.#memory.remember(key, `${Number(found.ipv4)}${Number(found.ipv6)}`);
    const before = this.#memory.before(key) ?? "";
    this.#before.set(index, { key, filter: { ipv4: before[0] === "1", ipv6: before[1] === "1" } });
  }

  /** What a killed run switched and this one doesn't want. */
  #putBackLeftovers(): void {
    for (const key of this.#memory.names()) {
      const index = Number(/^bridge (\d+) /.exec(key)?.[1] ?? Number.NaN);
      if (Number.isNaN(index) || this.#before.has(index)) continue;
      const before = this.#memory.before(key) ?? "";
      this.#before.set(index, { key, filter: { ipv4: before[0] === "1", ipv6: before[1] === "1" } });
      this.#putBack(index);
    }
  }

  #putBack(index: number): void {
    const before = this.#before.get(index);
    this.#before.delete(index);
    if (before === undefined) return;
    this.#memory.forget(before.key);
    try {
      this.#set(index, before.filter);
    } catch (error) {
      // The bridge itself may be gone.
      if (!(error instanceof KernelError && error.errno === ENODEV)) throw error;
    }
  }

  #set(index: number, { ipv4, ipv6 }: BridgeFilter): void {
    const header = concatBytes([new Uint8Array(4), hostUint32(index, 0, 0)]);
    if (header.length !== IFINFOMSG_LENGTH) throw new RangeError("struct ifinfomsg");
    const info = encodeNested(
      IFLA_LINKINFO,
      encodeString(IFLA_INFO_KIND, "bridge"),
      encodeNested(
        IFLA_INFO_DATA,
        encodeUint8(IFLA_BR_NF_CALL_IPTABLES, ipv4 ? 1 : 0),
        encodeUint8(IFLA_BR_NF_CALL_IP6TABLES, ipv6 ? 1 : 0),
      ),
    );
    const flags = NetlinkFlag.request | NetlinkFlag.ack;
    this.#client.request(`set bridge ${index}`, [
      (sequence) => encodeMessage(RTM_NEWLINK, flags, sequence, header, info),
    ]);
  }
}

/** Whether br_netfilter is there: without it a bridge's flags change nothing. */
export function hasBridgeNetfilter(): boolean {
  return existsSync("/proc/sys/net/bridge");
}
