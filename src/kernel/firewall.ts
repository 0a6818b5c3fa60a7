/**
 * The kernel's side of enforcement: the table, its sets and its epoch, our bits in connection tracking, and the bridges
 * that are filtered. One for each network namespace.
 *
 * Order is the caller's, and it matters:
 *
 * - Start: bind the queues, `install`, `clearDecisions`, `publishEpoch`.
 * - A change: `sweepEpoch(next)`, workers switch programs, `addAddresses`, `publishEpoch(next)`, `removeAddresses`.
 *   The engine knows a policy before the kernel asks for it; an address is judged before it's trusted.
 * - Meanwhile: `isIntact`, and `restore` where it isn't; never while another of these is under way.
 * - Stop: `remove` or `keep`, then verdicts for everything queued, then close the queues, then `close`.
 *
 * All that return no promise block, for microseconds where nothing is listed.
 */

import type { AddressChange, AddressDelta } from "../model/address-change.ts";
import type { NetworkInterface } from "../model/ec2.ts";
import { epochBits } from "../model/epoch.ts";
import { type Address, addressKey, Family } from "../net/address.ts";
import type { Addon } from "./addon.ts";
import { Bridges } from "./bridge.ts";
import { bridgesToEnforce } from "./bridge-choice.ts";
import { BridgeTable } from "./bridge-table.ts";
import { Conntrack } from "./conntrack.ts";
import { KernelError } from "./error.ts";
import { ForwardingPins } from "./forwarding-pins.ts";
import { listAddresses, listLinks } from "./links.ts";
import { listForwarding, listNeighbours } from "./neighbours.ts";
import { type MessageBuilder, NetlinkClient, NetlinkProtocol, netlinkFailure } from "./netlink-client.ts";
import { addElements, batch, deleteElements, deleteTable, flushSet, replaceEpoch } from "./nf-tables.ts";
import { applyRuleset, listObjects, listTimeouts, type NftObject } from "./nft.ts";
import { replaceQueueRule } from "./queue-rule.ts";
import { type Leftover, renderQueueChain, renderRuleset, shapeOf } from "./ruleset.ts";
import {
  bridgeCounters,
  QUEUE_CHAIN,
  type RuleCounter,
  type RulesetConfig,
  ruleCounters,
  TABLE,
  TABLE_NAME,
  type TableFamily,
} from "./ruleset-config.ts";
import { denialSetNames } from "./ruleset-denials.ts";
import { renderSourceElements, sourceSetSizes } from "./ruleset-source-check.ts";
import { bindSources } from "./source-binding.ts";
import { SwitchMemory } from "./switch-memory.ts";
import { type Shape, type TableState, TableWatch } from "./table-watch.ts";

export type FirewallConfig = Omit<RulesetConfig, "epoch">;
/** Whose packets are diverted: the addresses that evaluators manage, and those judged on this host's output too. */
export type AddressSets = Pick<RulesetConfig, "managed" | "output">;
/** What the two sets gain and lose. */
export type AddressSetChanges = Readonly<Record<keyof AddressSets, AddressChange>>;
/** Packets and bytes since the table was made. */
export type RuleCounts = Readonly<Record<RuleCounter, { readonly packets: number; readonly bytes: number }>>;

const ENOENT = 2;
/** The kernel has no tables of that family. */
const EOPNOTSUPP = 95;
/** Messages of one transaction: each is 28 KiB at most, a socket's send buffer 200 KiB. */
const MESSAGES_OF_BATCH = 5;
const setNames = ["managed", "output"] as const;
type SetName = (typeof setNames)[number];

export class Firewall {
  readonly #netfilter: NetlinkClient;
  readonly #route: NetlinkClient;
  readonly #bridges: Bridges;
  readonly #bridgeTable: BridgeTable;
  readonly #watch: TableWatch;
  readonly #pins: ForwardingPins;
  readonly #switches = new SwitchMemory();
  #installed: Installed | null = null;

  constructor(addon: Pick<Addon, "NetlinkSocket">) {
    this.#netfilter = new NetlinkClient(addon, NetlinkProtocol.netfilter);
    this.#route = new NetlinkClient(addon, NetlinkProtocol.route);
    this.#bridges = new Bridges(this.#route, this.#switches);
    this.#bridgeTable = new BridgeTable(this.#netfilter);
    this.#watch = new TableWatch(this.#netfilter);
    this.#pins = new ForwardingPins(this.#route);
  }

