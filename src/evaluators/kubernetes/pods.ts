/**
 * The pods that policies can select: which profile each has, whose each address is, and which addresses have to be
 * diverted. A pod that comes or goes costs itself.
 */
import { isSelectable, type Pod } from "../../model/kubernetes.ts";
import { type Address, addressKey, equalAddresses } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import type { AddressIndex } from "./address-index.ts";
import type { Affected } from "./affected.ts";
import { type CapturedChange, CapturedPods } from "./captured-pods.ts";
import { membersOf, visit } from "./few.ts";
import type { Host, Hosts } from "./hosts.ts";
import { Diversion, diversionOf, type Kind, type Profile, Role } from "./kind.ts";
import type { Learnt } from "./learnt.ts";
import type { NamespaceRecord, Term } from "./namespaces.ts";
import type { Nodes } from "./nodes.ts";
import { addLabel, type ProfileParts, Profiles } from "./profiles.ts";

export interface PodParts extends ProfileParts {
  readonly podNodes: PagedWords;
  readonly addresses: AddressIndex;
  readonly hosts: Hosts;
  readonly nodes: Nodes;
  readonly affected: Affected;
  readonly learnt: Learnt;
}

export class Pods {
  readonly #parts: PodParts;
  readonly #numbers = new FreeNumbers(0);
  readonly #byObject = new Map<Pod, number>();
  readonly #captured = new CapturedPods();
  readonly #answered = new CapturedPods();
  readonly #profiles: Profiles;
  /** By number. */
  readonly #pods: (Pod | undefined)[] = [];
  readonly #profileOf: (Profile | undefined)[] = [];
  readonly #hosts: (Host | null)[] = [];
  /** Addresses that several pods claim, in order: the last one has it. A source should have settled it (NP-66). */
  readonly #contested = new Map<string, number[]>();
  /** Pods with another kind since they were looked at. */
  #moved: number[] = [];

  constructor(parts: PodParts) {
    this.#parts = parts;
    this.#profiles = new Profiles(parts);
  }

  get size(): number {
    return this.#byObject.size;
  }

  /** Of a pod by number: another one of that name has another. */
  identityOf(number: number): string | null {
    const pod = this.#pods[number];
    return pod ? `${pod.origin.name}@${pod.createdAt}` : null;
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
      if (isOne && (value === undefined || addLabel(profile, key, value))) continue;
      const concerned = profile.pods.filter((number) => this.#labelOf(number, key) !== undefined);
      for (const number of concerned) this.#setProfile(number, this.#profiles.obtain(this.#pods[number] as Pod));
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

  /** The addresses of subjects that the term selects. */
  addAffected(term: Term): void {
    const { affected, kinds, namespaces } = this.#parts;
    if (affected.isAll) return;
    for (const kind of term === namespaces.everyPod ? kinds.ofSubjects : membersOf(term.kinds)) {
      if (kind.role !== Role.subject) continue;
      for (const { pods } of membersOf(kind.profiles)) {
        for (const number of pods) {
          if (affected.isAll) return;
          affected.addAll((this.#pods[number] as Pod).addresses);
        }
      }
    }
  }

  /** What has to be diverted that wasn't, and what no longer, since the last time: packets, and answers of DNS. */
  takeCaptured(): { readonly captured: CapturedChange; readonly answered: CapturedChange } {
    const { addresses, kinds } = this.#parts;
    for (const kind of kinds.regrouped) {
      const diversion = diversionOf(kind);
      if (kind.diversion === diversion) continue;
      kind.diversion = diversion;
      visit(kind.profiles, ({ pods }) => {
        for (const number of pods) this.#moved.push(number);
      });
    }
    kinds.regrouped.clear();
    for (const number of this.#moved) {
      const profile = this.#profileOf[number];
      if (!profile) continue;
      const own = (this.#pods[number] as Pod).addresses;
      const diversion = diversionOf(profile.kind);
      this.#captured.set(number, diversion !== Diversion.none, own);
      this.#answered.set(number, diversion === Diversion.answersToo, own);
    }
    this.#moved = [];
    const ownerOf = (address: Address): number => addresses.ownerOf(address);
    return { captured: this.#captured.take(ownerOf), answered: this.#answered.take(ownerOf) };
  }

  #giveUp(before: Pod, after: Pod | null): void {
    const number = this.#byObject.get(before);
    if (number === undefined) return;
    const kept = after && isSelectable(after) ? after.addresses : [];
    const lost = before.addresses.filter((address) => !has(kept, address));
    for (const address of lost) this.#release(address, number);
    this.#captured.change(number, false, lost);
    this.#answered.change(number, false, lost);
  }

  #change(before: Pod | null, after: Pod | null): void {
    const { affected, hosts, podNodes } = this.#parts;
    const known = before === null ? undefined : this.#byObject.get(before);
    // What comes is learnt before what goes is forgotten.
    const host = after && hosts.joinPod(after);
    if (before) hosts.leavePod(before);
    if (known === undefined && (!after || !isSelectable(after))) return;
    if (before && known !== undefined) this.#byObject.delete(before);
    if (!after || !isSelectable(after)) {
      affected.addAll(before?.addresses ?? []);
      this.#drop(known as number);
      return;
    }
    const number = known ?? this.#numbers.take();
    // Another pod of that name has asked nobody anything yet.
    if (known !== undefined && before?.createdAt !== after.createdAt) this.#parts.learnt.forget(number);
    this.#byObject.set(after, number);
    this.#pods[number] = after;
    if (known === undefined) {
      this.#captured.clear(number);
      this.#answered.clear(number);
      this.#hosts[number] = null;
      podNodes.reserve(number + 1);
    }
    const oldKind = this.#profileOf[number]?.kind;
    const isSameHost = this.#hosts[number] === host;
    if (!isSameHost) {
      this.#hosts[number] = host;
      podNodes.set(number, host?.number ?? 0);
    }
    this.#setProfile(number, this.#profiles.obtain(after));
    const kind = this.#profileOf[number]?.kind as Kind;
    const came =
      known === undefined ? after.addresses : after.addresses.filter((a) => !has(before?.addresses ?? [], a));
    for (const address of came) this.#claim(address, number, kind);
    this.#captured.change(number, true, came);
    this.#answered.change(number, true, came);
    const isSame =
      oldKind === kind && isSameHost && came.length === 0 && before?.addresses.length === after.addresses.length;
    if (isSame) return;
    affected.addAll(before?.addresses ?? []);
    affected.addAll(after.addresses);
  }

  #drop(number: number): void {
    const profile = this.#profileOf[number] as Profile;
    this.#profiles.take(profile, number);
    this.#profiles.dropIfUnused(profile);
    this.#pods[number] = undefined;
    this.#profileOf[number] = undefined;
    this.#captured.clear(number);
    this.#answered.clear(number);
    this.#parts.learnt.forget(number);
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
    const profile = next < 0 ? undefined : this.#profileOf[next];
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
    const before = this.#profileOf[number];
    if (before === profile) return;
    this.#profileOf[number] = profile;
    if (before) this.#profiles.take(before, number);
    this.#profiles.put(profile, number);
    if (before === undefined) this.#moved.push(number);
    else if (before.kind !== profile.kind) this.#setKinds(number, profile.kind);
    if (before) this.#profiles.dropIfUnused(before);
  }
}

function has(list: readonly Address[], address: Address): boolean {
  for (const other of list) if (other === address || equalAddresses(other, address)) return true;
  return false;
}
