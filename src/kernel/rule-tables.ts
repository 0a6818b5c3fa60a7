/**
 * Our two tables in the kernel, as one: made in one transaction, changed by others, and watched from then on.
 */
import type { BridgeTable } from "./bridge-table.ts";
import { KernelError } from "./error.ts";
import type { FilterTable, MessageGroups } from "./filter-table.ts";
import { type MessageBuilder, type NetlinkClient, netlinkFailure } from "./netlink-client.ts";
import { batch, deleteTable } from "./nf-tables.ts";
import { applyRuleset, listObjects, listTimeouts, type NftObject } from "./nft.ts";
import { replaceQueueRule } from "./queue-rule.ts";
import { type Leftover, renderQueueChains, renderRuleset, shapeOf } from "./ruleset.ts";
import {
  bridgeCounters,
  queueChains,
  type RuleCounter,
  type RulesetConfig,
  ruleCounters,
  TABLE,
  TABLE_NAME,
  type TableFamily,
} from "./ruleset-config.ts";
import { type Shape, type TableState, TableWatch } from "./table-watch.ts";

/** Packets and bytes since the tables were made. */
export type RuleCounts = Readonly<Record<RuleCounter, { readonly packets: number; readonly bytes: number }>>;

const ENOENT = 2;
/** The kernel has no tables of that family. */
const EOPNOTSUPP = 95;
/** Of one transaction: a socket's send buffer is 200 KiB where it can't be forced. */
const BATCH_BYTES = 150_000;

export class RuleTables {
  readonly #client: NetlinkClient;
  readonly #bridge: BridgeTable;
  readonly #watch: TableWatch;

  /** The client speaks NETLINK_NETFILTER and stays its owner's to close. */
  constructor(client: NetlinkClient, bridge: BridgeTable) {
    this.#client = client;
    this.#bridge = bridge;
    this.#watch = new TableWatch(client);
  }

  /**
   * Makes the tables, or replaces those that are there. The queue rules come first, so that no packet is lost on the
   * way; the rest is one transaction, so that a table that was left to keep flows closed never stops doing so.
   */
  async make(config: RulesetConfig): Promise<void> {
    await applyRuleset(renderQueueChains(config));
    if (!config.useNativeQueue) {
      const rules = queueChains(config).map(({ chain, queues, bypass }) => replaceQueueRule(queues, bypass, chain));
      this.commit("install the queue rules", rules);
    }
    await this.rebuild(config);
  }

  /** The same, but for the queue rules. */
  async rebuild(config: RulesetConfig): Promise<void> {
    const text = renderRuleset(config, await findLeftover(config));
    const bridgeText = this.#bridge.render();
    await applyRuleset(text + bridgeText);
    const shapes = new Map<TableFamily, Shape>([["inet", shapeOf(text)]]);
    if (bridgeText !== "") shapes.set("bridge", shapeOf(bridgeText));
    if (!this.#watch.adopt(shapes)) {
      const message = `somebody else changed our rules (table ${TABLE}) while they were made`;
      throw new KernelError("VERDICTD_RULES_CHANGED", "install the rules", 0, message);
    }
  }

  /** Applies the groups in their order: in one transaction, unless they are too much for one. Blocks. */
  commit(operation: string, groups: MessageGroups): void {
    let messages: MessageBuilder[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (messages.length > 0) this.#watch.during(() => this.#client.request(operation, batch(messages)));
      messages = [];
      bytes = 0;
    };
    for (const group of groups) {
      const size = group.reduce((sum, message) => sum + message(0).length, 0);
      if (bytes + size > BATCH_BYTES) flush();
      messages.push(...group);
      bytes += size;
    }
    flush();
  }

  /**
   * Whether the tables are still as we made them and keep them. Costs one question where nobody else's rules have
   * changed; throws KernelError where the kernel can't be asked.
   */
  areIntact(table: FilterTable): boolean {
    return this.#watch.isIntact(() => {
      const bridge = this.#bridge.state;
      const states: [TableFamily, TableState][] = [["inet", { isOn: true, sets: table.sizes }]];
      return new Map(bridge === null ? states : [...states, ["bridge", bridge]]);
    });
  }

  /** Takes both away, where they are. */
  remove(): void {
    for (const family of ["inet", "bridge"] as const) {
      const { errors } = this.#client.tryRequest(batch([deleteTable(family)]));
      const failure = errors.find(({ errno }) => errno !== ENOENT && errno !== EOPNOTSUPP);
      if (failure) throw netlinkFailure(`remove the table ${family} ${TABLE_NAME}`, failure);
    }
    this.#bridge.forget();
  }
}

/** Whether a table of ours is there, this run's or an earlier one's. */
export async function hasTable(): Promise<boolean> {
  return (await listObjects("chains")).some((chain) => isOurs(chain));
}

export async function readCounters(): Promise<RuleCounts> {
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

/** What the table holds now, without the queue chains. */
async function findLeftover(config: RulesetConfig): Promise<Leftover> {
  const kept = queueChains(config).map(({ chain }) => chain);
  const names = (objects: readonly NftObject[]): readonly string[] =>
    objects.filter((object) => isOurs(object)).map(({ name }) => name);
  const chains = names(await listObjects("chains"));
  return {
    chains: chains.filter((name) => !kept.includes(name)),
    sets: names(await listObjects("sets")),
    // Counters of ours go on counting.
    counters: names(await listObjects("counters")).filter((name) => !Object.hasOwn(ruleCounters, name)),
    timeouts: chains.length === 0 ? [] : (await listTimeouts(TABLE_NAME)).map(({ name }) => name),
  };
}

function isOurs(object: NftObject, family: TableFamily = "inet"): boolean {
  return object.family === family && object.table === TABLE_NAME;
}
