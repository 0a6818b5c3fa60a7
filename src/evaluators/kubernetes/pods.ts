/**
 * The pods that policies can select: which profile each has, whose each address is, and which addresses have to be
 * diverted. A pod that comes or goes costs itself.
 */
import { isSelectable, type Pod } from "../../model/kubernetes.ts";
import type { Labels } from "../../model/labels.ts";
import { type Address, addressKey, equalAddresses, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import type { AddressIndex } from "./address-index.ts";
import type { Affected } from "./affected.ts";
import { membersOf, visit } from "./few.ts";
import { isCaptured, type Kind, type Kinds, type Profile } from "./kinds.ts";
import type { NamespaceRecord, Namespaces, Term } from "./namespaces.ts";
import type { Host, Nodes } from "./nodes.ts";
import type { PortNames, PortShape } from "./port-names.ts";

export interface PodParts {
  readonly podNodes: PagedWords;
  readonly addresses: AddressIndex;
  readonly kinds: Kinds;
  readonly namespaces: Namespaces;
  readonly nodes: Nodes;
  readonly ports: PortNames;
  readonly affected: Affected;
}

export class Pods {
  readonly #parts: PodParts;
  readonly #numbers = new FreeNumbers(0);
  readonly #byObject = new Map<Pod, number>();
  /** By number. */
  readonly #pods: (Pod | undefined)[] = [];
  readonly #profiles: (Profile | undefined)[] = [];
  readonly #hosts: (Host | null)[] = [];
  /** Where it is among its profile's. */
  readonly #places: number[] = [];
  /** 1 where its addresses are diverted, as everybody knows it. */
  readonly #captured: number[] = [];
  /** Addresses that several pods claim, in order: the last one has it. A source should have settled it (NP-66). */
  readonly #contested = new Map<string, number[]>();
  /** Pods with another kind since they were looked at. */
  #moved: number[] = [];
  /** Addresses that pods began or ceased to have diverted, in order. */
  #diverted: Address[] = [];
  #isDiverted: boolean[] = [];

  constructor(parts: PodParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#byObject.size;
  }

  /** An address may go from one pod to another, so all are given up before one is taken. */
  change(changes: readonly { readonly before: Pod | null; readonly after: Pod | null }[]): void {
    for (const { before, after } of changes) if (before) this.#giveUp(before, after);
    for (const { before, after } of changes) this.#change(before, after);
  }

  onMove(profile: Profile): void {
    for (const number of profile.pods) this.#setKinds(number, profile.kind);
  }

  /**
   * A label that was of no interest to the namespace's terms is now. No term asks for it yet, so that all kinds stay. Pods
   * of a profile mostly have the same value, and then it's the profile that changes.
   */
  onKey(namespace: NamespaceRecord, key: string): void {
    for (const profile of [...namespace.profiles.values()]) {
      if (Object.hasOwn(profile.labels, key)) continue;
      const value = this.#labelOf(profile.pods[0] as number, key);
      const isOne = profile.pods.every((number) => this.#labelOf(number, key) === value);
      if (isOne && (value === undefined || rekey(profile, key, value))) continue;
      const concerned = profile.pods.filter((number) => this.#labelOf(number, key) !== undefined);
      for (const number of concerned) this.#setProfile(number, this.#profileOf(this.#pods[number] as Pod));
    }
  }

  #labelOf(number: number, key: string): string | undefined {
    const { labels } = this.#pods[number] as Pod;
    return Object.hasOwn(labels, key) ? labels[key] : undefined;
  }

  /** Other terms select the namespace's pods. */
  onScopes(namespace: NamespaceRecord): void {
    const { affected, kinds, namespaces } = this.#parts;
    const parts = new Map<Kind, Map<string, { terms: Term[]; profiles: Profile[] }>>();
    for (const profile of namespace.profiles.values()) {
      for (const number of profile.pods) affected.addAll((this.#pods[number] as Pod).addresses);
      const terms = namespaces.termsOf(namespace, profile.labels);
      const { kind } = profile;
      if (terms.length === kind.terms.length && terms.every((term, i) => term === kind.terms[i])) continue;
      const ofKind = parts.get(kind) ?? new Map<string, { terms: Term[]; profiles: Profile[] }>();
      parts.set(kind, ofKind);
      const key = terms.map(({ number }) => number).join();
      const part = ofKind.get(key);
      if (part) part.profiles.push(profile);
      else ofKind.set(key, { terms, profiles: [profile] });
    }
    for (const [kind, ofKind] of parts) {
      const { answers } = kind;
      kinds.change(
        kind,
        [...ofKind.values()].map((part) => ({ ...part, answers })),
        false,
      );
    }
  }

  /** The addresses of pods that the term selects. */
  addAffected(term: Term): void {
    const { affected, kinds, namespaces } = this.#parts;
    if (affected.isAll) return;
    for (const kind of term === namespaces.everyPod ? kinds.ofPods : membersOf(term.kinds)) {
      for (const { pods } of membersOf(kind.profiles)) {
        for (const number of pods) {
          if (affected.isAll) return;
          affected.addAll((this.#pods[number] as Pod).addresses);
        }
      }
    }
  }

  /** What has to be diverted that wasn't, and what no longer, since the last time. */
  takeCaptured(): { readonly added: readonly Address[]; readonly removed: readonly Address[] } {
    for (const kind of this.#parts.kinds.regrouped) {
      if (kind.wasCaptured === isCaptured(kind)) continue;
      kind.wasCaptured = !kind.wasCaptured;
      visit(kind.profiles, ({ pods }) => {
        for (const number of pods) this.#moved.push(number);
      });
    }
    this.#parts.kinds.regrouped.clear();
    for (const number of this.#moved) this.#capture(number);
    this.#moved = [];
    const [diverted, is] = [this.#diverted, this.#isDiverted];
    this.#diverted = [];
    this.#isDiverted = [];
    if (!is.includes(false)) return { added: diverted, removed: [] };
    // An address may have gone from pod to pod: what it was at first and what it is now count.
    const first = new Map<string, number>();
    diverted.forEach((address, i) => {
      const key = addressKey(address);
      if (!first.has(key)) first.set(key, i);
    });
    const captured = { added: [] as Address[], removed: [] as Address[] };
    for (const i of first.values()) {
      const address = diverted[i] as Address;
      if (this.#isCaptured(address) === is[i]) captured[is[i] ? "added" : "removed"].push(address);
    }
    return captured;
  }

  #isCaptured(address: Address): boolean {
    const owner = this.#parts.addresses.ownerOf(address);
    return owner >= 0 && this.#captured[owner] === 1;
  }

  #capture(number: number): void {
    const pod = this.#pods[number];
    const profile = this.#profiles[number];
    const is = profile && isCaptured(profile.kind) ? 1 : 0;
    if (!pod || this.#captured[number] === is) return;
    this.#captured[number] = is;
    this.#divert(pod.addresses, is === 1);
  }

  #divert(addresses: readonly Address[], is: boolean): void {
    for (const address of addresses) {
      if (address.family === Family.none) continue;
      this.#diverted.push(address);
      this.#isDiverted.push(is);
    }
  }

  #giveUp(before: Pod, after: Pod | null): void {
    const number = this.#byObject.get(before);
    if (number === undefined) return;
    const kept = after && isSelectable(after) ? after.addresses : [];
    const lost = before.addresses.filter((address) => !has(kept, address));
    for (const address of lost) this.#release(address, number);
    if (this.#captured[number] === 1) this.#divert(lost, false);
  }

  #change(before: Pod | null, after: Pod | null): void {
    const { affected, nodes, podNodes } = this.#parts;
    const known = before === null ? undefined : this.#byObject.get(before);
    // What comes is learnt before what goes is forgotten.
    const host = after && nodes.join(after);
    if (before) nodes.leave(before);
    if (known === undefined && (!after || !isSelectable(after))) return;
    if (before && known !== undefined) this.#byObject.delete(before);
    if (!after || !isSelectable(after)) {
      affected.addAll(before?.addresses ?? []);
      this.#drop(known as number);
      return;
    }
    const number = known ?? this.#numbers.take();
    this.#byObject.set(after, number);
    this.#pods[number] = after;
    if (known === undefined) {
      this.#captured[number] = 0;
      this.#hosts[number] = null;
      podNodes.reserve(number + 1);
    }
    const oldKind = this.#profiles[number]?.kind;
    const isSameHost = this.#hosts[number] === host;
    if (!isSameHost) {
      this.#hosts[number] = host;
      podNodes.set(number, host?.number ?? 0);
    }
    this.#setProfile(number, this.#profileOf(after));
    const kind = this.#profiles[number]?.kind as Kind;
    const came =
      known === undefined ? after.addresses : after.addresses.filter((a) => !has(before?.addresses ?? [], a));
    for (const address of came) this.#claim(address, number, kind);
    if (this.#captured[number] === 1) this.#divert(came, true);
    const isSame =
      oldKind === kind && isSameHost && came.length === 0 && before?.addresses.length === after.addresses.length;
    if (isSame) return;
    affected.addAll(before?.addresses ?? []);
    affected.addAll(after.addresses);
  }

  #drop(number: number): void {
    this.#leaveProfile(number);
    this.#pods[number] = undefined;
    this.#profiles[number] = undefined;
    this.#captured[number] = 0;
    if (this.#hosts[number]) this.#parts.podNodes.set(number, 0);
    this.#hosts[number] = null;
    this.#numbers.giveBack(number);
  }

  #claim(address: Address, number: number, kind: Kind): void {
    const { addresses } = this.#parts;
    if (addresses.addOwned(address, number, kind.number)) return;
    const owner = addresses.ownerOf(address);
    if (owner >= 0) {
      const key = addressKey(address);
      this.#contested.set(key, [...(this.#contested.get(key) ?? [owner]), number]);
    }
    addresses.setOwner(address, number);
    addresses.setKind(address, kind.number);
  }

  #release(address: Address, number: number): void {
    const { addresses, nodes } = this.#parts;
    const key = this.#contested.size > 0 ? addressKey(address) : "";
    const claims = this.#contested.get(key)?.filter((other) => other !== number) ?? [];
    if (claims.length > 1) this.#contested.set(key, claims);
    else this.#contested.delete(key);
    const next = claims.at(-1) ?? -1;
    if (next >= 0 && addresses.ownerOf(address) !== number) return;
    addresses.setOwner(address, next);
    const profile = next < 0 ? undefined : this.#profiles[next];
    addresses.setKind(address, profile ? profile.kind.number : nodes.kindOf(address));
    if (next >= 0) this.#moved.push(next);
  }

  /** The pod's addresses have the kind now. */
  #setKinds(number: number, kind: Kind): void {
    const { addresses } = this.#parts;
    this.#moved.push(number);
    for (const address of (this.#pods[number] as Pod).addresses) {
      if (addresses.ownerOf(address) === number) addresses.setKind(address, kind.number);
    }
  }

  #setProfile(number: number, profile: Profile): void {
    const before = this.#profiles[number];
    if (before === profile) return;
    this.#profiles[number] = profile;
    const place = this.#places[number] as number;
    this.#places[number] = profile.pods.length;
    profile.pods.push(number);
    profile.kind.size++;
    if (!before) {
      this.#moved.push(number);
      return;
    }
    if (before.kind !== profile.kind) this.#setKinds(number, profile.kind);
    this.#takeOut(before, place);
  }

  #leaveProfile(number: number): void {
    this.#takeOut(this.#profiles[number] as Profile, this.#places[number] as number);
  }

  #takeOut(profile: Profile, place: number): void {
    const { kinds, namespaces, ports } = this.#parts;
    const last = profile.pods.pop() as number;
    if (place < profile.pods.length) {
      profile.pods[place] = last;
      this.#places[last] = place;
    }
    profile.kind.size--;
    if (profile.pods.length > 0) return;
    const { namespace, shape } = profile;
    namespace.profiles.delete(profile.key);
    shape.profiles.delete(profile);
    ports.dropIfUnused(shape);
    kinds.leave(profile.kind, profile);
    namespaces.dropIfUnused(namespace);
  }

  /** A profile that was made for a pod has no pods yet. */
  #profileOf(pod: Pod): Profile {
    const { kinds, namespaces, ports } = this.#parts;
    const namespace = namespaces.obtain(pod.namespace);
    const shape = ports.shapeOf(pod);
    const key = profileKey(namespace, pod.labels, shape);
    const known = namespace.profiles.get(key);
    if (known) return known;
    const labels = usedLabels(namespace, pod.labels);
    const terms = namespaces.termsOf(namespace, labels);
    const kind = kinds.obtain(terms, shape.answers, true);
    const profile: Profile = { namespace, key, labels, shape, kind, pods: [] };
    namespace.profiles.set(key, profile);
    shape.profiles.add(profile);
    kinds.join(kind, profile);
    return profile;
  }
}

/** All pods of the profile have this label. False where another profile is what this one would become. */
function rekey(profile: Profile, label: string, value: string): boolean {
  const { namespace, shape } = profile;
  const labels = usedLabels(namespace, { ...profile.labels, [label]: value });
  const key = profileKey(namespace, labels, shape);
  if (namespace.profiles.has(key)) return false;
  namespace.profiles.delete(profile.key);
  profile.labels = labels;
  profile.key = key;
  namespace.profiles.set(key, profile);
  return true;
}

/** Equal for pods of the namespace that none of its terms and no name of a port tells apart. */
function profileKey({ usedKeys }: NamespaceRecord, labels: Labels, shape: PortShape): string {
  let key = "";
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

function has(list: readonly Address[], address: Address): boolean {
  for (const other of list) if (other === address || equalAddresses(other, address)) return true;
  return false;
}