  /**
   * Makes the table, or replaces one that an earlier run left, with nothing decided: from the moment it's there, every
   * packet of a managed address is diverted. The queue rule comes first, so that none is lost on the way; the rest is
   * one transaction, so that a table that was left to keep flows closed never stops doing so.
   */
  async install(config: FirewallConfig): Promise<void> {
    await this.#make(config, 0);
  }

  /**
   * Whether the tables are still as we made them and keep them. Costs one question where nobody's rules have changed;
   * throws KernelError where the kernel can't be asked.
   */
  isIntact(): boolean {
    const installed = this.#get();
    return this.#watch.isIntact(() => {
      const bridge = this.#bridgeTable.state;
      const states: [TableFamily, TableState][] = [["inet", { isOn: true, sets: setSizes(installed) }]];
      return new Map(bridge === null ? states : [...states, ["bridge", bridge]]);
    });
  }

  /** Makes the table again with what it had, the epoch included: what is decided stays decided. */
  async restore(): Promise<void> {
    const { config, epochNibble, managed, output } = this.#get();
    const present = {
      managed: config.managed === "all" ? config.managed : [...managed.values()],
      output: config.output === "all" ? config.output : [...output.values()],
    };
    await this.#make({ ...config, ...present }, epochNibble);
  }

  /** Whether a table of ours is there, this run's or an earlier one's. */
  async hasTable(): Promise<boolean> {
    return (await listObjects("chains")).some((chain) => isOurs(chain));
  }

  /** No earlier run left anything here: bridges are as their owner has them. */
  forgetSwitches(): void {
    this.#switches.clear();
  }

  /** Forgets what flows from and to these addresses were admitted for. Returns how many there were. */
  clearHeld(addresses: readonly Address[]): number {
    return this.#conntrack().clearHeld(addresses);
  }

  /** Makes the flows from and to these addresses undecided. Returns how many there were. */
  resetFlows(addresses: readonly Address[]): number {
    return this.#conntrack().clearDecisionsOf(addresses);
  }

  /** Makes all flows undecided. Returns how many there were. */
  clearDecisions(): number {
    return this.#conntrack().clearDecisions();
  }

  /** Makes the flows undecided that were decided in the epoch which last had this number's nibble. */
  sweepEpoch(epoch: number): number {
    return this.#conntrack().sweepEpoch(epochBits(epoch));
  }

  /**
   * From here on, flows decided in this epoch are the kernel's, and all others are asked about again; denied attempts
   * are forgotten.
   */
  publishEpoch(epoch: number): void {
    const installed = this.#get();
    const messages = [...replaceEpoch(installed.config.mark, epochBits(epoch)), ...flushDenials()];
    this.#commit("publish the epoch", messages);
    installed.epochNibble = epochBits(epoch);
  }

  /** Diverts other addresses than before; denied attempts are forgotten. */
  async changeAddresses(change: AddressSetChanges): Promise<void> {
    await this.#changeSets(change, this.#get().epochNibble, flushDenials());
  }

  /** The same, and from here on only flows decided in this epoch are the kernel's, in the same transaction. */
  async changeEpoch(epoch: number, change: AddressSetChanges): Promise<void> {
    const nibble = epochBits(epoch);
    await this.#changeSets(change, nibble, [...replaceEpoch(this.#get().config.mark, nibble), ...flushDenials()]);
    this.#get().epochNibble = nibble;
  }

  /**
   * The bridges to filter inside: those that carry a managed address's network, and those that are named. With `among`
   * only these of the managed addresses are looked at.
   */
  bridgesCarrying(named: readonly string[], among?: readonly Address[]): readonly string[] {
    const { config, managed } = this.#get();
    const addresses = config.managed === "all" ? config.managed : (among ?? [...managed.values()]);
    return bridgesToEnforce(listLinks(this.#route), listAddresses(this.#route), addresses, named);
  }

  /** Filters the traffic inside these bridges, and inside no other; returns the names that no bridge has. */
  enforceBridges(names: readonly string[]): readonly string[] {
    const missing = this.#bridges.enforce(names);
    this.#bridgeTable.enforce(this.#bridges.enforced, listLinks(this.#route), (operation, messages) =>
      this.#commit(operation, messages),
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
  async checkSources(interfaces: readonly NetworkInterface[]): Promise<void> {
    const installed = this.#get();
    const bridges = this.#bridges.enforced;
    if (bridges.length === 0 && installed.sourceText === "") return;
    const neighbours = listNeighbours(this.#route).filter((n) => bridges.includes(n.linkIndex));
    const forwarding = listForwarding(this.#route);
    const check = bindSources(interfaces, bridges, neighbours, forwarding);
    const managed = neighbours.filter(
      (n) => installed.config.managed === "all" || installed.managed.has(addressKey(n.address)),
    );
    const macs = new Set([...managed, ...check.bindings].map(({ mac }) => mac));
    this.#pins.pin(macs, bridges, forwarding);
    if (installed.config.knobs.sourceDestCheck === "off") return;
    const text = renderSourceElements(TABLE, check);
    if (text === installed.sourceText) return;
    await applyRuleset(text);
    if (this.#installed !== installed) return;
    this.#installed = { ...installed, config: { ...installed.config, sourceCheck: check }, sourceText: text };
  }

  async counters(): Promise<RuleCounts> {
    const listed = await listObjects("counters");
    const count = (family: TableFamily, name: string): { packets: number; bytes: number } => {
      const found = listed.find((counter) => isOurs(counter, family) && counter.name === name);
      return { packets: found?.packets ?? 0, bytes: found?.bytes ?? 0 };
    };
    return Object.fromEntries([
      ...Object.keys(ruleCounters).map((name) => [name, count("inet", name)]),
      ...Object.keys(bridgeCounters).map((name) => [name, count("bridge", name)]),
    ]) as RuleCounts;
  }

  /**
   * Takes everything of ours out of the kernel: table, ct-mark bits, bridge flags. Each is tried even where another
   * fails; the last failure is thrown. May be called twice.
   */
  remove(): void {
    const installed = this.#installed;
    this.#installed = null;
    try {
      for (const family of ["inet", "bridge"] as const) this.#removeTable(family);
    } finally {
      try {
        if (installed !== null) new Conntrack(this.#netfilter, installed.config.mark).clearAll();
      } finally {
        try {
          this.#pins.restore();
        } finally {
          this.#bridgeTable.forget();
          this.#bridges.restore();
        }
      }
    }
  }

  /** Leaves everything in force without us (`onStop=keep`): what is decided goes on, what isn't is dropped. */
  keep(): void {
    this.#installed = null;
  }

  /** Closes the sockets; the kernel keeps what it has. May be called twice. */
  close(): void {
    this.#netfilter.close();
    this.#route.close();
  }

  async #make(config: FirewallConfig, epochNibble: number): Promise<void> {
    await applyRuleset(renderQueueChain({ ...config, epoch: epochNibble }));
    if (!config.useNativeQueue) {
      this.#commit("install the queue rule", replaceQueueRule(config.queue, config.knobs.bypass === "accept"));
    }
    await this.#rebuild(config, epochNibble);
  }

  async #rebuild(config: FirewallConfig, epochNibble: number): Promise<void> {
    const text = renderRuleset({ ...config, epoch: epochNibble }, await findLeftover());
    const bridgeText = this.#bridgeTable.render();
    await applyRuleset(text + bridgeText);
    this.#installed = {
      config,
      epochNibble,
      managed: addressMap(config.managed),
      output: addressMap(config.output),
      sourceText: config.sourceCheck ? renderSourceElements(TABLE, config.sourceCheck) : "",
    };
    const shapes = new Map<TableFamily, Shape>([["inet", shapeOf(text)]]);
    if (bridgeText !== "") shapes.set("bridge", shapeOf(bridgeText));
    if (!this.#watch.adopt(shapes)) {
      const message = `somebody else changed our rules (table ${TABLE}) while they were made`;
      throw new KernelError("VERDICTD_RULES_CHANGED", "install the rules", 0, message);
    }
  }

  /** What is added comes before `also`, what is removed after it; all of it is one transaction, unless it's huge. */
  async #changeSets(change: AddressSetChanges, epochNibble: number, also: readonly MessageBuilder[]): Promise<void> {
    const installed = this.#get();
    const { config } = installed;
    if (setNames.some((name) => (change[name] === "all") !== (config[name] === "all"))) {
      // "All packets" is another shape of the chains, not a set.
      const target = (name: SetName): AddressSets[SetName] => {
        const wanted = change[name];
        return wanted === "all" ? wanted : [...applyDelta(installed[name], wanted).values()];
      };
      await this.#rebuild({ ...config, managed: target("managed"), output: target("output") }, epochNibble);
      return;
    }
    const added = setNames.flatMap((name) => setMessages(name, deltaOf(change[name]).added, addElements));
    const removed = setNames.flatMap((name) => setMessages(name, deltaOf(change[name]).removed, deleteElements));
    const messages = [...added, ...also, ...removed];
    for (let at = 0; at < messages.length; at += MESSAGES_OF_BATCH) {
      this.#commit("enforce a change", messages.slice(at, at + MESSAGES_OF_BATCH));
    }
    for (const name of setNames) applyDelta(installed[name], deltaOf(change[name]));
  }

  #commit(operation: string, messages: readonly MessageBuilder[]): void {
    if (messages.length === 0) return;
    this.#watch.during(() => this.#netfilter.request(operation, batch(messages)));
  }

  #removeTable(family: TableFamily): void {
    const { errors } = this.#netfilter.tryRequest(batch([deleteTable(family)]));
    const failure = errors.find(({ errno }) => errno !== ENOENT && errno !== EOPNOTSUPP);
    if (failure) throw netlinkFailure(`remove the table ${family} ${TABLE_NAME}`, failure);
  }

  #conntrack(): Conntrack {
    return new Conntrack(this.#netfilter, this.#get().config.mark);
  }

  #get(): Installed {
    if (this.#installed === null) throw new TypeError("the firewall isn't installed");
    return this.#installed;
  }
}

