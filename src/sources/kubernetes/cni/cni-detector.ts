/**
 * Which network plugins run in the cluster, and whether they enforce NetworkPolicy too: kept up to date change by
 * change, so that asking costs the agents' pods and not all. Pure.
 */
import type { KubernetesChange } from "../../../model/inventory-change.ts";
import type { Pod } from "../../../model/kubernetes.ts";
import { compareText } from "../by-name.ts";
import { type AgentPod, k3s, signatures } from "./signatures.ts";

export interface Cni {
  /** `unknown` where there are nodes, and no agent that we know. */
  readonly name: string;
  /** Null: not known. */
  readonly enforces: boolean | null;
  readonly switchOff: string | null;
}

export class CniDetector {
  /** By the name of the pod or DaemonSet. */
  readonly #agents = new Map<string, Cni>();
  readonly #nodes = new Map<string, { readonly isK3s: boolean }>();

  update({ pods, nodes }: Pick<KubernetesChange, "pods" | "nodes">): void {
    for (const { before, after } of pods) {
      if (before?.containers) this.#agents.delete(before.origin.name);
      if (after === null || !isAgentPod(after)) continue;
      const signature = signatures.find(({ isAgent }) => isAgent(after));
      if (signature === undefined) continue;
      const { name, switchOff } = signature;
      this.#agents.set(after.origin.name, { name, enforces: signature.enforces(after), switchOff });
    }
    for (const { before, after } of nodes) {
      if (before) this.#nodes.delete(before.name);
      if (after) this.#nodes.set(after.name, { isK3s: after.labels[k3s.nodeLabel] === k3s.name });
    }
  }

  /** In order of names. While a plugin is being changed, what any of its pods does counts. */
  detect(): readonly Cni[] {
    const found = new Map<string, Cni>();
    for (const cni of this.#agents.values()) {
      if (found.get(cni.name)?.enforces !== true) found.set(cni.name, cni);
    }
    const hasK3s = [...this.#nodes.values()].some(({ isK3s }) => isK3s);
    if (hasK3s) found.set(k3s.name, { name: k3s.name, enforces: true, switchOff: k3s.switchOff });
    if (found.size === 0 && this.#nodes.size > 0) return [{ name: "unknown", enforces: null, switchOff: null }];
    return [...found.values()].sort((a, b) => compareText(a.name, b.name));
  }
}

function isAgentPod(pod: Pod): pod is AgentPod {
  return pod.containers !== undefined;
}
