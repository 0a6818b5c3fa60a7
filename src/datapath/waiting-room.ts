/**
 * Packets whose address lies in the pods' range and is nobody's yet (NP-64): each keeps its place until the address is
 * known, and runs the hook again that queued it, or until its deadline, and is dropped. Between receive and send it
 * allocates nothing, throws nothing, logs nothing, awaits nothing; what doesn't fit is dropped.
 *
 * Places are answered in the order in which their packets came, so the packets of a flow stay in theirs.
 */
import type { SlotFlags, SlotLayout } from "../kernel/addon.ts";
import { type MarkLayout, markWaiting } from "../model/mark.ts";
import { type Address, type AddressView, addressKey, addressOfKey, Family } from "../net/address.ts";
import { type AddressTableData, buildAddressTable, lookupAddress } from "../net/address-table.ts";
import { containsAddress, type Prefix } from "../net/prefix.ts";
import { NF_DROP, NF_REPEAT, NF_STOLEN } from "./answer.ts";
import { WaitingCounter, type WaitingCounters } from "./waiting-counters.ts";

export interface WaitingRoomOptions {
  readonly layout: SlotLayout;
  readonly flags: SlotFlags;
  readonly slab: ArrayBufferLike;
  readonly mark: MarkLayout;
  readonly places: number;
  /**
   * Of the places, how many the packets of one unknown address may have. Addresses of one of 4,096 hashes share that, by
   * chance: so a flood costs what any packet costs.
   */
  readonly placesOfAddress: number;
  /**
   * The same of packets that only go to unknown addresses. Anybody outside can send those, to as many addresses as the range
   * has; so of all places they have some, and the others are for whoever speaks from such an address.
   */
  readonly placesToAddress: number;
  readonly placesToAll: number;
  /** Makes the chance nobody else's to choose. */
  readonly seed: number;
  readonly deadlineMs: number;
  readonly counters: WaitingCounters;
}

/** Of a place: family, source and destination, and which share it takes from: one of a source's, or of a destination's. */
const WORDS = 10;
const SOURCE = 1;
const DESTINATION = 5;
const SHARE = 9;
const SHARES = 4096;

