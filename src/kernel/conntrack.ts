/**
 * Our byte in the ct marks of this network namespace, changed under a mask, so that other owners' bits stay as they are.
 * Entries are never deleted: the next packet of the other side would make a reversed one, which egress rules accept
 * (PL-26).
 *
 * To find entries, all are read, in slices, off the event loop; one walk at a time. The kernel could look for a mark or
 * an address itself, and faster, but it does that in one go with soft interrupts off: packets would wait for forty
 * milliseconds at 100,000 flows, where a slice takes a quarter of one.
 */
import { readFileSync } from "node:fs";
import { ctAccept, type MarkLayout, markEpochMask, markHeld } from "../model/mark.ts";
import type { Address } from "../net/address.ts";
import { type AddressTableData, buildAddressTable, lookupAddress } from "../net/address-table.ts";
import type { Addon } from "./addon.ts";
import { EntryView, encodeDump, UpdateWriter } from "./conntrack-entry.ts";
import { NetlinkClient, type NetlinkError, NetlinkProtocol, netlinkFailure } from "./netlink-client.ts";

const ENOENT = 2;
/** A dump misses entries where the kernel's table is resized meanwhile: then it's repeated, until it finds none. */
const ROUNDS = 4;

/** Epoch and accept bits: what a decision is. */
const decisionBits = markEpochMask | ctAccept.original | ctAccept.reply;
const heldBits = markHeld.sg | markHeld.k8s;

/** Addresses about whose flows something has changed. */
export interface FlowChanges {
  /** Their policies: their flows are judged again. */
  readonly reviewed: readonly Address[];
  /** Their owners: what their flows were held for counts no more. */
  readonly renewed: readonly Address[];
}
export const noFlowChanges: FlowChanges = { reviewed: [], renewed: [] };

/** Which bits of our byte are to be cleared; 0 leaves the entry alone. */
type BitsOf = (byte: number, entry: EntryView) => number;

export class Conntrack {
  /** Two sockets: while entries are read from one, updates are written to the other. */
  readonly #reader: NetlinkClient;
  readonly #writer: NetlinkClient;
  #layout: MarkLayout | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(addon: Pick<Addon, "NetlinkSocket">) {
    this.#reader = new NetlinkClient(addon, NetlinkProtocol.netfilter);
    this.#writer = new NetlinkClient(addon, NetlinkProtocol.netfilter);
  }

  /** Where our byte is from now on. Before that there is nothing to find. */
  useLayout(layout: MarkLayout): void {
    this.#layout = layout;
  }

  /** Makes every flow undecided; held bits stay. Returns how many entries changed. */
  clearDecisions(): Promise<number> {
    return this.#clear((byte) => ((byte & markEpochMask) !== 0 ? decisionBits : 0));
  }

  /** Makes the flows undecided that carry this epoch nibble (1–15), so that it can be used again. */
  sweepEpoch(epochNibble: number): Promise<number> {
    return this.#clear((byte) => ((byte & markEpochMask) === epochNibble ? decisionBits : 0));
  }

  /**
   * Makes the flows of reviewed addresses undecided that were decided in this epoch; forgets what flows of renewed
   * addresses were admitted for, since those are somebody else's now, whose own rules have never judged them (SG-40). Of
   * an address: from it or to it, destinations after DNAT.
   */
  settle(epochNibble: number, { reviewed, renewed }: FlowChanges): Promise<number> {
    const [isReviewed, isRenewed] = [tableOf(reviewed), tableOf(renewed)];
    return this.#clear((byte, entry) => {
      const isDecided = (byte & markEpochMask) === epochNibble && concerns(isReviewed, entry);
      const isHeld = (byte & heldBits) !== 0 && concerns(isRenewed, entry);
      return (isDecided ? decisionBits : 0) | (isHeld ? heldBits : 0);
    });
  }

  /** Takes our whole byte out of every entry, for an uninstall. */
  clearAll(): Promise<number> {
    return this.#clear((byte) => (byte === 0 ? 0 : 0xff));
  }

  /** What is under way fails, or ends by itself. May be called twice. */
  close(): void {
    this.#reader.close();
    this.#writer.close();
  }

  /** Sets to 0 the bits that `bitsOf` names of each entry. */
  #clear(bitsOf: BitsOf): Promise<number> {
    const layout = this.#layout;
    if (layout === null) return Promise.resolve(0);
    const result = this.#turn.then(async () => {
      let count = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const size = readTableSize();
        const found = await this.#walk(layout, bitsOf);
        count += found;
        if (found === 0 || size === readTableSize()) break;
      }
      return count;
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #walk(layout: MarkLayout, bitsOf: BitsOf): Promise<number> {
    const entry = new EntryView();
    const updates = new UpdateWriter(layout);
    let count = 0;
    const errors = await this.#reader.exchange(
      (next) => encodeDump(next()),
      (view, at, to) => {
        entry.read(view, at, to);
        const clear = entry.tupleAt === 0 ? 0 : bitsOf((entry.mark >>> layout.shift) & 0xff, entry);
        if (clear !== 0) updates.add(view, at, entry, clear);
      },
      async () => {
        if (updates.count > 0) count += await this.#update(updates);
      },
    );
    failOn("list conntrack entries", errors);
    return count;
  }

  /** An entry that has ended since needs no update. */
  async #update(updates: UpdateWriter): Promise<number> {
    const sent = updates.count;
    const errors = await this.#writer.exchange(
      (next) => updates.take(next),
      () => {},
    );
    failOn(
      "update conntrack marks",
      errors.filter(({ errno }) => errno !== ENOENT),
    );
    return sent - errors.length;
  }
}

function tableOf(addresses: readonly Address[]): AddressTableData {
  return buildAddressTable(addresses.map((address) => [address, 0] as const));
}

function concerns(table: AddressTableData, { source, destination }: EntryView): boolean {
  return lookupAddress(table, source) >= 0 || lookupAddress(table, destination) >= 0;
}

function failOn(operation: string, [first]: readonly NetlinkError[]): void {
  if (first !== undefined) throw netlinkFailure(operation, first);
}

/** Buckets of the kernel's table; where it can't be read, never the same twice. */
function readTableSize(): number {
  try {
    return Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_buckets", "latin1"));
  } catch {
    return Number.NaN;
  }
}
