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

import type { NetworkInterface } from "../model/ec2.ts";
import { epochBits } from "../model/epoch.ts";
import { type Address, addressKey, Family } from "../net/address.ts";
import type { Addon } from "./addon.ts";
import { Bridges } from "./bridge.ts";
import { bridgesToEnforce } from "./bridge-choice.ts";
import { Conntrack } from "./conntrack.ts";
import { KernelError } from "./error.ts";
import { ForwardingPins } from "./forwarding-pins.ts";
import { listAddresses, listLinks } from "./links.ts";
import { listForwarding, listNeighbours } from "./neighbours.ts";
import { type MessageBuilder, NetlinkClient, NetlinkProtocol, netlinkFailure } from "./netlink-client.ts";
import { addElements, batch, deleteElements, deleteTable, replaceEpoch, replaceQueueRule } from "./nf-tables.ts";
import { applyRuleset, listObjects, listTimeouts, type NftObject } from "./nft.ts";
import { type Leftover, renderQueueChain, renderRuleset, shapeOf } from "./ruleset.ts";
import {
  QUEUE_CHAIN,
  type RuleCounter,
  type RulesetConfig,
  ruleCounters,
  TABLE,
  TABLE_NAME,
} from "./ruleset-config.ts";
import { renderSourceElements } from "./ruleset-source-check.ts";
import { bindSources } from "./source-binding.ts";
import { SwitchMemory } from "./switch-memory.ts";
import { TableWatch } from "./table-watch.ts";

export type FirewallConfig = Omit<RulesetConfig, "epoch">;
/** Whose packets are diverted: the addresses that evaluators manage, and those judged on this host's output too. */
export type AddressSets = Pick<RulesetConfig, "managed" | "output">;
/** Packets and bytes since the table was made. */
export type RuleCounts = Readonly<Record<RuleCounter, { readonly packets: number; readonly bytes: number }>>;

const ENOENT = 2;
/** Messages of one transaction: each is 28 KiB at most, a socket's send buffer 200 KiB. */
const MESSAGES_OF_BATCH = 5;
const setNames = ["managed", "output"] as const;

export class Firewall {
  readonly #netfilter: NetlinkClient;
  readonly #route: NetlinkClient;
  readonly #bridges: Bridges;
  readonly #watch: TableWatch;
  readonly #pins: ForwardingPins;
  readonly #switches = new SwitchMemory();
  #installed: Installed | null = null;

