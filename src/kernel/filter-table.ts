/**
 * What the table `inet verdictd` holds while it stands: whose packets are diverted, the epoch in force, the addresses
 * whose flows are looked for, the source check. It knows what to tell the kernel of a change; the kernel is told by
 * others, and what was told is noted here when it's in force.
 */
import type { AddressDelta } from "../model/address-change.ts";
import type { Address } from "../net/address.ts";
import { AddressSet } from "./address-set.ts";
import { type FlowChanges, noFlowChanges } from "./conntrack.ts";
import type { MessageBuilder } from "./netlink-client.ts";
import { flushSet, replaceElements, replaceEpoch } from "./nf-tables.ts";
import type { RulesetConfig } from "./ruleset-config.ts";
import { denialSetNames } from "./ruleset-denials.ts";
import { type SourceSet, sourceSets } from "./ruleset-source-check.ts";
import { noSourceCheck, type SourceCheck } from "./source-binding.ts";

export type FirewallConfig = Omit<RulesetConfig, "epoch" | "reviewed" | "renewed">;

/** What one change does to the table; for the sets that hold addresses, not for "all". */
export interface TableChange {
  readonly managed: AddressDelta;
  readonly output: AddressDelta;
  readonly flows: FlowChanges;
  /** The epoch nibble in force afterwards: with another one all flows are judged again. */
  readonly epoch: number;
}
export const noDelta: AddressDelta = { added: [], removed: [] };

/** Messages in their order; each group may be a transaction of its own, none may be cut. */
export type MessageGroups = readonly (readonly MessageBuilder[])[];

export const setNames = ["managed", "output"] as const;
export type SetName = (typeof setNames)[number];

export class FilterTable {
  #config: FirewallConfig;
  #epoch: number;
  readonly #sets: Record<SetName, AddressSet | "all">;
  readonly #reviewed: AddressSet;
  readonly #renewed: AddressSet;

  constructor(config: RulesetConfig) {
    this.#config = config;
    this.#epoch = config.epoch;
    const set = (name: SetName): AddressSet | "all" => {
      const addresses = config[name];
      return addresses === "all" ? addresses : new AddressSet(name, addresses);
    };
    this.#sets = { managed: set("managed"), output: set("output") };
    this.#reviewed = new AddressSet("reviewed", config.reviewed);
    this.#renewed = new AddressSet("renewed", config.renewed);
  }

