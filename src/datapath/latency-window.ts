/**
 * Quantiles of the latencies of the last ten minutes or so: the counts now less those of then. Looked at when somebody
 * asks, so that nothing runs while nobody does; who asks for the first time hears of all packets.
 */
import type { LatencyHistogram } from "./latency-histogram.ts";

const WINDOW_MS = 600_000;
const STEP_MS = 60_000;

export class LatencyWindow {
  /** Oldest first, a step apart at least; the first one is as old as the window, or older. */
  readonly #seen: { readonly atMs: number; readonly histogram: LatencyHistogram }[] = [];

  /** What `histogram` has counted since about ten minutes ago. `nowMs` never goes back. */
  recent(histogram: LatencyHistogram, nowMs: number): LatencyHistogram {
    const seen = this.#seen;
    while (seen[1] !== undefined && seen[1].atMs <= nowMs - WINDOW_MS) seen.shift();
    const oldest = seen[0];
    const last = seen.at(-1);
    if (last === undefined || nowMs - last.atMs >= STEP_MS)
      seen.push({ atMs: nowMs, histogram: histogram.since(null) });
    return histogram.since(oldest !== undefined && oldest.atMs <= nowMs - WINDOW_MS ? oldest.histogram : null);
  }
}