  constructor(addon: Pick<Addon, "NetlinkSocket">) {
    this.#netfilter = new NetlinkClient(addon, NetlinkProtocol.netfilter);
    this.#route = new NetlinkClient(addon, NetlinkProtocol.route);
    this.#bridges = new Bridges(this.#route, this.#switches);
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
   * Whether the table is still as we made it and keep it. Costs one question where nobody's rules have changed; throws
   * KernelError where the kernel can't be asked.
   */
  isIntact(): boolean {
    const { config, epochNibble, managed, output } = this.#get();
    return this.#watch.isIntact(() => {
      const count = (family: Family, addresses: ReadonlyMap<string, Address>): number =>
        [...addresses.values()].filter((address) => address.family === family).length;
      return new Map([
        ["epoch", epochNibble === 0 ? 0 : 1],
        ["managed4", config.managed === "all" ? 0 : count(Family.ipv4, managed)],
        ["managed6", config.managed === "all" ? 0 : count(Family.ipv6, managed)],
        ["output4", config.output === "all" ? 0 : count(Family.ipv4, output)],
        ["output6", config.output === "all" ? 0 : count(Family.ipv6, output)],
      ]);
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
    return (await listObjects("chains")).some(isOurs);
  }

  /** No earlier run left anything here: bridges are as their owner has them. */
  forgetSwitches(): void {
    this.#switches.clear();
  }

  /** Forgets what flows from and to these addresses were admitted for. Returns how many there were. */
  clearHeld(addresses: readonly Address[]): number {
    return this.#conntrack().clearHeld(addresses);
  }

  /** Makes all flows undecided. Returns how many there were. */
  clearDecisions(): number {
    return this.#conntrack().clearDecisions();
  }

  /** Makes the flows undecided that were decided in the epoch which last had this number's nibble. */
  sweepEpoch(epoch: number): number {
    return this.#conntrack().sweepEpoch(epochBits(epoch));
  }

  /** From here on, flows decided in this epoch are the kernel's, and all others are asked about again. */
  publishEpoch(epoch: number): void {
    const installed = this.#get();
    this.#commit("publish the epoch", replaceEpoch(installed.config.mark, epochBits(epoch)));
    installed.epochNibble = epochBits(epoch);
  }

  /** Diverts what `target` has and the sets lack. */
  async addAddresses(target: AddressSets): Promise<void> {
    const installed = this.#get();
    const { config } = installed;
    if (setNames.some((name) => target[name] === "all" && config[name] !== "all")) {
      // "All packets" is another shape of the chains, not a set.
      const wider = { managed: widest(config.managed, target.managed), output: widest(config.output, target.output) };
      return this.#rebuild({ ...config, ...wider }, installed.epochNibble);
    }
    for (const name of setNames) {
      const wanted = target[name];
      if (wanted === "all" || config[name] === "all") continue;
      const missing = wanted.filter((address) => isInSet(address) && !installed[name].has(addressKey(address)));
      this.#change(name, missing, addElements);
      for (const address of missing) installed[name].set(addressKey(address), address);
    }
    return undefined;
  }

  /** Stops diverting what the sets have and `target` lacks. */
  async removeAddresses(target: AddressSets): Promise<void> {
    const installed = this.#get();
    const { config } = installed;
    if (setNames.some((name) => target[name] !== "all" && config[name] === "all")) {
      return this.#rebuild({ ...config, ...target }, installed.epochNibble);
    }
    for (const name of setNames) {
      const wanted = target[name];
      if (wanted === "all") continue;
      const kept = new Set(wanted.map(addressKey));
      const superfluous = [...installed[name].values()].filter((address) => !kept.has(addressKey(address)));
      this.#change(name, superfluous, deleteElements);
      for (const address of superfluous) installed[name].delete(addressKey(address));
    }
    return undefined;
  }

  /** The bridges to filter inside: those that carry a managed address's network, and those that are named. */
  bridgesCarrying(managed: AddressSets["managed"], named: readonly string[]): readonly string[] {
    return bridgesToEnforce(listLinks(this.#route), listAddresses(this.#route), managed, named);
  }

  /** Filters the traffic inside these bridges, and inside no other; returns the names that no bridge has. */
  enforceBridges(names: readonly string[]): readonly string[] {
    return this.#bridges.enforce(names);
  }

  /** False where one of those bridges came, went or was changed by others since. */
  areBridgesEnforced(): boolean {
    return this.#bridges.areEnforced();
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
    const ours = (await listObjects("counters")).filter(isOurs);
    const count = (name: string): { packets: number; bytes: number } => {
      const found = ours.find((counter) => counter.name === name);
      return { packets: found?.packets ?? 0, bytes: found?.bytes ?? 0 };
    };
    return Object.fromEntries(Object.keys(ruleCounters).map((name) => [name, count(name)])) as RuleCounts;
  }

  /**
   * Takes everything of ours out of the kernel: table, ct-mark bits, bridge flags. Each is tried even where another
   * fails; the last failure is thrown. May be called twice.
   */
  remove(): void {
    const installed = this.#installed;
    this.#installed = null;
    try {
      const { errors } = this.#netfilter.tryRequest(batch(deleteTable()));
      const failure = errors.find(({ errno }) => errno !== ENOENT);
      if (failure) throw netlinkFailure("remove the table", failure);
    } finally {
      try {
        if (installed !== null) new Conntrack(this.#netfilter, installed.config.mark).clearAll();
      } finally {
        try {
          this.#pins.restore();
        } finally {
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
    await applyRuleset(text);
    this.#installed = {
      config,
      epochNibble,
      managed: addressMap(config.managed),
      output: addressMap(config.output),
      sourceText: config.sourceCheck ? renderSourceElements(TABLE, config.sourceCheck) : "",
    };
    if (!this.#watch.adopt(shapeOf(text))) {
      const message = `somebody else changed the table ${TABLE} while it was made`;
      throw new KernelError("VERDICTD_RULES_CHANGED", "install the rules", 0, message);
    }
  }

  #change(
    name: "managed" | "output",
    addresses: readonly Address[],
    encode: (set: string, addresses: readonly Address[]) => readonly MessageBuilder[],
  ): void {
    const messages = ([Family.ipv4, Family.ipv6] as const).flatMap((family) =>
      encode(
        `${name}${family}`,
        addresses.filter((address) => address.family === family),
      ),
    );
    for (let at = 0; at < messages.length; at += MESSAGES_OF_BATCH) {
      this.#commit(`update the set of ${name} addresses`, messages.slice(at, at + MESSAGES_OF_BATCH));
    }
  }

  #commit(operation: string, messages: readonly MessageBuilder[]): void {
    if (messages.length > 0) this.#netfilter.request(operation, batch(messages));
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
  const names = (objects: readonly NftObject[]): readonly string[] => objects.filter(isOurs).map(({ name }) => name);
  const chains = names(await listObjects("chains"));
  return {
    chains: chains.filter((name) => name !== QUEUE_CHAIN),
    sets: names(await listObjects("sets")),
    // Counters of ours go on counting.
    counters: names(await listObjects("counters")).filter((name) => !Object.hasOwn(ruleCounters, name)),
    timeouts: chains.length === 0 ? [] : (await listTimeouts(TABLE_NAME)).map(({ name }) => name),
  };
}

function isOurs(object: NftObject): boolean {
  return object.family === "inet" && object.table === TABLE_NAME;
}

function addressMap(addresses: readonly Address[] | "all"): Map<string, Address> {
  return new Map(addresses === "all" ? [] : addresses.filter(isInSet).map((address) => [addressKey(address), address]));
}

/** An endpoint without an address can't be met on the wire. */
function isInSet(address: Address): boolean {
  return address.family !== Family.none;
}

function widest(a: readonly Address[] | "all", b: readonly Address[] | "all"): readonly Address[] | "all" {
  return a === "all" || b === "all" ? "all" : [...a, ...b];
}
