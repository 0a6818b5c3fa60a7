/** Who claims an address, and whose it is: each has one owner (NP-66). */
import type { Pod } from "../../model/kubernetes.ts";
import { type Address, addressKey, Family } from "../../net/address.ts";
import { byName } from "./by-name.ts";

/** Short for IPv4, of which there may be a hundred thousand. */
type Key = number | string;

/** Two pods or more claim the address. */
export interface Contest {
  owner: Pod;
  readonly claimants: Pod[];
}

export class AddressClaims {
  readonly #claims = new Map<Key, Pod | Contest>();
  readonly #contests = new Set<Contest>();

  /** Adds the contests that it joins to `met`: what their claimants have may be different now. */
  add(pod: Pod, met: Set<Contest>): void {
    for (const address of claimedBy(pod)) {
      const key = keyOf(address);
      const known = this.#claims.get(key);
      if (known === undefined) {
        this.#claims.set(key, pod);
        continue;
      }
      const contest = isContest(known) ? known : { owner: known, claimants: [known] };
      contest.claimants.push(pod);
      if (beats(pod, contest.owner)) contest.owner = pod;
      this.#claims.set(key, contest);
      this.#contests.add(contest);
      met.add(contest);
    }
  }

  /** The same for those that it leaves, which may be over with that. */
  remove(pod: Pod, met: Set<Contest>): void {
    for (const address of claimedBy(pod)) {
      const key = keyOf(address);
      const known = this.#claims.get(key);
      if (known === pod) this.#claims.delete(key);
      if (known === undefined || !isContest(known)) continue;
      known.claimants.splice(known.claimants.indexOf(pod), 1);
      if (known.owner === pod) known.owner = known.claimants.reduce((owner, one) => (beats(one, owner) ? one : owner));
      met.add(known);
      if (known.claimants.length > 1) continue;
      this.#contests.delete(known);
      this.#claims.set(key, known.owner);
    }
  }

  /** Those of the pod's addresses that are another's. */
  lostBy(pod: Pod): readonly Address[] {
    if (this.#contests.size === 0) return [];
    return claimedBy(pod).filter((address) => this.ownerOf(address) !== pod);
  }

  ownerOf(address: Address): Pod | null {
    const known = this.#claims.get(keyOf(address));
    if (known === undefined) return null;
    return isContest(known) ? known.owner : known;
  }

  /** Pods that claim an address with others. */
  contenders(): Set<Pod> {
    return new Set([...this.#contests].flatMap(({ claimants }) => claimants));
  }
}

function isContest(claim: Pod | Contest): claim is Contest {
  return "claimants" in claim;
}

/** A pod of the host network has its node's addresses, which it takes from nobody. */
function claimedBy(pod: Pod): readonly Address[] {
  return pod.hostNetwork ? [] : pod.addresses;
}

function keyOf(address: Address): Key {
  return address.family === Family.ipv4 ? address.w3 : addressKey(address);
}

/** Running beats others, then the newest, then the first by name (NP-66). */
function beats(a: Pod, b: Pod): boolean {
  if ((a.phase === "Running") !== (b.phase === "Running")) return a.phase === "Running";
  return a.createdAt === b.createdAt ? byName(a, b) < 0 : a.createdAt > b.createdAt;
}
