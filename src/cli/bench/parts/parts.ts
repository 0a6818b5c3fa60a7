/** The parts of the bench, in their order: what each measures, who takes part, and where. */
import type { Turn } from "../turn.ts";
import type { Variant } from "../variants.ts";
import { measureRoundTrips } from "./round-trips.ts";
import { measureUpdates } from "./updates.ts";

export interface Part {
  readonly title: string;
  readonly concerns: (variant: Variant) => boolean;
  /** Whether it is measured in every placement; otherwise in the first alone. */
  readonly isPlaced: boolean;
  readonly measure: (turn: Turn, seconds: number) => Promise<void>;
}

const isEngine = (variant: Variant): boolean => variant.kind === "engine";

export const parts = {
  rtt: { title: "round trips of first packets", concerns: () => true, isPlaced: true, measure: measureRoundTrips },
  update: { title: "changes of one object", concerns: isEngine, isPlaced: false, measure: measureUpdates },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof parts;
export const partNames = Object.keys(parts) as readonly PartName[];
