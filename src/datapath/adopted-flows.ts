/**
 * TCP flows that were met mid-stream and let pass as the answers of a flow the other way round (PL-26). Connection
 * tracking holds them in the orientation of the first packet that it saw, so that whoever judges them again must turn
 * them first: nothing in the ct mark says so. The memory is this process's; it is bounded, never allocates, and a flow
 * that it has no room for is judged as tracking says, which can cut it, never open it.
 */
import type { FlowView } from "../model/flow.ts";

/** Family, two addresses of four words, two ports in one. */
const WORDS = 10;
const SLOTS = 1 << 15;
/** A table fuller than this is slow to search. */
const MOST = SLOTS >>> 1;

export class AdoptedFlows {
  readonly #words = new Uint32Array(SLOTS * WORDS);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Remembers the tuple as the view has it: connection tracking's original direction. */
  add(view: FlowView): void {
    const at = this.#find(view);
    if (this.#words[at] !== 0 || this.#count >= MOST) return;
    const words = this.#words;
    words[at] = view.source.family;
    words[at + 1] = view.source.w0;
    words[at + 2] = view.source.w1;
    words[at + 3] = view.source.w2;
    words[at + 4] = view.source.w3;
    words[at + 5] = view.destination.w0;
    words[at + 6] = view.destination.w1;
    words[at + 7] = view.destination.w2;
    words[at + 8] = view.destination.w3;
    words[at + 9] = ((view.sourcePort << 16) | view.destinationPort) >>> 0;
    this.#count++;
  }

  has(view: FlowView): boolean {
    return this.#words[this.#find(view)] !== 0;
  }

  /** The first word of the tuple's place, or of the free place where it would go. */
  #find(view: FlowView): number {
    const words = this.#words;
    const { source: s, destination: d } = view;
    const ports = ((view.sourcePort << 16) | view.destinationPort) >>> 0;
    let slot = Math.imul(s.w3 ^ Math.imul(d.w3, 0x9e3779b1) ^ Math.imul(ports, 0x85ebca6b) ^ s.w1 ^ d.w1, 0xc2b2ae35);
    slot = (slot ^ (slot >>> 15)) & (SLOTS - 1);
    for (;;) {
      const at = slot * WORDS;
      if (words[at] === 0) return at;
      if (
        words[at + 9] === ports &&
        words[at + 4] === s.w3 &&
        words[at + 8] === d.w3 &&
        words[at] === s.family &&
        words[at + 1] === s.w0 &&
        words[at + 2] === s.w1 &&
        words[at + 3] === s.w2 &&
        words[at + 5] === d.w0 &&
        words[at + 6] === d.w1 &&
        words[at + 7] === d.w2
      ) {
        return at;
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
  }
}
