/**
 * Whether our tables are still those that were installed. Anybody with CAP_NET_ADMIN can take them away (`nft flush
 * ruleset`, a restart of the distribution's firewall), and the kernel tells nobody who doesn't ask.
 *
 * Asking is cheap: one number, which every transaction changes. Only where it has changed, by us or by others, the
 * tables' chains, rules and sets are looked at.
 */
import { KernelError } from "./error.ts";
import { type MessageBuilder, type NetlinkClient, netlinkFailure } from "./netlink-client.ts";
import type { TableFamily } from "./ruleset-config.ts";
import {
  askChains,
  askElements,
  askGeneration,
  askRules,
  askSet,
  askTable,
  countElements,
  isSwitchedOn,
  readChains,
  readGeneration,
  readRules,
  readSetSize,
  readTable,
} from "./table-messages.ts";

const ENOENT = 2;
const EINTR = 4;
/** A look that others' transactions disturbed is repeated this often before what it saw is believed. */
const LOOKS = 5;

/** Chains by name, with their number of rules. */
export type Shape = ReadonlyMap<string, number>;
/** What changes while a table stands. */
export interface TableState {
  /** Its chains are asked. */
  readonly isOn: boolean;
  /** Set name → number of elements. Sets that the packets fill have no number, and aren't here. */
  readonly sets: ReadonlyMap<string, number>;
}

export class TableWatch {
  readonly #client: NetlinkClient;
  #generation: number | null = null;
  readonly #identities = new Map<TableFamily, string>();

  /** The client speaks NETLINK_NETFILTER and stays its owner's to close. */
  constructor(client: NetlinkClient) {
    this.#client = client;
  }

  /** From now on the tables that are in the kernel count. False where one lacks something of its shape, or has more. */
  adopt(shapes: ReadonlyMap<TableFamily, Shape>): boolean {
    this.#generation = null;
    this.#identities.clear();
    return [...shapes].every(([family, shape]) => {
      const table = this.#look(family);
      this.#identities.set(family, table?.identity ?? "");
      if (table === null || table.shape.size !== shape.size) return false;
      return [...shape].every(([chain, rules]) => table.shape.get(chain) === rules);
    });
  }

  /**
   * Makes one transaction of ours, which changes only what may change. Where no one else's came in between, what was
   * intact before is intact after it, and needn't be looked at again.
   */
  during<T>(transaction: () => T): T {
    const wasIntact = this.#generation !== null && this.#askGeneration() === this.#generation;
    const result = transaction();
    if (wasIntact && this.#askGeneration() === nextGeneration(this.#generation as number)) {
      this.#generation = nextGeneration(this.#generation as number);
    }
    return result;
  }

  /**
   * Whether nothing is missing, added or replaced since `adopt`, and what may change is as it must be. Blocks; throws
   * KernelError where the kernel can't be asked.
   */
  isIntact(states: () => ReadonlyMap<TableFamily, TableState>): boolean {
    for (let look = 1; ; look++) {
      const generation = this.#askGeneration();
      if (generation === this.#generation) return true;
      if ([...states()].every(([family, state]) => this.#isAsAdopted(family, state))) {
        this.#generation = generation;
        return true;
      }
      if (look >= LOOKS || this.#askGeneration() === generation) return false;
    }
  }

  #isAsAdopted(family: TableFamily, { isOn, sets }: TableState): boolean {
    const table = this.#look(family);
    if (table === null || table.identity !== this.#identities.get(family) || table.isOn !== isOn) return false;
    return [...sets].every(([set, size]) => this.#sizeOf(family, set) === size);
  }

  #askGeneration(): number {
    const generation = readGeneration(this.#client.request("read the rules' generation", [askGeneration]));
    if (generation === null) throw new KernelError("VERDICTD_NETLINK", "read the rules' generation", 0, "no answer");
    return generation;
  }

  #look(family: TableFamily): { readonly shape: Shape; readonly identity: string; readonly isOn: boolean } | null {
    const table = this.#ask(askTable(family));
    const chains = this.#ask(askChains(family));
    const rules = this.#ask(askRules(family));
    if (table === null || chains === null || rules === null) return null;
    const shape = new Map<string, number>();
    const parts = [...readTable(table), ...readChains(chains)];
    for (const { chain } of parts) if (chain !== "") shape.set(chain, 0);
    for (const { chain } of readRules(rules)) shape.set(chain, (shape.get(chain) ?? 0) + 1);
    const identity = [...parts, ...readRules(rules)].map((p) => `${p.chain} ${p.identity}`).join("\n");
    return { shape, identity, isOn: isSwitchedOn(table) };
  }

  /** Null where the set is gone. */
  #sizeOf(family: TableFamily, set: string): number | null {
    const description = this.#ask(askSet(family, set));
    if (description === null) return null;
    const size = readSetSize(description);
    if (size !== null) return size;
    const elements = this.#ask(askElements(family, set));
    return elements === null ? null : countElements(elements);
  }

  /** Null where what is asked about is gone, or changed while it was told. */
  #ask(message: MessageBuilder): readonly Uint8Array[] | null {
    const { answers, errors } = this.#client.tryRequest([message]);
    const failure = errors[0];
    if (failure === undefined) return answers;
    if (failure.errno === ENOENT || failure.errno === EINTR) return null;
    throw netlinkFailure("read the table", failure);
  }
}

/** The kernel counts transactions in 32 bits and leaves out 0 (nf_tables_commit). */
function nextGeneration(generation: number): number {
  return generation === 0xffffffff ? 1 : generation + 1;
}
