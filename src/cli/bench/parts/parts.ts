/** The parts of the bench, in their order: what each measures, who takes part in the short form and in the full one. */
import type { Turn } from "../turn.ts";
import { isReference, type Variant } from "../variants.ts";
import { measureCapacity } from "./capacity.ts";
import { measureConnections } from "./connections.ts";
import { measureDenyFlood } from "./deny-flood.ts";
import { measureLiveFlows } from "./live-flows.ts";
import { measureRoundTrips } from "./round-trips.ts";
import { measureThroughput } from "./throughput.ts";
import { measureUpdates } from "./updates.ts";

export interface Part {
  readonly title: string;
  readonly concerns: (variant: Variant) => boolean;
  /** Of those, who takes part in the short form; all without. */
  readonly concernsShort?: (variant: Variant) => boolean;
  /** Whether it is measured in every placement; otherwise in the first alone. */
  readonly isPlaced?: boolean;
  /** Null: engines are started anew. */
  readonly measure: ((turn: Turn, seconds: number, isShort: boolean) => Promise<void>) | null;
}

const isEngine = (variant: Variant): boolean => variant.kind === "engine";
const judges = (variant: Variant): boolean => isEngine(variant) && (variant.dataset?.policies ?? 0) > 0;
const serves = (variant: Variant): boolean => judges(variant) || variant.kind === "loop" || variant.kind === "peer";
const isLarge = (variant: Variant): boolean => (variant.dataset?.endpoints ?? 0) >= 100_000;
const isBase = ({ name }: Variant): boolean => name === "none" || name === "rules" || name === "c" || name === "peer";

export const parts = {
  rtt: {
    title: "round trips of first packets",
    concerns: () => true,
    concernsShort: ({ kind }) => kind !== "rules",
    isPlaced: true,
    measure: measureRoundTrips,
  },
  capacity: { title: "verdicts and new flows a second", concerns: serves, measure: measureCapacity },
  connect: {
    title: "TCP connections a second",
    concerns: () => true,
    concernsShort: (variant) => isReference(variant) || (isBase(variant) && variant.kind !== "rules"),
    measure: measureConnections,
  },
  throughput: {
    title: "established throughput",
    concerns: () => true,
    concernsShort: (variant) => isReference(variant) || variant.kind === "none" || variant.kind === "rules",
    measure: measureThroughput,
  },
  flood: {
    title: "floods of denied attempts",
    concerns: judges,
    concernsShort: isReference,
    measure: measureDenyFlood,
  },
  update: {
    title: "changes of one object",
    concerns: judges,
    concernsShort: (variant) => isReference(variant) || isLarge(variant),
    measure: measureUpdates,
  },
  live: {
    title: "live flows that a change has judged again",
    concerns: (variant) => isReference(variant) || isLarge(variant),
    concernsShort: isReference,
    measure: (turn, seconds, isShort) => measureLiveFlows(turn, seconds, isShort ? 20_000 : 100_000),
  },
  start: { title: "start", concerns: isEngine, concernsShort: () => false, measure: null },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof parts;
export const partNames = Object.keys(parts) as readonly PartName[];
