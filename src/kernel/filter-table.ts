/**
 * What the table `inet verdictd` holds while it stands: whose packets are diverted, the epoch in force, the addresses
 * whose flows are looked for, the source check. It knows what to tell the kernel of a change; the kernel is told by
 * others, and what was told is noted here when it's in force.
 */
import type { AddressDelta } from "../model/address-change.ts";
import type { Address } from "../net/address.ts";
import { AddressSet } from "./address-set.ts";
import { type FlowChanges, noFlowChanges } from "./conntrack.ts";
import { Epochs, epochSets } from "./epochs.ts";
import type { MessageBuilder } from "./netlink-client.ts";
import { flushSet, replaceElements, replaceEpochs } from "./nf-tables.ts";
import type { RulesetConfig } from "./ruleset-config.ts";
import { denialSetNames } from "./ruleset-denials.ts";
import type { PodRange } from "./ruleset-pod-range.ts";
import { type SourceSet, sourceSets } from "./ruleset-source-check.ts";
import { noSourceCheck, type SourceCheck } from "./source-binding.ts";

export type FirewallConfig = Omit<RulesetConfig, "epoch" | "olderEpochs" | "reviewed" | "renewed">;

/** Whose packets are diverted: the addresses that evaluators manage, and those judged on this host's output too. */
export type AddressSets = Pick<RulesetConfig, "managed" | "output" | "podRange">;

/** What one change does to the table; for the sets that hold addresses, not for "all". */
export interface TableChange {
  readonly managed: AddressDelta;
  readonly output: AddressDelta;
  /** Of the pods' range. */
  readonly known: AddressDelta;
  readonly answered: AddressDelta;
  readonly flows: FlowChanges;
  /** In force afterwards. */
  readonly epoch: number;
  /** False: no decision of an epoch before counts, all flows are judged again. */
  readonly keepsDecisions: boolean;
}
export const noDelta: AddressDelta = { added: [], removed: [] };

/** Messages in their order; each group may be a transaction of its own, none may be cut. */
export type MessageGroups = readonly (readonly MessageBuilder[])[];

export const setNames = ["managed", "output"] as const;
export type SetName = (typeof setNames)[number];

export class FilterTable {
  #config: FirewallConfig;
  readonly epochs: Epochs;
  readonly #sets: Record<SetName, AddressSet | "all">;
  readonly #known: AddressSet;
  /** To whom answers of DNS are seen. */
  readonly #answered: AddressSet;
  readonly #reviewed: AddressSet;
  readonly #renewed: AddressSet;

  constructor(config: RulesetConfig, epochs = new Epochs()) {
    this.#config = config;
    this.epochs = epochs;
    const set = (name: SetName): AddressSet | "all" => {
      const addresses = config[name];
      return addresses === "all" ? addresses : new AddressSet(name, addresses);
    };
    this.#sets = { managed: set("managed"), output: set("output") };
    this.#known = new AddressSet("known", config.podRange?.known);
    this.#answered = new AddressSet("answered", config.answered);
    this.#reviewed = new AddressSet("reviewed", config.reviewed);
    this.#renewed = new AddressSet("renewed", config.renewed);
  }

  /** The same with other addresses, or at other hooks. */
  reshaped(differences: Partial<AddressSets & Pick<RulesetConfig, "hook">>): FilterTable {
    return new FilterTable({ ...this.config, ...differences }, this.epochs.copy());
  }

