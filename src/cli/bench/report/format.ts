/** Numbers as people read them. Pure. */
import type { Unit } from "../recorder.ts";

export function formatValue(value: number, unit: Unit | "ratio"): string {
  if (!Number.isFinite(value)) return "–";
  if (unit === "ratio") return digits(value, 2);
  if (unit === "ns") return formatTime(value);
  if (unit === "ms") return formatTime(value * 1e6);
  if (unit === "share") return `${digits(value * 100, value > 0.98 ? 2 : 1)} %`;
  if (unit === "packets") return count(value);
  if (unit === "bytes") return `${digits(value / 1e6, 0)} MB`;
  if (unit === "bit/s") return `${digits(value / 1e9, 1)} Gbit/s`;
  return value >= 1000 ? `${digits(value / 1000, value < 10_000 ? 1 : 0)} k/s` : `${digits(value, 0)} /s`;
}

/** For an axis: nothing behind the point that says nothing. */
export function formatTick(value: number, unit: Unit | "ratio"): string {
  return formatValue(value, unit).replace(/\.0+(?=\D|$)/, "");
}

function formatTime(ns: number): string {
  if (ns < 1e3) return `${digits(ns, 0)} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3, ns < 1e5 ? 1 : 0)} µs`;
  if (ns < 1e9) return `${digits(ns / 1e6, ns < 1e8 ? 1 : 0)} ms`;
  return `${digits(ns / 1e9, 2)} s`;
}

function digits(value: number, after: number): string {
  return value.toFixed(after);
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}
