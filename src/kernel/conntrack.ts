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

/** What `settle` goes by. */
export interface Settlement {
  /** In force. */
  readonly current: number;
  /** Their decisions count. */
  readonly older: readonly number[];
  /** Theirs don't. */
  readonly spent: readonly number[];
  /** What older epochs decided gets the current one's number. */
  readonly renumbers: boolean;
  readonly flows: FlowChanges;
}

/** Which bits of our byte are to be written, above the byte that they are taken from; 0 leaves the entry alone. */
type ChangeOf = (byte: number, entry: EntryView) => number;
const MASK_SHIFT = 8;

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

  /**
   * Makes every flow undecided; held bits stay, but for those of renewed addresses' flows, or of all. Returns how many
   * entries changed.
   */
  clearDecisions(renewed: readonly Address[] | "held too"): Promise<number> {
    const table = tableOf(renewed === "held too" ? [] : renewed);
    return this.#change((byte, entry) => {
      const forgets = (byte & heldBits) !== 0 && (renewed === "held too" || concerns(table, entry));
      return ((byte & markEpochMask) !== 0 ? decisionBits << MASK_SHIFT : 0) | (forgets ? heldBits << MASK_SHIFT : 0);
    });
  }

  /**
   * Makes entries say what the rules say of them already:
   *
   * - decisions of spent epochs go;
   * - those of older epochs go where they are about reviewed addresses, and may get the current epoch's number elsewhere;
   * - what flows of renewed addresses were held for goes, since those are somebody else's now, whose own rules have never
   *   judged them (SG-40). What the current epoch decided stays.
   *
   * Of an address: from it or to it, destinations after DNAT.
   */
  settle({ current, older, spent, renumbers, flows }: Settlement): Promise<number> {
    const [isReviewed, isRenewed] = [tableOf(flows.reviewed), tableOf(flows.renewed)];
    return this.#change((byte, entry) => {
      const epoch = byte & markEpochMask;
      if (epoch === current) return 0;
      const forgets = (byte & heldBits) !== 0 && concerns(isRenewed, entry) ? heldBits << MASK_SHIFT : 0;
      if (spent.includes(epoch)) return forgets | (decisionBits << MASK_SHIFT);
      if (!older.includes(epoch)) return forgets;
      if (concerns(isReviewed, entry)) return forgets | (decisionBits << MASK_SHIFT);
      return renumbers ? forgets | (markEpochMask << MASK_SHIFT) | current : forgets;
    });
  }

  /** Takes our whole byte out of every entry, for an uninstall. */
  clearAll(): Promise<number> {
    return this.#change((byte) => (byte === 0 ? 0 : 0xff << MASK_SHIFT));
  }

  /** What is under way fails, or ends by itself. May be called twice. */
  close(): void {
    this.#reader.close();
    this.#writer.close();
  }

  #change(changeOf: ChangeOf): Promise<number> {
    const layout = this.#layout;
    if (layout === null) return Promise.resolve(0);
    const result = this.#turn.then(async () => {
      let count = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const size = readTableSize();
        const found = await this.#walk(layout, changeOf);
        count += found;
        if (found === 0 || size === readTableSize()) break;
      }
      return count;
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #walk(layout: MarkLayout, changeOf: ChangeOf): Promise<number> {
    const entry = new EntryView();
    const updates = new UpdateWriter(layout);
    let count = 0;
    const errors = await this.#reader.exchange(
      (next) => encodeDump(next()),
      (view, at, to) => {
        entry.read(view, at, to);
        const change = entry.tupleAt === 0 ? 0 : changeOf((entry.mark >>> layout.shift) & 0xff, entry);
        if (change !== 0) updates.add(view, at, entry, change >>> MASK_SHIFT, change & 0xff);
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