  /** All that it's made from, as it is now. */
  get config(): RulesetConfig {
    const { managed, output, podRange } = this;
    const answered = this.#answered.addresses;
    const { current, older } = this.epochs;
    const range = podRange === undefined ? {} : { podRange };
    return { ...this.#config, managed, output, answered, ...range, epoch: current, olderEpochs: older, ...this.flows };
  }

  get managed(): readonly Address[] | "all" {
    return this.#sets.managed === "all" ? "all" : this.#sets.managed.addresses;
  }

  get output(): readonly Address[] | "all" {
    return this.#sets.output === "all" ? "all" : this.#sets.output.addresses;
  }

  get podRange(): PodRange | undefined {
    const { podRange } = this.#config;
    return podRange === undefined ? undefined : { ...podRange, known: this.#known.addresses };
  }

  get mark(): RulesetConfig["mark"] {
    return this.#config.mark;
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
    const addresses = setNames.flatMap((name) => {
      const set = this.#sets[name];
      return set === "all" ? new AddressSet(name).sizes : set.sizes;
    });
    const checked = this.checksSources ? sourceSets(this.#config.sourceCheck ?? noSourceCheck) : [];
    return new Map([
      ...Object.entries(epochSets(this.epochs, !this.#reviewed.isEmpty)).map(([name, epochs]): [string, number] => [
        name,
        epochs.length,
      ]),
      ...this.#answered.sizes,
      ...this.#reviewed.sizes,
      ...this.#renewed.sizes,
      ...addresses,
      ...(this.#config.podRange === undefined ? [] : this.#known.sizes),
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

  /**
   * What comes goes in before the epoch changes, what goes leaves after it; denials are forgotten with it (NP-73). An
   * address of the pods' range is known while it's diverted, and not before.
   */
  describe(change: TableChange): MessageGroups {
    const sets = setNames.flatMap((name) => {
      const set = this.#sets[name];
      return set === "all" ? [] : [{ set, ...change[name] }];
    });
    sets.push({ set: this.#answered, ...change.answered });
    return [
      ...sets.flatMap(({ set, added }) => set.adding(set.lacks(added)).map((message) => [message])),
      [
        ...this.#renewed.adding(this.#renewed.lacks(change.flows.renewed)),
        ...this.#describeFlows(change),
        ...denialSetNames.map((name) => flushSet("inet", name)),
      ],
      ...(this.#config.podRange === undefined
        ? []
        : [
            ...this.#known.adding(this.#known.lacks(change.known.added)),
            ...this.#known.deleting(this.#known.holds(change.known.removed)),
          ].map((message) => [message])),
      ...sets.flatMap(({ set, removed }) => set.deleting(set.holds(removed)).map((message) => [message])),
    ];
  }

  /** The change is in force. */
  note({ managed, output, answered, known, flows, epoch, keepsDecisions }: TableChange): void {
    this.#known.insert(known.added);
    this.#known.delete(known.removed);
    for (const [name, { added, removed }] of Object.entries({ managed, output }) as [SetName, AddressDelta][]) {
      const set = this.#sets[name];
      if (set === "all") continue;
      set.insert(added);
      set.delete(removed);
    }
    this.#answered.insert(answered.added);
    this.#answered.delete(answered.removed);
    this.#renewed.insert(flows.renewed);
    if (!keepsDecisions) this.#reviewed.clear();
    this.#reviewed.insert(flows.reviewed);
    this.epochs.publish(epoch, keepsDecisions);
  }

  /** The flows of these addresses have been found; what these older epochs decided has the current one's number. */
  describeSettled({ reviewed, renewed }: FlowChanges, renumbered: readonly number[]): readonly MessageBuilder[] {
    const gone = this.#reviewed.holds(reviewed);
    const isInReview = gone.length < this.#reviewed.addresses.length;
    const after = this.epochs.copy();
    after.retire(renumbered);
    return [
      ...this.#renewed.deleting(this.#renewed.holds(renewed)),
      ...this.#reviewed.deleting(gone),
      ...this.#describeEpochs(after, isInReview),
    ];
  }

  noteSettled({ reviewed, renewed }: FlowChanges, renumbered: readonly number[]): void {
    this.#reviewed.delete(reviewed);
    this.#renewed.delete(renewed);
    this.epochs.retire(renumbered);
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

  /** Where no decision before counts there is nothing to review. */
  #describeFlows({ epoch, keepsDecisions, flows }: TableChange): readonly MessageBuilder[] {
    const after = this.epochs.copy();
    after.publish(epoch, keepsDecisions);
    const reviewed = keepsDecisions
      ? this.#reviewed.adding(this.#reviewed.lacks(flows.reviewed))
      : [...(this.#reviewed.isEmpty ? [] : this.#reviewed.flushing()), ...this.#reviewed.adding(flows.reviewed)];
    const isInReview = flows.reviewed.length > 0 || (keepsDecisions && !this.#reviewed.isEmpty);
    return [...reviewed, ...this.#describeEpochs(after, isInReview)];
  }

  #describeEpochs(after: Epochs, isInReview: boolean): readonly MessageBuilder[] {
    const before = epochSets(this.epochs, !this.#reviewed.isEmpty);
    return Object.entries(epochSets(after, isInReview)).flatMap(([set, epochs]) =>
      epochs.join() === before[set as keyof typeof before].join() ? [] : replaceEpochs(this.mark, set, epochs),
    );
  }
}

/** Another epoch, and nothing else; denials are forgotten. */
export function epochChange(epoch: number): TableChange {
  return {
    ...{ managed: noDelta, output: noDelta, answered: noDelta, known: noDelta },
    ...{ flows: noFlowChanges, epoch, keepsDecisions: false },
  };
}

function textOf(set: SourceSet | undefined): string {
  return set?.elements.map(({ text }) => text).join() ?? "";
}
