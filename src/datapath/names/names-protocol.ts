/**
 * What the agent and the observer of DNS say to each other: the observer tells what pods learnt, in numbered batches, and
 * the agent which batch is in force.
 */

import type { NameChange } from "../../model/inventory-change.ts";
import type { MarkLayout } from "../../model/mark.ts";
import type { Address } from "../../net/address.ts";

export interface NamesOptions {
  readonly queue: number;
  readonly mark: MarkLayout;
  readonly counters: SharedArrayBuffer;
}

export type NamesRequest =
  /** Before a change: the domains that rules mean from then on (null: the same), and addresses that are others' now. */
  | { readonly kind: "use"; readonly domains: readonly string[] | null; readonly forgotten: readonly Address[] }
  /** This batch is in force, and those before it. */
  | { readonly kind: "in-force"; readonly batch: number }
  | { readonly kind: "stop" };

export type NamesMessage =
  /** The queue is bound and served. */
  | { readonly kind: "bound" }
  | { readonly kind: "used" }
  | { readonly kind: "stopped" }
  | ({ readonly kind: "names" } & NamesBatch)
  /** A defect of ours; the thread goes on. */
  | { readonly kind: "fault"; readonly message: string };

export interface NamesBatch {
  /** They count from 1. */
  readonly batch: number;
  readonly changes: readonly NameChange[];
}
