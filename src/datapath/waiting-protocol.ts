/** What the agent and the waiting room's thread say to each other. */
import type { MarkLayout } from "../model/mark.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";

export interface WaitingOptions {
  readonly queue: number;
  readonly mark: MarkLayout;
  readonly deadlineMs: number;
  readonly counters: SharedArrayBuffer;
  readonly prefixes: readonly Prefix[];
  readonly known: readonly Address[];
}

export type WaitingRequest =
  /** Before the kernel is told of a change: packets of these addresses come from then on. */
  | { readonly kind: "prepare"; readonly prefixes: readonly Prefix[] | null; readonly removed: readonly Address[] }
  /** After: what waits for these passes the kernel's rules again. */
  | { readonly kind: "settle"; readonly prefixes: readonly Prefix[] | null; readonly added: readonly Address[] }
  | { readonly kind: "stop" };

export type WaitingMessage =
  /** The queue is bound and served. */
  | { readonly kind: "bound" }
  | { readonly kind: "stopped" }
  /** Packets were dropped because nobody was known to have these addresses in time; each is told once in an hour. */
  | { readonly kind: "expired"; readonly addresses: readonly Address[]; readonly areLast: boolean }
  /** A defect of ours; the thread goes on. */
  | { readonly kind: "fault"; readonly message: string };
