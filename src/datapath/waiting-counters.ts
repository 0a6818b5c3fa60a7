/** What the waiting room counts. */
import { SharedCounters } from "./shared-counters.ts";

export const WaitingCounter = {
  /** Packets that wait now. */
  held: 0,
  /** All that came. */
  packets: 1,
  released: 2,
  expired: 3,
  /** For lack of room, because they can't be parsed, or weren't sent to wait. */
  refused: 4,
  overruns: 5,
} as const;
export type WaitingCounter = (typeof WaitingCounter)[keyof typeof WaitingCounter];

export class WaitingCounters extends SharedCounters<WaitingCounter> {
  constructor(buffer?: SharedArrayBuffer) {
    super(Object.keys(WaitingCounter).length, buffer);
  }
}
