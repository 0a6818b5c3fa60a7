/**
 * The kernel's side of enforcement: the tables, their sets and epoch, our bits in connection tracking, and the bridges
 * that are filtered. One for each network namespace.
 *
 * Order is the caller's, and it matters:
 *
 * - Start: bind the queues, `install`, `clearDecisions`, `publishEpoch`.
 * - A change: `takeEpoch`, workers switch programs and mark with it what they decide, `change`.
 *   The engine knows a policy before the kernel asks for it; an address is judged before it's trusted.
 * - Meanwhile: `isIntact`, and `restore` where it isn't; never while another of these is under way.
 * - Stop: `remove` or `keep`, then verdicts for everything queued, then close the queues, then `close`.
 *
 * What returns no promise blocks, for microseconds where nothing is listed. What returns one doesn't, however many flows
 * there are.
 */

import type { AddressChange, AddressDelta } from "../model/address-change.ts";
import type { NetworkInterface } from "../model/ec2.ts";
import type { PodRangeChange } from "../model/pod-range.ts";
import type { Address } from "../net/address.ts";
import type { Addon } from "./addon.ts";
import { AddressSet } from "./address-set.ts";
import { Bridges } from "./bridge.ts";
import { bridgesToEnforce } from "./bridge-choice.ts";
import { BridgeTable } from "./bridge-table.ts";
import { Conntrack, type FlowChanges, noFlowChanges } from "./conntrack.ts";
import { KernelError } from "./error.ts";
import {
  epochChange,
  FilterTable,
  type FirewallConfig,
  noDelta,
  type SetName,
  setNames,
  type TableChange,
} from "./filter-table.ts";
import { FlowReview } from "./flow-review.ts";
import { ForwardingPins } from "./forwarding-pins.ts";
import { listAddresses, listLinks } from "./links.ts";
import { listForwarding, listNeighbours } from "./neighbours.ts";
import { NetlinkClient, NetlinkProtocol } from "./netlink-client.ts";
import { type RuleCounts, RuleTables, readCounters } from "./rule-tables.ts";
import { bindSources } from "./source-binding.ts";
import { SwitchMemory } from "./switch-memory.ts";

export type { FirewallConfig, RuleCounts };

/** Whose packets are diverted: the addresses that evaluators manage, and those judged on this host's output too. */
export interface AddressSetChanges extends Readonly<Record<SetName, AddressChange>> {
  /** Counts where the table was installed with a range. */
  readonly podRange: PodRangeChange;
  readonly answered: AddressDelta;
}

export interface FirewallOptions {
  /** Flows of changed addresses could not be looked for in connection tracking: that is tried again. */
  readonly onSearchFailure?: (error: unknown) => void;
  /** Another one in tests. */
  readonly searchDelayMs?: number;
}
/** From a change to the search for its flows. */
const SEARCH_DELAY_MS = 1000;
/** Searches after which there must be a free epoch: the first may find older ones' flows, the next what is left of them. */
const EPOCH_ATTEMPTS = 4;

export class Firewall {
  readonly #netfilter: NetlinkClient;
  readonly #route: NetlinkClient;
  readonly #bridges: Bridges;
  readonly #bridgeTable: BridgeTable;
  readonly #tables: RuleTables;
  readonly #conntrack: Conntrack;
  readonly #review: FlowReview;
  readonly #pins: ForwardingPins;
  readonly #switches = new SwitchMemory();
  #installed: FilterTable | null = null;

