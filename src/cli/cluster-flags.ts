/** Flags of the verbs that can ask a cluster. */
import { Option } from "commander";
import type { ClusterOptions } from "../sources/kubernetes/api/kubeconfig.ts";

export interface ClusterFlags {
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export const clusterFlags = {
  kubernetes: new Option(
    "--kubernetes",
    "what the cluster's API server has: by kubeconfig, or as a pod of the cluster",
  ),
  kubeconfig: new Option("--kubeconfig <file>", "another kubeconfig than KUBECONFIG or ~/.kube/config").implies({
    kubernetes: true,
  }),
  context: new Option("--context <name>", "another context of the kubeconfig than its current one").implies({
    kubernetes: true,
  }),
};

/** Null where no cluster is asked. */
export function readCluster({ kubernetes, kubeconfig, context }: ClusterFlags): ClusterOptions | null {
  return kubernetes === true ? { kubeconfig: kubeconfig ?? null, context: context ?? null } : null;
}
