/** Percentiles of samples, in one way everywhere. Pure. */

/** Nearest rank: the smallest sample that at least this share of all samples doesn't exceed. NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