  constructor(addon: Pick<Addon, "NetlinkSocket">, options: FirewallOptions = {}) {
    this.#netfilter = new NetlinkClient(addon, NetlinkProtocol.netfilter);
    this.#route = new NetlinkClient(addon, NetlinkProtocol.route);
    this.#bridges = new Bridges(this.#route, this.#switches);
    this.#bridgeTable = new BridgeTable(this.#netfilter);
    this.#tables = new RuleTables(this.#netfilter, this.#bridgeTable);
    this.#conntrack = new Conntrack(addon);
    this.#review = new FlowReview({
      conntrack: this.#conntrack,
      commit: (operation, groups) => this.#tables.commit(operation, groups),
      onFailure: options.onSearchFailure ?? (() => {}),
      delayMs: options.searchDelayMs ?? SEARCH_DELAY_MS,
    });
    this.#pins = new ForwardingPins(this.#route);
  }

  /**
   * Makes the tables, or replaces those that an earlier run left, with nothing decided: from the moment they're there,
   * every packet of a managed address is diverted.
   */
  async install(config: FirewallConfig): Promise<void> {
    await this.#tables.make({ ...config, epoch: 0 });
    this.#adopt(new FilterTable({ ...config, epoch: 0 }), noFlowChanges);
  }

  /**
   * Whether the tables are still as we made them and keep them. Costs one question where nobody else's rules have
   * changed; throws KernelError where the kernel can't be asked.
   */
  isIntact(): boolean {
    return this.#tables.areIntact(this.#get());
  }

  /** Makes the tables again with what they had, the epoch included: what is decided stays decided. */
  async restore(): Promise<void> {
    await this.#tables.make(this.#get().config);
  }

  /** No earlier run left anything here: bridges are as their owner has them. */
  forgetSwitches(): void {
    this.#switches.clear();
  }

  /**
   * Makes all flows undecided, and forgets what those of renewed addresses were held for, or all of them. Returns how many
   * entries changed.
   */
  clearDecisions(renewed: readonly Address[] | "held too" = []): Promise<number> {
    return this.#conntrack.clearDecisions(renewed);
  }

  /** From here on, flows decided in this epoch are the kernel's, and all others are asked about. At the start. */
  publishEpoch(epoch: number): void {
    this.#enforce(epochChange(epoch));
  }

  /** A number that no flow's mark carries, for the next change; one that was taken for a change that failed is given up. */
  async takeEpoch(): Promise<number> {
    const { epochs } = this.#get();
    for (let attempt = 0; attempt < EPOCH_ATTEMPTS; attempt++) {
      const epoch = epochs.take();
      if (epoch !== null) return epoch;
      this.#review.begin(this.#get(), noFlowChanges);
      await this.#review.searched();
    }
    throw new KernelError("VERDICTD_CONNTRACK", "take an epoch", 0, "connection tracking could not be searched");
  }

  /**
   * Diverts other addresses than before, has the flows of the affected ones judged again, or all, and forgets denied
   * attempts (NP-73), in one transaction: in force when it resolves. What flows of renewed addresses were held for counts no
   * more: they are somebody else's now. Connection tracking is searched for those flows afterwards (`settled`).
   */
  async change(
    epoch: number,
    sets: AddressSetChanges,
    affected: readonly Address[] | "all",
    renewed: readonly Address[],
  ): Promise<void> {
    const table = this.#get();
    const flows = { reviewed: affected === "all" ? [] : affected, renewed };
    const keepsDecisions = affected !== "all";
    const hasShape = setNames.every((name) => (sets[name] === "all") === table.isAll(name));
    const deltaOf = (name: SetName): AddressDelta => (sets[name] === "all" || !hasShape ? noDelta : sets[name]);
    const { answered, podRange } = sets;
    const { known, prefixes } = podRange;
    const [managed, output] = [deltaOf("managed"), deltaOf("output")];
    const change = { managed, output, answered, known, flows, epoch, keepsDecisions };
    if (hasShape && (prefixes === null || table.podRange === undefined)) this.#enforce(change);
    else await this.#reshape(sets, change);
  }

  /** Resolves when connection tracking has been searched for all that changed; with the number of flows found. */
  settled(): Promise<number> {
    return this.#review.settled();
  }

  /**
   * The bridges to filter inside: those that carry a managed address's network or pods, and those that are named. With `among`
   * only these of the managed addresses are looked at.
   */
  bridgesCarrying(named: readonly string[], among?: readonly Address[]): readonly string[] {
    const table = this.#get();
    const addresses = table.isAll("managed") ? "all" : (among ?? table.managed);
    const range = table.podRange?.prefixes ?? [];
    return bridgesToEnforce(listLinks(this.#route), listAddresses(this.#route), addresses, range, named);
  }

  /** Filters the traffic inside these bridges, and inside no other; returns the names that no bridge has. */
  enforceBridges(names: readonly string[]): readonly string[] {
    const missing = this.#bridges.enforce(names);
    this.#bridgeTable.enforce(this.#bridges.enforced, listLinks(this.#route), (operation, messages) =>
      this.#tables.commit(operation, [messages]),
    );
    return missing;
  }

  /** False where one of those bridges, or a port of any, came, went or was changed by others since. */
  areBridgesEnforced(): boolean {
    const { enforced } = this.#bridges;
    return (
      this.#bridges.areEnforced() &&
      (enforced.length === 0 || this.#bridgeTable.isCurrent(enforced, listLinks(this.#route)))
    );
  }

  /**
   * Checks, on the bridges that are enforced, that interfaces send and receive with their own addresses (SG-94), as far
   * as their hardware addresses are known by now, and keeps the bridges from forgetting those of managed endpoints.
   */
  checkSources(interfaces: readonly NetworkInterface[]): void {
    const table = this.#get();
    const bridges = this.#bridges.enforced;
    if (bridges.length === 0 && table.sizes.get("checked_bridges") === 0) return;
    const neighbours = listNeighbours(this.#route).filter((n) => bridges.includes(n.linkIndex));
    const forwarding = listForwarding(this.#route);
    const check = bindSources(interfaces, bridges, neighbours, forwarding);
    const managed = neighbours.filter(({ address }) => table.manages(address));
    this.#pins.pin(new Set([...managed, ...check.bindings].map(({ mac }) => mac)), bridges, forwarding);
    if (!table.checksSources) return;
    this.#tables.commit("check sources", [table.describeSourceCheck(check)]);
    table.noteSourceCheck(check);
  }

  counters(): Promise<RuleCounts> {
    return readCounters();
  }

  /**
   * Takes everything of ours out of the kernel: tables, ct-mark bits, bridge flags. Each is tried even where another
   * fails; the last failure is thrown. May be called twice.
   */
  async remove(): Promise<void> {
    const wasInstalled = this.#installed !== null;
    this.keep();
    try {
      this.#tables.remove();
    } finally {
      try {
        this.#pins.restore();
      } finally {
        try {
          this.#bridges.restore();
        } finally {
          if (wasInstalled) await this.#conntrack.clearAll();
        }
      }
    }
  }

  /** Leaves everything in force without us (`onStop=keep`): what is decided goes on, what isn't is dropped. */
  keep(): void {
    this.#installed = null;
    this.#review.stop();
  }

  /** Closes the sockets; the kernel keeps what it has. May be called twice. */
  close(): void {
    this.#review.stop();
    this.#netfilter.close();
    this.#route.close();
    this.#conntrack.close();
  }

  get hook(): FirewallConfig["hook"] {
    return this.#get().config.hook;
  }

  /** Moves the rules to other hooks, with all that they have: what is decided stays decided. */
  async useHook(hook: FirewallConfig["hook"]): Promise<void> {
    const moved = this.#get().reshaped({ hook });
    await this.#tables.rebuild(moved.config);
    this.#adopt(moved, moved.flows);
  }

  /** "All packets" is another shape of the chains, not a set; so is the pods' range. */
  async #reshape(sets: AddressSetChanges, change: TableChange): Promise<void> {
    const table = this.#get();
    const target = (name: SetName): readonly Address[] | "all" => {
      const { [name]: wanted } = sets;
      if (wanted === "all") return wanted;
      const set = new AddressSet(name, table[name] === "all" ? [] : table[name]);
      set.insert(wanted.added);
      set.delete(wanted.removed);
      return set.addresses;
    };
    const { podRange } = table;
    const prefixes = sets.podRange.prefixes ?? podRange?.prefixes ?? [];
    const range = podRange === undefined ? {} : { podRange: { ...podRange, prefixes } };
    const reshaped = table.reshaped({ managed: target("managed"), output: target("output"), ...range });
    reshaped.note(change);
    await this.#tables.rebuild(reshaped.config);
    this.#adopt(reshaped, reshaped.flows);
  }

  /** What the kernel refuses is nowhere noted. */
  #enforce(change: TableChange): void {
    const table = this.#get();
    this.#tables.commit("enforce a change", table.describe(change));
    table.note(change);
    this.#adopt(table, change.flows);
  }

  #adopt(table: FilterTable, flows: FlowChanges): void {
    this.#installed = table;
    this.#conntrack.useLayout(table.mark);
    this.#review.begin(table, flows);
  }

  #get(): FilterTable {
    if (this.#installed === null) throw new TypeError("the firewall isn't installed");
    return this.#installed;
  }
}