interface Installed {
  readonly config: FirewallConfig;
  epochNibble: number;
  readonly managed: Map<string, Address>;
  readonly output: Map<string, Address>;
  /** What the sets of the source check hold; the empty string before they hold anything. */
  readonly sourceText: string;
}

/** What the table holds now, without the queue chain. */
async function findLeftover(): Promise<Leftover> {
  const names = (objects: readonly NftObject[]): readonly string[] =>
    objects.filter((object) => isOurs(object)).map(({ name }) => name);
  const chains = names(await listObjects("chains"));
  return {
    chains: chains.filter((name) => name !== QUEUE_CHAIN),
    sets: names(await listObjects("sets")),
    // Counters of ours go on counting.
    counters: names(await listObjects("counters")).filter((name) => !Object.hasOwn(ruleCounters, name)),
    timeouts: chains.length === 0 ? [] : (await listTimeouts(TABLE_NAME)).map(({ name }) => name),
  };
}

function isOurs(object: NftObject, family: TableFamily = "inet"): boolean {
  return object.family === family && object.table === TABLE_NAME;
}

function flushDenials(): readonly MessageBuilder[] {
  return denialSetNames.map((name) => flushSet("inet", name));
}

function setSizes({ config, epochNibble, managed, output }: Installed): ReadonlyMap<string, number> {
  const count = (family: Family, addresses: ReadonlyMap<string, Address>): number =>
    [...addresses.values()].filter((address) => address.family === family).length;
  return new Map([
    ["epoch", epochNibble === 0 ? 0 : 1],
    ["managed4", config.managed === "all" ? 0 : count(Family.ipv4, managed)],
    ["managed6", config.managed === "all" ? 0 : count(Family.ipv6, managed)],
    ["output4", config.output === "all" ? 0 : count(Family.ipv4, output)],
    ["output6", config.output === "all" ? 0 : count(Family.ipv6, output)],
    ...sourceSetSizes(config),
  ]);
}

function addressMap(addresses: readonly Address[] | "all"): Map<string, Address> {
  return new Map(addresses === "all" ? [] : addresses.filter(isInSet).map((address) => [addressKey(address), address]));
}

/** An endpoint without an address can't be met on the wire. */
function isInSet(address: Address): boolean {
  return address.family !== Family.none;
}

/** Changes the map and returns it. */
function applyDelta(set: Map<string, Address>, { added, removed }: AddressDelta): Map<string, Address> {
  for (const address of removed) set.delete(addressKey(address));
  for (const address of added) if (isInSet(address)) set.set(addressKey(address), address);
  return set;
}

const nothing: AddressDelta = { added: [], removed: [] };

function deltaOf(change: AddressChange): AddressDelta {
  return change === "all" ? nothing : change;
}

function setMessages(
  name: SetName,
  addresses: readonly Address[],
  encode: (set: string, addresses: readonly Address[]) => readonly MessageBuilder[],
): readonly MessageBuilder[] {
  return ([Family.ipv4, Family.ipv6] as const).flatMap((family) =>
    encode(
      `${name}${family}`,
      addresses.filter((address) => address.family === family),
    ),
  );
}
