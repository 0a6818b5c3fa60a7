/**
 * Whether our table is still the one that was installed. Anybody with CAP_NET_ADMIN can take it away (`nft flush
 * ruleset`, a restart of the distribution's firewall), and the kernel tells nobody who doesn't ask.
 *
 * Asking is cheap: one number, which every transaction changes. Only where it has changed, by us or by others, the
 * table's chains, rules and sets are looked at.
 */
import { KernelError } from "./error.ts";
import { type NetlinkClient, netlinkFailure } from "./netlink-client.ts";
import {
  askChains,
  askElements,
  askGeneration,
  askRules,
  askTable,
  countElements,
  readChains,
  readGeneration,
  readRules,
  readTable,
} from "./table-messages.ts";

const ENOENT = 2;
const EINTR = 4;
/** A look that others' transactions disturbed is repeated this often before what it saw is believed. */
const LOOKS = 5;

/** Chains by name, with their number of rules. */
export type Shape = ReadonlyMap<string, number>;

export class TableWatch {
  readonly #client: NetlinkClient;
  #generation: number | null = null;
  #identity: string | null = null;

  /** The client speaks NETLINK_NETFILTER and stays its owner's to close. */
  constructor(client: NetlinkClient) {
    this.#client = client;
  }

  /** From now on the table that is in the kernel counts. False where it lacks something of `shape`, or has more. */
  adopt(shape: Shape): boolean {
    this.#generation = null;
    const table = this.#look();
    this.#identity = table?.identity ?? null;
    if (table === null || table.shape.size !== shape.size) return false;
    return [...shape].every(([chain, rules]) => table.shape.get(chain) === rules);
  }

  /**
   * Whether nothing is missing, added or replaced since `adopt`, and every set has as many elements as it must. Blocks;
   * throws KernelError where the kernel can't be asked.
   */
  isIntact(elements: () => ReadonlyMap<string, number>): boolean {
    for (let look = 1; ; look++) {
      const generation = this.#askGeneration();
      if (generation === this.#generation) return true;
      if (this.#look()?.identity === this.#identity && this.#hasElements(elements())) {
        this.#generation = generation;
        return true;
      }
      if (look >= LOOKS || this.#askGeneration() === generation) return false;
    }
  }

  #askGeneration(): number {
    const generation = readGeneration(this.#client.request("read the rules' generation", [askGeneration]));
    if (generation === null) throw new KernelError("VERDICTD_NETLINK", "read the rules' generation", 0, "no answer");
    return generation;
  }

  #look(): { readonly shape: Shape; readonly identity: string } | null {
    const table = this.#ask(askTable);
    const chains = this.#ask(askChains);
    const rules = this.#ask(askRules);
    if (table === null || chains === null || rules === null) return null;
    const shape = new Map<string, number>();
    const parts = [...readTable(table), ...readChains(chains)];
    for (const { chain } of parts) if (chain !== "") shape.set(chain, 0);
    for (const { chain } of readRules(rules)) shape.set(chain, (shape.get(chain) ?? 0) + 1);
    return { shape, identity: [...parts, ...readRules(rules)].map((p) => `${p.chain} ${p.identity}`).join("\n") };
  }

  #hasElements(elements: ReadonlyMap<string, number>): boolean {
    for (const [set, count] of elements) {
      const answers = this.#ask(askElements(set));
      if (answers === null || countElements(answers) !== count) return false;
    }
    return true;
  }

  /** Null where what is asked about is gone, or changed while it was told. */
  #ask(message: typeof askTable): readonly Uint8Array[] | null {
    const { answers, errors } = this.#client.tryRequest([message]);
    const failure = errors[0];
    if (failure === undefined) return answers;
    if (failure.errno === ENOENT || failure.errno === EINTR) return null;
    throw netlinkFailure("read the table", failure);
  }
}
