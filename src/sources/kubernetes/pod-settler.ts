/**
 * What each pod comes to among all pods: of live pods that claim one address the loser loses it (NP-66), and one
 * without an address has a number by which it can be named, for as long as it has none.
 */
import { findingAt, type Report } from "../../model/finding.ts";
import type { Pod } from "../../model/kubernetes.ts";
import { formatAddress, unnumberedAddress } from "../../net/address.ts";
import { AddressClaims, type Contest } from "./address-claims.ts";
import { byName } from "./by-name.ts";
import type { Settler } from "./object-table.ts";
import { hasPodEnded } from "./read-pod.ts";

export class PodSettler implements Settler<Pod> {
  readonly #claims = new AddressClaims();
  /** Of pods without an address, by name. */
  readonly #numbers = new Map<string, number>();
  #nextNumber = 0;
  readonly #freeNumbers: number[] = [];
  /** Of pods that the last commit still has: nobody else may have them before the next one. */
  readonly #releasedNumbers: number[] = [];

  settle(
    touched: ReadonlyMap<string, Pod | null>,
    winnerOf: (name: string) => Pod | null,
  ): ReadonlyMap<string, Pod | null> {
    const met = new Set<Contest>();
    for (const [name, before] of touched) {
      const after = winnerOf(name);
      if (before === after) continue;
      if (before) this.#claims.remove(before, met);
      if (after) this.#claims.add(after, met);
    }
    const names = new Set(touched.keys());
    for (const { claimants } of met) for (const pod of claimants) names.add(pod.origin.name);
    const settled = new Map<string, Pod | null>();
    const nameless: Pod[] = [];
    for (const name of names) {
      const winner = winnerOf(name);
      const pod = winner && this.#withoutLost(winner);
      if (pod && pod.addresses.length === 0 && !hasPodEnded(pod.phase)) nameless.push(pod);
      else this.#release(name);
      settled.set(name, pod);
    }
    // In order of names: the same pods have the same numbers, in whatever order they came.
    for (const pod of nameless.sort(byName)) {
      settled.set(pod.origin.name, { ...pod, addresses: [unnumberedAddress(this.#numberOf(pod.origin.name))] });
    }
    return settled;
  }

  committed(): void {
    this.#freeNumbers.push(...this.#releasedNumbers.splice(0));
  }

  /** Of what was settled last. */
  reportShared(report: Report): void {
    for (const pod of [...this.#claims.contenders()].sort(byName)) {
      for (const address of this.#claims.lostBy(pod)) {
        const owner = this.#claims.ownerOf(address);
        const message = `${formatAddress(address)} is claimed by ${owner?.origin.name} too, whose it counts as: packets of it are judged as that pod's; remove the pod that is gone`;
        const rest = { severity: "warning", code: "shared-address", rule: "NP-66", message } as const;
        report(findingAt(pod.origin, "status.podIPs", rest));
      }
    }
  }

  #withoutLost(pod: Pod): Pod {
    const lost = this.#claims.lostBy(pod);
    if (lost.length === 0) return pod;
    return { ...pod, addresses: pod.addresses.filter((address) => !lost.includes(address)), lostAddresses: lost };
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#freeNumbers.pop() ?? this.#nextNumber++;
    this.#numbers.set(name, number);
    return number;
  }

  #release(name: string): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    this.#numbers.delete(name);
    this.#releasedNumbers.push(number);
  }
}