export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  readonly #slots: Uint32Array;
  /** Places whose packets wait, in the order of arrival: the first `#count`. */
  readonly #order: Uint32Array;
  /** Places without a packet: the first `places - #count`. */
  readonly #free: Uint32Array;
  readonly #packets: Uint32Array;
  readonly #sinceMs: Float64Array;
  /** Packets that wait, by the hash of an unknown address of theirs: sources, then destinations. */
  readonly #shares = new Uint32Array(2 * SHARES);
  /** Of them, those whose destination alone is unknown. */
  #countTo = 0;
  readonly #source: AddressView = { family: Family.none, w0: 0, w1: 0, w2: 0, w3: 0 };
  readonly #destination: AddressView = { family: Family.none, w0: 0, w1: 0, w2: 0, w3: 0 };
  #count = 0;
  #prefixes: readonly Prefix[] = [];
  readonly #known = new Map<string, Address>();
  #table: AddressTableData = buildAddressTable([]);
  /** What `takeReady` and `takeExpired` answer with: its first elements. */
  readonly taken: Uint32Array;

  constructor(options: WaitingRoomOptions) {
    const { places } = options;
    this.#options = options;
    this.#slots = new Uint32Array(options.slab);
    this.#order = new Uint32Array(places);
    this.#free = Uint32Array.from({ length: places }, (_, i) => places - 1 - i);
    this.#packets = new Uint32Array(places * WORDS);
    this.#sinceMs = new Float64Array(places);
    this.taken = new Uint32Array(places);
  }

  /** How many packets wait. */
  get count(): number {
    return this.#count;
  }

  /** When the packet that has waited longest came, in the clock of `decideBatch`. */
  get oldestMs(): number {
    return this.#sinceMs[this.#order[0] as number] as number;
  }

  get prefixes(): readonly Prefix[] {
    return this.#prefixes;
  }

  /** Others than before. Packets that came before wait for what is unknown now. */
  usePrefixes(prefixes: readonly Prefix[]): void {
    this.#prefixes = prefixes;
  }

  /** Somebody has the first ones now, and nobody the others any more. */
  know(added: readonly Address[], removed: readonly Address[]): void {
    for (const address of removed) this.#known.delete(addressKey(address));
    for (const address of added) this.#known.set(addressKey(address), address);
    this.#table = buildAddressTable([...this.#known.values()].map((address) => [address, 0]));
  }

  /** Answers slots 0 … count-1. */
  decideBatch(count: number, nowMs: number): void {
    const { slotWords, headerWords } = this.#options.layout;
    for (let i = 0; i < count; i++) this.#decideSlot(headerWords + i * slotWords, nowMs);
  }

  /** How many packets wait no longer, because nothing about them is unknown now: their places are in `taken`. */
  takeReady(): number {
    let taken = 0;
    let left = 0;
    for (let i = 0; i < this.#count; i++) {
      const place = this.#order[i] as number;
      this.#load(place);
      if (this.#isUnknown(this.#source) || this.#isUnknown(this.#destination)) this.#order[left++] = place;
      else this.taken[taken++] = place;
    }
    this.#leave(taken, left, WaitingCounter.released);
    return taken;
  }

  /** How many packets' time is over. */
  takeExpired(nowMs: number): number {
    let taken = 0;
    while (taken < this.#count) {
      const place = this.#order[taken] as number;
      if ((this.#sinceMs[place] as number) + this.#options.deadlineMs > nowMs) break;
      this.taken[taken++] = place;
    }
    this.#order.copyWithin(0, taken, this.#count);
    this.#leave(taken, this.#count - taken, WaitingCounter.expired);
    return taken;
  }

  /** The unknown addresses of the packets that `takeExpired` has just taken. For people: it allocates. */
  unknownAddresses(taken: number): readonly Address[] {
    const keys = new Set<string>();
    for (let i = 0; i < taken; i++) {
      this.#load(this.taken[i] as number);
      keys.add(addressKey(this.#isUnknown(this.#source) ? this.#source : this.#destination));
    }
    return [...keys].map(addressOfKey);
  }

  #decideSlot(at: number, nowMs: number): void {
    const { layout, flags, mark, counters } = this.#options;
    const words = this.#slots;
    counters.add(WaitingCounter.packets, 1);
    words[at + layout.verdict] = NF_DROP;
    const byte = ((words[at + layout.markIn] as number) >>> mark.shift) & 0xff;
    if (byte !== markWaiting || ((words[at + layout.flags] as number) & flags.unparseable) !== 0) {
      counters.add(WaitingCounter.refused, 1);
      return;
    }
    const family = words[at + layout.family] === 6 ? Family.ipv6 : Family.ipv4;
    read(words, at + layout.source, family, this.#source);
    read(words, at + layout.destination, family, this.#destination);
    const isSource = this.#isUnknown(this.#source);
    if (!isSource && !this.#isUnknown(this.#destination)) {
      // It was on its way when the address became known.
      words[at + layout.verdict] = NF_REPEAT;
      words[at + layout.markOut] = words[at + layout.markIn] as number;
      counters.add(WaitingCounter.released, 1);
      return;
    }
    const { places, placesOfAddress, placesToAddress, placesToAll } = this.#options;
    const share = isSource ? this.#shareOf(this.#source) : SHARES + this.#shareOf(this.#destination);
    const taken = this.#shares[share] as number;
    const isFull = isSource ? taken >= placesOfAddress : taken >= placesToAddress || this.#countTo >= placesToAll;
    if (this.#count === places || isFull) {
      counters.add(WaitingCounter.refused, 1);
      return;
    }
    const place = this.#free[places - 1 - this.#count] as number;
    this.#order[this.#count++] = place;
    this.#store(place, share);
    this.#shares[share] = taken + 1;
    if (!isSource) this.#countTo++;
    this.#sinceMs[place] = nowMs;
    counters.set(WaitingCounter.held, this.#count);
    words[at + layout.verdict] = NF_STOLEN;
    words[at + layout.markOut] = place;
  }

  /** The first `taken` of `taken` have left; `left` are still in `#order`. */
  #leave(taken: number, left: number, counter: WaitingCounter): void {
    // In turn, so that the next packet gets the place that was left last.
    const shares = this.#shares;
    for (let i = 0; i < taken; i++) {
      const place = this.taken[i] as number;
      this.#free[this.#options.places - this.#count + i] = place;
      const share = this.#packets[place * WORDS + SHARE] as number;
      shares[share] = (shares[share] as number) - 1;
      if (share >= SHARES) this.#countTo--;
    }
    this.#count = left;
    this.#options.counters.add(counter, taken);
    this.#options.counters.set(WaitingCounter.held, left);
  }

  #isUnknown(address: Address): boolean {
    if (lookupAddress(this.#table, address) >= 0) return false;
    for (let i = 0; i < this.#prefixes.length; i++) {
      if (containsAddress(this.#prefixes[i] as Prefix, address)) return true;
    }
    return false;
  }

  #shareOf({ w0, w1, w2, w3 }: Address): number {
    let h = Math.imul(w0 ^ this.#options.seed, 0x85ebca6b) ^ w1;
    h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ w2;
    h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f) ^ w3;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    return (h ^ (h >>> 13)) & (SHARES - 1);
  }

  #store(place: number, share: number): void {
    const at = place * WORDS;
    const packets = this.#packets;
    packets[at] = this.#source.family;
    write(packets, at + SOURCE, this.#source);
    write(packets, at + DESTINATION, this.#destination);
    packets[at + SHARE] = share;
  }

  #load(place: number): void {
    const at = place * WORDS;
    const family = this.#packets[at] === Family.ipv6 ? Family.ipv6 : Family.ipv4;
    read(this.#packets, at + SOURCE, family, this.#source);
    read(this.#packets, at + DESTINATION, family, this.#destination);
  }
}

function read(words: Uint32Array, at: number, family: Family, into: AddressView): void {
  into.family = family;
  into.w0 = words[at] as number;
  into.w1 = words[at + 1] as number;
  into.w2 = words[at + 2] as number;
  into.w3 = words[at + 3] as number;
}

function write(words: Uint32Array, at: number, { w0, w1, w2, w3 }: Address): void {
  words[at] = w0;
  words[at + 1] = w1;
  words[at + 2] = w2;
  words[at + 3] = w3;
}
