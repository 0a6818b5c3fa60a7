/** Profiles: pods of one namespace that nothing tells apart, and where each pod is among its profile's. */
import type { Pod } from "../../model/kubernetes.ts";
import type { Labels } from "../../model/labels.ts";
import { type Profile, Role } from "./kind.ts";
import type { Kinds } from "./kinds.ts";
import type { NamespaceRecord, Namespaces } from "./namespaces.ts";
import type { PortNames, PortShape } from "./port-names.ts";

export interface ProfileParts {
  readonly kinds: Kinds;
  readonly namespaces: Namespaces;
  readonly ports: PortNames;
  /** Only this node's pods are subjects; null: all are. */
  readonly nodeName: string | null;
}

export class Profiles {
  readonly #parts: ProfileParts;
  /** By number of pod. */
  readonly #places: number[] = [];

  constructor(parts: ProfileParts) {
    this.#parts = parts;
  }

  /** The pod's. One that was made for it has no pods yet, and must get this one. */
  obtain(pod: Pod): Profile {
    const { kinds, namespaces, nodeName, ports } = this.#parts;
    const role = nodeName === null || pod.nodeName === nodeName ? Role.subject : Role.peer;
    const namespace = namespaces.obtain(pod.namespace);
    const shape = ports.shapeOf(pod);
    const key = profileKey(namespace, role, pod.labels, shape);
    const known = namespace.profiles.get(key);
    if (known) return known;
    const labels = usedLabels(namespace, pod.labels);
    const terms = namespaces.termsOf(namespace, labels);
    const kind = kinds.obtain(terms, shape.answers, role);
    const profile: Profile = { namespace, key, labels, shape, kind, pods: [] };
    namespace.profiles.set(key, profile);
    shape.profiles.add(profile);
    kinds.join(kind, profile);
    return profile;
  }

  put(profile: Profile, number: number): void {
    this.#places[number] = profile.pods.length;
    profile.pods.push(number);
    profile.kind.size++;
  }

  /** To be called before the pod is put elsewhere. */
  take(profile: Profile, number: number): void {
    const place = this.#places[number] as number;
    const last = profile.pods.pop() as number;
    if (place < profile.pods.length) {
      profile.pods[place] = last;
      this.#places[last] = place;
    }
    profile.kind.size--;
  }

  dropIfUnused(profile: Profile): void {
    if (profile.pods.length > 0) return;
    const { kinds, namespaces, ports } = this.#parts;
    const { namespace, shape } = profile;
    namespace.profiles.delete(profile.key);
    shape.profiles.delete(profile);
    ports.dropIfUnused(shape);
    kinds.leave(profile.kind, profile);
    namespaces.dropIfUnused(namespace);
  }
}

/** All pods of the profile have this label. False where another profile is what this one would become. */
export function addLabel(profile: Profile, label: string, value: string): boolean {
  const { namespace, shape, kind } = profile;
  const labels = usedLabels(namespace, { ...profile.labels, [label]: value });
  const key = profileKey(namespace, kind.role, labels, shape);
  if (namespace.profiles.has(key)) return false;
  namespace.profiles.delete(profile.key);
  profile.labels = labels;
  profile.key = key;
  namespace.profiles.set(key, profile);
  return true;
}

/** Equal for pods of the namespace, of one role, that none of its terms and no name of a port tells apart. */
function profileKey({ usedKeys }: NamespaceRecord, role: Role, labels: Labels, shape: PortShape): string {
  let key = `${role}`;
  for (const label of usedKeys.keys()) {
    if (!Object.hasOwn(labels, label)) continue;
    const value = labels[label] as string;
    key += `${label.length}:${value.length}:${label}${value}`;
  }
  return `${key}/${shape.key}`;
}

function usedLabels({ usedKeys }: NamespaceRecord, labels: Labels): Labels {
  const used: [string, string][] = [];
  for (const key of usedKeys.keys()) if (Object.hasOwn(labels, key)) used.push([key, labels[key] as string]);
  return Object.fromEntries(used);
}
