/** Samples into figures. Pure. */
import { percentile } from "../percentile.ts";

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function sortedCopy(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** Nearest rank; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  return percentile(sortedCopy(values), share);
}

/** Turn number `turn` of rotation number `rotation`: everybody is first equally often. */
export function turnOf<T>(variants: readonly T[], rotation: number, turn: number): T {
  return variants[(rotation + turn) % variants.length]!;
}

/**
 * A distribution in few points, for a plot: for each of `points` shares, spread so that the tail is seen (0, 0.5, 0.9,
 * 0.99 … are equally far from each other), the value that this share of the samples doesn't exceed.
 */
export function distribution(
  values: readonly number[],
  points = 60,
): { readonly share: number; readonly value: number }[] {
  const sorted = sortedCopy(values);
  if (sorted.length === 0) return [];
  const nines = Math.log10(sorted.length);
  return Array.from({ length: points + 1 }, (_, i) => {
    const share = 1 - 10 ** (-(i / points) * nines);
    return { share, value: percentile(sorted, share) };
  });
}
