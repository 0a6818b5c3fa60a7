/**
 * What the agent and a datapath worker say to each other. Messages are handled between batches, so an answer to
 * `program` means that every verdict of the program before it has been sent.
 */
import type { ProgramPatch } from "../engine/program.ts";
import type { Knobs } from "../model/knobs.ts";
import type { MarkLayout } from "../model/mark.ts";
import type { Address } from "../net/address.ts";
import type { EvaluatorFailure } from "./failure-report.ts";

export interface WorkerOptions {
  readonly queue: number;
  readonly copyRangeBytes: number;
  readonly maxLength: number;
  readonly receiveBufferBytes: number;
  readonly batchSlots: number;
  /** How long the worker looks for the next packet before it sleeps. */
  readonly spinMicroseconds: number;
  readonly mark: MarkLayout;
  readonly knobs: Knobs;
  readonly counters: SharedArrayBuffer;
  /** In order; together they make the first program. */
  readonly patches: readonly ProgramPatch[];
  readonly epochNibble: number;
  /** A few addresses that policies are about, for warming up. */
  readonly someAddresses: readonly Address[];
  /** Modules of users' own evaluators, in the program's order. */
  readonly evaluatorUrls: readonly string[];
}

export type AgentMessage =
  | { readonly kind: "program"; readonly patches: readonly ProgramPatch[]; readonly epochNibble: number }
  /** Bring the counters up to date with the socket's own. */
  | { readonly kind: "statistics" }
  /** Every packet still queued gets its verdict, then the socket closes. */
  | { readonly kind: "stop" };

export type WorkerMessage =
  /** The queue is bound and served. */
  | { readonly kind: "bound" }
  | { readonly kind: "programmed" }
  | { readonly kind: "statistics" }
  | { readonly kind: "stopped" }
  /** A user's evaluator threw; `errorVerdict` decided. */
  | { readonly kind: "failure"; readonly failure: EvaluatorFailure }
  /** A defect of ours: the batch got the error verdict; the worker goes on. */
  | { readonly kind: "fault"; readonly message: string };
