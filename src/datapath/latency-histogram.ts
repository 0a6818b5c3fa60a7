/**
 * Latencies of packets, counted twice in one block of memory: in buckets for scrapes, whose bounds people know, and in
 * buckets of a sixteenth of their size, from which quantiles are read within 3.2 %. Recording never allocates or
 * searches.
 *
 * Fine buckets are log-linear: the position of the highest bit of the latency in sixteenths of a microsecond, and the
 * four bits below it.
 */

/** Upper bounds of the scraped buckets in microseconds, 1–2–5 steps from 1 µs to 1 s; a last bucket has no bound. */
export const latencyBoundsMicroseconds: readonly number[] = [1, 10, 100, 1_000, 10_000, 100_000]
  .flatMap((base) => [base, 2 * base, 5 * base])
  .concat(1_000_000);

const UNITS = 16;
/** 134 s; what takes longer is counted as that. */
const MOST = 0x7fffffff;
const COARSE = latencyBoundsMicroseconds.length + 1;
const FINE = fineBucket(MOST) + 1;
const SUM = COARSE + FINE;

/** The scraped bucket of each fine bucket's smallest latency. */
const coarseOf = Uint8Array.from({ length: FINE }, (_, fine) => {
  const found = latencyBoundsMicroseconds.findIndex((bound) => smallest(fine) / UNITS <= bound);
  return found < 0 ? COARSE - 1 : found;
});

export class LatencyHistogram {
  static readonly length = SUM + 1;
  readonly #values: Float64Array;

  /** Of `LatencyHistogram.length` numbers. */
  constructor(values: Float64Array) {
    this.#values = values;
  }

  /** `packets` took this long each. */
  record(microseconds: number, packets: number): void {
    const values = this.#values;
    const units = microseconds * UNITS;
    const fine = fineBucket(units < MOST ? units | 0 : MOST);
    let coarse = coarseOf[fine] as number;
    // A fine bucket may hold one of the bounds.
    if (coarse < COARSE - 1 && microseconds > (latencyBoundsMicroseconds[coarse] as number)) coarse++;
    values[coarse] = (values[coarse] as number) + packets;
    values[COARSE + fine] = (values[COARSE + fine] as number) + packets;
    values[SUM] = (values[SUM] as number) + microseconds * packets;
  }

  /** Packets in each scraped bucket (not cumulated; the last has no bound), and the sum of all latencies. */
  scrape(): { readonly buckets: readonly number[]; readonly sumMicroseconds: number } {
    return { buckets: Array.from(this.#values.subarray(0, COARSE)), sumMicroseconds: this.#values[SUM] as number };
  }

  /** A copy, without what `earlier` (an earlier copy of this one) had counted. */
  since(earlier: LatencyHistogram | null): LatencyHistogram {
    const before = earlier === null ? null : earlier.#values;
    return new LatencyHistogram(this.#values.map((value, i) => value - (before?.[i] ?? 0)));
  }

  /** The latency that the share `q` of all packets didn't exceed, in microseconds; NaN where none was counted. */
  quantile(q: number): number {
    const counts = this.#values.subarray(COARSE, COARSE + FINE);
    const rank = q * counts.reduce((a, b) => a + b, 0);
    let seen = 0;
    for (let fine = 0; fine < FINE; fine++) {
      seen += counts[fine] as number;
      if (seen > 0 && seen >= rank) return (smallest(fine) + smallest(fine + 1)) / 2 / UNITS;
    }
    return Number.NaN;
  }
}

function fineBucket(units: number): number {
  if (units < 16) return Math.max(units, 0);
  const bit = 31 - Math.clz32(units);
  return ((bit - 3) << 4) | ((units >>> (bit - 4)) & 15);
}

/** In units. */
function smallest(fine: number): number {
  return fine < 16 ? fine : (16 + (fine & 15)) * 2 ** ((fine >>> 4) - 1);
}
