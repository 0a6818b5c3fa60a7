/** Limits of the API that only objects from files can break. */
import { type Place, refuse } from "../kubernetes/reading.ts";

/** AN-50: reported, and applied in full. */
export function checkLimit(list: readonly unknown[], limit: number, place: Place): void {
  if (list.length <= limit) return;
  refuse(place, "over-limit", "AN-50", `${list.length} elements where the API admits ${limit}; all of them count here`);
}