  /** All that it's made from, as it is now. */
  get config(): RulesetConfig {
    const { managed, output } = this;
    return { ...this.#config, managed, output, epoch: this.#epoch, ...this.flows };
  }

  get managed(): readonly Address[] | "all" {
    return this.#sets.managed === "all" ? "all" : this.#sets.managed.addresses;
  }

  get output(): readonly Address[] | "all" {
    return this.#sets.output === "all" ? "all" : this.#sets.output.addresses;
  }

  get mark(): RulesetConfig["mark"] {
    return this.#config.mark;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get checksSources(): boolean {
    return this.#config.knobs.sourceDestCheck === "on";
  }

  /** The addresses whose flows have not been found yet. */
  get flows(): FlowChanges {
    return { reviewed: this.#reviewed.addresses, renewed: this.#renewed.addresses };
  }

  /** Set name → number of elements, but for those that the packets fill. */
  get sizes(): ReadonlyMap<string, number> {
    const isInReview = !this.#reviewed.isEmpty;
    const addresses = setNames.flatMap((name) => {
      const set = this.#sets[name];
      return set === "all" ? new AddressSet(name).sizes : set.sizes;
    });
    const checked = this.checksSources ? sourceSets(this.#config.sourceCheck ?? noSourceCheck) : [];
    return new Map([
      ["epoch", this.#epoch === 0 || isInReview ? 0 : 1],
      ["reviewed_epoch", this.#epoch !== 0 && isInReview ? 1 : 0],
      ...this.#reviewed.sizes,
      ...this.#renewed.sizes,
      ...addresses,
      ...checked.map(({ name, elements }): [string, number] => [name, elements.length]),
    ]);
  }

  /** All packets are diverted, whatever their addresses. */
  isAll(name: SetName): boolean {
    return this.#sets[name] === "all";
  }

  manages(address: Address): boolean {
    const { managed } = this.#sets;
    return managed === "all" || managed.has(address);
  }

  /** What comes goes in before the epoch changes, what goes leaves after it; denials are forgotten with it (NP-73). */
  describe(change: TableChange): MessageGroups {
    const sets = setNames.flatMap((name) => {
      const set = this.#sets[name];
      return set === "all" ? [] : [{ set, ...change[name] }];
    });
    return [
      ...sets.flatMap(({ set, added }) => set.adding(set.lacks(added)).map((message) => [message])),
      [
        ...this.#renewed.adding(this.#renewed.lacks(change.flows.renewed)),
        ...this.#describeEpoch(change),
        ...denialSetNames.map((name) => flushSet("inet", name)),
      ],
      ...sets.flatMap(({ set, removed }) => set.deleting(set.holds(removed)).map((message) => [message])),
    ];
  }

  /** The change is in force. */
  note({ managed, output, flows, epoch }: TableChange): void {
    for (const [name, { added, removed }] of Object.entries({ managed, output }) as [SetName, AddressDelta][]) {
      const set = this.#sets[name];
      if (set === "all") continue;
      set.insert(added);
      set.delete(removed);
    }
    this.#renewed.insert(flows.renewed);
    if (epoch === this.#epoch) this.#reviewed.insert(flows.reviewed);
    else this.#reviewed.clear();
    this.#epoch = epoch;
  }

  /** These addresses' flows have been found: what is decided, or held, counts from now on. */
  describeSettled({ reviewed, renewed }: FlowChanges): readonly MessageBuilder[] {
    const gone = this.#reviewed.holds(reviewed);
    const isLast = gone.length > 0 && gone.length === this.#reviewed.addresses.length;
    return [
      ...this.#renewed.deleting(this.#renewed.holds(renewed)),
      ...this.#reviewed.deleting(gone),
      ...(isLast ? this.#setEpochs(this.#epoch, false) : []),
    ];
  }

  noteSettled({ reviewed, renewed }: FlowChanges): void {
    this.#reviewed.delete(reviewed);
    this.#renewed.delete(renewed);
  }

  describeSourceCheck(check: SourceCheck): readonly MessageBuilder[] {
    const before = sourceSets(this.#config.sourceCheck ?? noSourceCheck);
    return sourceSets(check).flatMap((set, index) =>
      textOf(set) === textOf(before[index])
        ? []
        : replaceElements(
            "inet",
            set.name,
            set.elements.map(({ key }) => key),
          ),
    );
  }

  noteSourceCheck(sourceCheck: SourceCheck): void {
    this.#config = { ...this.#config, sourceCheck };
  }

  /** With another epoch there is nothing to review: no flow is decided. */
  #describeEpoch({ epoch, flows }: TableChange): readonly MessageBuilder[] {
    const wasInReview = !this.#reviewed.isEmpty;
    if (epoch !== this.#epoch) {
      return [...(wasInReview ? this.#reviewed.flushing() : []), ...this.#setEpochs(epoch, false)];
    }
    const added = this.#reviewed.lacks(flows.reviewed);
    return [...this.#reviewed.adding(added), ...(added.length > 0 && !wasInReview ? this.#setEpochs(epoch, true) : [])];
  }

  #setEpochs(epoch: number, isInReview: boolean): readonly MessageBuilder[] {
    return [
      ...replaceEpoch(this.mark, isInReview ? 0 : epoch, "epoch"),
      ...replaceEpoch(this.mark, isInReview ? epoch : 0, "reviewed_epoch"),
    ];
  }
}

/** A change of nothing but, perhaps, forgotten denials. */
export function emptyChange(epoch: number): TableChange {
  return { managed: noDelta, output: noDelta, flows: noFlowChanges, epoch };
}

function textOf(set: SourceSet | undefined): string {
  return set?.elements.map(({ text }) => text).join() ?? "";
}
