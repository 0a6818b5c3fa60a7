/** What the observer of DNS counts. */
import { SharedCounters } from "../shared-counters.ts";

export const NamesCounter = {
  /** Messages of DNS: that told something new, that told what is known, of names that no rule means or without addresses. */
  learnt: 0,
  known: 1,
  other: 2,
  malformed: 3,
  /** Segments of TCP that didn't fit to what came before. */
  lost: 4,
  /** Addresses that are known now, and those that had to make room. */
  addresses: 5,
  evicted: 6,
  /** Answers that waited until what they say was in force; that was in time, late, or there was no room to wait. */
  inForce: 7,
  late: 8,
  refused: 9,
  /** What those that waited have waited, in milliseconds. */
  waitedMs: 10,
  overruns: 11,
  /** Answers to what the pod hasn't asked. */
  unasked: 12,
  /** Answers that would have been news, to a pod that has heard too much of it. */
  capped: 13,
} as const;
export type NamesCounter = (typeof NamesCounter)[keyof typeof NamesCounter];

export class NamesCounters extends SharedCounters<NamesCounter> {
  constructor(buffer?: SharedArrayBuffer) {
    super(Object.keys(NamesCounter).length, buffer);
  }
}
