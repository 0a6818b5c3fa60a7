/**
 * What users call a pod or workload: `namespace/name`, or `Kind:namespace/name`. A workload that owns pods of the
 * inventory without being in it itself goes by its own name too, and stands for the first of its pods in text order.
 */
import type { Pod } from "./kubernetes.ts";

/** The pods that a name means: none, one, or several where it is ambiguous. */
export type PodNames = (name: string) => readonly Pod[];

/** `pods` in text order. */
export function indexPodNames(pods: readonly Pod[]): PodNames {
  const objects = new Map<string, Pod[]>();
  const owners = new Map<string, Pod[]>();
  const add = (index: Map<string, Pod[]>, name: string, pod: Pod): void => {
    const list = index.get(name);
    if (list) list.push(pod);
    else index.set(name, [pod]);
  };
  const seen = new Set<string>();
  for (const pod of pods) {
    add(objects, `${pod.namespace}/${pod.name}`, pod);
    add(objects, `${pod.kind}:${pod.namespace}/${pod.name}`, pod);
    if (pod.owner === null || pod.addresses.length === 0) continue;
    const name = `${pod.namespace}/${pod.owner.name}`;
    const full = `${pod.owner.kind}:${name}`;
    if (seen.has(full)) continue;
    seen.add(full);
    add(owners, name, pod);
    add(owners, full, pod);
  }
  return (name) => objects.get(name) ?? owners.get(name) ?? [];
}
