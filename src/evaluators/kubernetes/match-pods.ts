/**
 * Which terms select a pod, for many pods and many terms: pods are reduced to the labels that any term asks for, and
 * equal ones are matched once; terms are found through one of the labels they need, so that a pod meets few of them.
 */
import { isSelectable, type KubernetesInventory, namespaceLabels, type Pod } from "../../model/kubernetes.ts";
import type { Labels } from "../../model/labels.ts";
import { type Selector, selects } from "../../model/selector.ts";
import type { PodTerm } from "./terms.ts";

/** Indexes of the terms that select the pod, ascending; equal answers are one array. None for a pod that can't be selected. */
export type PodMatcher = (pod: Pod) => readonly number[];

const none: readonly number[] = [];

export function createPodMatcher(terms: readonly PodTerm[], kubernetes: KubernetesInventory): PodMatcher {
  const usedKeys = new Set(terms.flatMap((term) => term.pods.map((requirement) => requirement.key)));
  const index = indexTerms(terms);
  const inNamespace = createNamespaceMatcher(kubernetes);
  const byLabels = new Map<string, readonly number[]>();
  const answers = new Map<string, readonly number[]>([["", none]]);

  const match = (namespace: string, labels: Labels): readonly number[] => {
    const found: number[] = [];
    for (const scope of [namespace, anyNamespace]) {
      const places = [scope, ...Object.entries(labels).map(([key, value]) => labelPlace(scope, key, value))];
      for (const place of places) {
        for (const i of index.get(place) ?? none) {
          const term = terms[i] as PodTerm;
          if (inNamespace(term.namespaces, namespace) && selects(term.pods, labels)) found.push(i);
        }
      }
    }
    return found.sort((a, b) => a - b);
  };

  return (pod) => {
    if (!isSelectable(pod)) return none;
    const used = Object.entries(pod.labels).filter(([key]) => usedKeys.has(key));
    if (used.length > 1) used.sort(([a], [b]) => (a < b ? -1 : 1));
    const name = JSON.stringify([pod.namespace, used]);
    let answer = byLabels.get(name);
    if (!answer) {
      const found = match(pod.namespace, Object.fromEntries(used));
      answer = answers.get(found.join()) ?? found;
      answers.set(found.join(), answer);
      byLabels.set(name, answer);
    }
    return answer;
  };
}

/** No namespace has this name. */
const anyNamespace = "*";

function labelPlace(scope: string, key: string, value: string): string {
  return `${scope}\n${key}\n${value}`;
}

/** Each term under the values of a label that it needs, or under its namespace alone. */
function indexTerms(terms: readonly PodTerm[]): Map<string, number[]> {
  const index = new Map<string, number[]>();
  terms.forEach(({ namespaces, pods }, i) => {
    const scope = typeof namespaces === "string" ? namespaces : anyNamespace;
    const needed = pods.find(({ operator }) => operator === "In");
    const values = needed ? [...new Set(needed.values)].map((v) => labelPlace(scope, needed.key, v)) : [scope];
    for (const place of values) {
      const list = index.get(place);
      if (list) list.push(i);
      else index.set(place, [i]);
    }
  });
  return index;
}

function createNamespaceMatcher(kubernetes: KubernetesInventory): (wanted: string | Selector, name: string) => boolean {
  const labelsOf = namespaceLabels(kubernetes);
  const known = new Map<Selector, Map<string, boolean>>();
  return (wanted, name) => {
    if (typeof wanted === "string") return wanted === name;
    const answers = known.get(wanted) ?? new Map<string, boolean>();
    known.set(wanted, answers);
    const answer = answers.get(name) ?? selects(wanted, labelsOf(name));
    answers.set(name, answer);
    return answer;
  };
}
