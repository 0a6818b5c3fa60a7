/** Which addresses have to be diverted for an inventory: the union of what the evaluators capture. */
import type { Evaluator } from "../model/evaluator.ts";
import type { Inventory } from "../model/inventory.ts";
import type { Knobs } from "../model/knobs.ts";
import { type Address, addressKey, Family } from "../net/address.ts";

export interface Captured {
  /** Addresses whose packets are judged, or all packets. */
  readonly managed: readonly Address[] | "all";
  /** Addresses to which this host's own packets are judged too. */
  readonly output: readonly Address[] | "all";
}

export function captureAll(evaluators: readonly Evaluator[], inventory: Inventory, knobs: Knobs): Captured {
  const captures = evaluators.map((evaluator) => evaluator.capture(inventory, knobs));
  return {
    managed: union(captures.map((c) => c.subjects)),
    output: union(captures.map((c) => (c.output ? c.subjects : []))),
  };
}

function union(parts: readonly (readonly Address[] | "all")[]): readonly Address[] | "all" {
  if (parts.includes("all")) return "all";
  const addresses = new Map<string, Address>();
  for (const part of parts) {
    if (part === "all") continue;
    for (const address of part) if (address.family !== Family.none) addresses.set(addressKey(address), address);
  }
  return [...addresses.values()];
}
