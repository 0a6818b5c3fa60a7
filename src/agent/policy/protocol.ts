/**
 * What the agent and the policy thread say to each other. The thread gives one update at a time: the next one follows
 * when the agent has said `applied`, and holds everything that came meanwhile.
 */

import type { EvaluatorFailure } from "../../datapath/failure-report.ts";
import type { NamesBatch } from "../../datapath/names/names-protocol.ts";
import type { ProgramPatch } from "../../engine/program.ts";
import type { AddressChange, AddressDelta } from "../../model/address-change.ts";
import type { NetworkInterface } from "../../model/ec2.ts";
import type { Finding } from "../../model/finding.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { PodRangeChange } from "../../model/pod-range.ts";
import type { Address } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { FileError } from "../../sources/files/file-error.ts";
import type { ApiStatus } from "../../sources/kubernetes/api/api-source.ts";
import type { ClusterOptions } from "../../sources/kubernetes/api/kubeconfig.ts";
import type { Cni } from "../../sources/kubernetes/cni/cni-detector.ts";

export interface PolicyOptions {
  readonly directories: readonly string[];
  /** An API server to list and watch; null: files alone. */
  readonly cluster: ClusterOptions | null;
  /** What of policies is told to the cluster: conditions of their status, events about bad ones. */
  readonly told: { readonly conditions: boolean; readonly events: boolean };
  /** Of EC2, these VPCs alone; all where there are none. */
  readonly vpcs: readonly string[];
  /** Of Kubernetes, only this node's pods are judged for, and this machine is that node; null: all pods are. */
  readonly nodeName: string | null;
  /** Where the pods' addresses of this node lie; where there are none, its Node says it. */
  readonly podRanges: readonly Prefix[];
  readonly knobs: Knobs;
  /** Users' own evaluators: the files that `run` has loaded before, without a complaint. */
  readonly modules: readonly string[];
}

/** What has to be done so that the kernel and the workers enforce what the files say now. */
export interface PolicyUpdate {
  /** Counts updates. */
  readonly number: number;
  readonly patches: readonly ProgramPatch[];
  /** Addresses whose flows may be judged otherwise than before; `all` where they can't be named. */
  readonly affected: readonly Address[] | "all";
  readonly managed: AddressChange;
  readonly output: AddressChange;
  readonly podRange: PodRangeChange;
  /** Addresses to which answers of DNS are seen. */
  readonly answered: AddressDelta;
  /** The domains that rules mean; null: the same as before. */
  readonly domains: readonly string[] | null;
  /** The last batch of names that is in it. */
  readonly namesBatch: number;
  /** There is nothing else in it: no object says something else. */
  readonly isOfNames: boolean;
  /** How many addresses are managed after it. */
  readonly managedCount: number | "all";
  /** Addresses that somebody has now who didn't have them before; `all`, at a start, where that isn't known. */
  readonly newOwners: readonly Address[] | "all";
  /** The interfaces of EC2; null: the same as before. */
  readonly interfaces: readonly NetworkInterface[] | null;
  /** Milliseconds of the thread. */
  readonly compileMs: number;
}

/** What there is to be said of the inventory in force. */
export interface InventoryReport {
  /** Resources by kind. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  /** There are policies, whomever they are for. */
  readonly holdsPolicies: boolean;
  /** How many addresses they are about. */
  readonly managed: number | "all";
  /** Network plugins of the cluster. */
  readonly cnis: readonly Cni[];
  /** Addresses of the Node of this name where this machine has none of them: it's another's name; else empty. */
  readonly strangeNode: readonly string[];
  /** Packets of addresses in the pods' range that nobody has are dropped, whatever policies say. */
  readonly dropsUnknown: boolean;
}

export type PolicyRequest =
  | { readonly kind: "applied" }
  /** Connection tracking holds nothing any more of owners before this update. */
  | { readonly kind: "settled"; readonly number: number }
  /** What pods learnt of names, or what of it has expired. */
  | { readonly kind: "learn"; readonly names: NamesBatch }
  | { readonly kind: "stop" };

export type PolicyMessage =
  | {
      readonly kind: "loaded";
      /** Null where there are errors or problems. */
      readonly update: PolicyUpdate | null;
      readonly report: InventoryReport;
      readonly errors: readonly FileError[];
      /** Evaluators of users that can't be made for this inventory. */
      readonly problems: readonly string[];
      /** Milliseconds in which the files were read, parsed and converted. */
      readonly readMs: number;
    }
  | { readonly kind: "update"; readonly update: PolicyUpdate }
  /** Now and then, where there is an API server. */
  | { readonly kind: "cluster"; readonly status: ApiStatus }
  /** Something that was to be told to the cluster couldn't be. */
  | { readonly kind: "complaint"; readonly text: string }
  /** Some time after a change: it costs as much as there is. */
  | { readonly kind: "report"; readonly report: InventoryReport }
  /**
   * Why the inventory in force may be older than what there is: files that can't be used, a server that can't be asked.
   * None: it's current.
   */
  | { readonly kind: "stale"; readonly reasons: readonly string[] }
  /** A user's evaluator threw while it was made. */
  | { readonly kind: "failure"; readonly failure: EvaluatorFailure };
