/** Everything `run` can be told, checked before anything is started. */
import type { Knobs } from "../model/knobs.ts";
import type { MarkLayout } from "../model/mark.ts";
import type { Prefix } from "../net/prefix.ts";
import type { ClusterOptions } from "../sources/kubernetes/api/kubeconfig.ts";
import type { LoadedModule } from "../sources/modules/load-modules.ts";
import type { ListenAddress } from "../telemetry/http-server.ts";

export interface AgentOptions {
  readonly directories: readonly string[];
  /** The API server that is listed and watched; null: none. */
  readonly cluster: ClusterOptions | null;
  /** What of policies is told to the cluster: conditions of their status, events about bad ones. */
  readonly told: { readonly conditions: boolean; readonly events: boolean };
  /** Of EC2, these VPCs alone; all where there are none. */
  readonly vpcs: readonly string[];
  /** Of Kubernetes, only this node's pods are judged for, and this machine is that node; null: all pods are. */
  readonly nodeName: string | null;
  /** Where the pods' addresses of this node lie; where there are none, its Node says it. */
  readonly podRanges: readonly Prefix[];
  /** First queue number of those that are ours: `workers` and two more (`queueNumbers`). */
  readonly queue: number;
  readonly workers: number;
  /** Packets that the kernel keeps waiting. */
  readonly queueLength: number;
  /** Microseconds for which a worker looks for the next packet before it sleeps; 0: it sleeps at once. */
  readonly spinMicroseconds: number;
  /** Bridges whose own traffic is enforced, besides those that hold a managed subnet's address. */
  readonly bridges: readonly string[];
  /** Null: no pages. */
  readonly listen: ListenAddress | null;
  /** Metrics under kube-network-policies' names too. */
  readonly knpMetrics: boolean;
  readonly mark: MarkLayout;
  readonly knobs: Knobs;
  /** Users' own evaluators. */
  readonly modules: readonly LoadedModule[];
}
