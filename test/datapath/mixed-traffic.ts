/**
 * Packets of every kind through a Loop: the flows of random worlds in every state that connection tracking knows, in both
 * families, from addresses and ports that come back and from such as were never seen, under changing programs. It runs
 * where nothing has been compiled, as the datapath's worker does, and allocates nothing itself while packets are judged.
 */
import { Counters } from "../../src/datapath/counters.ts";
import { Loop } from "../../src/datapath/loop.ts";
import type { Program, ProgramPatch } from "../../src/engine/program.ts";
import { ProgramReader } from "../../src/engine/program-reader.ts";
import type { Knobs } from "../../src/model/knobs.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { hasPorts } from "../../src/net/protocol.ts";
import { slotFlags, slotLayout } from "./slot.ts";

export interface TrafficData {
  readonly programs: readonly { readonly knobs: Knobs; readonly patches: readonly ProgramPatch[] }[];
  /** Slots as they come from the kernel. */
  readonly packets: readonly Uint32Array[];
}

const BATCH = 64;

export class MixedTraffic {
  readonly counters = new Counters();
  readonly #programs: readonly Program[];
  readonly #packets: readonly Uint32Array[];
  readonly #slab = new Uint32Array(slotLayout.headerWords + BATCH * slotLayout.slotWords);
  readonly #random = Int32Array.of(0x2545f491);
  readonly #loop: Loop;
  #program = 0;

  constructor({ programs, packets }: TrafficData) {
    this.#programs = programs.map(({ knobs, patches }) => new ProgramReader(knobs).apply(patches));
    this.#packets = packets;
    this.#loop = new Loop(
      {
        layout: slotLayout,
        flags: slotFlags,
        slab: this.#slab.buffer,
        mark: defaultMarkLayout,
        counters: this.counters,
        rejects: false,
      },
      this.#programs[0] as Program,
      1,
    );
  }

  /** The next of the programs, which isn't the packet path: it may allocate. */
  changeProgram(): void {
    this.#program = (this.#program + 1) % this.#programs.length;
    this.#loop.useProgram(this.#programs[this.#program] as Program, 1 + this.#program);
  }

  /** Judges at least so many packets. */
  run(packets: number): void {
    for (let done = 0; done < packets; done += BATCH) {
      for (let slot = 0; slot < BATCH; slot++) this.#fill(slotLayout.headerWords + slot * slotLayout.slotWords);
      this.#loop.decideBatch(BATCH, (this.#draw() & 1) === 0);
    }
    this.#loop.settle();
  }

  #fill(at: number): void {
    const slab = this.#slab;
    const packet = this.#packets[(this.#draw() >>> 1) % this.#packets.length] as Uint32Array;
    for (let i = 0; i < packet.length; i++) slab[at + i] = packet[i] as number;
    const lot = this.#draw();
    // Some come from where nobody was before, and to ports that nobody asked for.
    if ((lot & 3) === 0) slab[at + slotLayout.source + 3] = this.#draw();
    if ((lot & 12) === 0 && hasPorts(slab[at + slotLayout.protocol] as number)) {
      slab[at + slotLayout.destinationPort] = (lot >>> 8) & 0xffff;
    }
  }

  /** Xorshift (Marsaglia 2003). */
  #draw(): number {
    let x = this.#random[0] as number;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random[0] = x;
    return x;
  }
}
