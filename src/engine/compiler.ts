/**
 * Inventory → program, change by change. It lives on one thread, keeps what it has compiled, and says of each change
 * what other threads need of it, whose flows it concerns, and which addresses have to be diverted.
 *
 * Kubernetes policies are compiled object by object. EC2's are compiled anew where anything of EC2 has changed: its
 * documents come whole.
 */
import type { CustomTables, PreparedEvaluator } from "../evaluators/custom/prepare.ts";
import { PolicyIndex } from "../evaluators/kubernetes/policy-index.ts";
import type { AddressChange, AddressDelta } from "../model/address-change.ts";
import type { Capture } from "../model/evaluator.ts";
import { emptyInventory, type Inventory } from "../model/inventory.ts";
import { changeFromNothing, type InventoryChange, type ToldName } from "../model/inventory-change.ts";
import type { Knobs } from "../model/knobs.ts";
import { type Address, addressKey } from "../net/address.ts";
import { assembleProgram, loadCustom } from "./assemble-program.ts";
import { CaptureSet } from "./captures.ts";
import { ec2Evaluators } from "./evaluators.ts";
import type { Program, ProgramPatch } from "./program.ts";
import { shareTables } from "./shared-tables.ts";

export interface ProgramUpdate {
  /** In order. */
  readonly patches: readonly ProgramPatch[];
  /** Addresses whose flows may be judged otherwise than before; `all` where they can't be named. */
  readonly affected: readonly Address[] | "all";
  /** Addresses whose packets are judged. */
  readonly managed: AddressChange;
  /** Addresses to which this host's own packets are judged too. */
  readonly output: AddressChange;
  /** Addresses to which answers of DNS are seen. */
  readonly answered: AddressDelta;
  /** The domains that rules mean, in canonical form; null: the same as before. */
  readonly domains: readonly string[] | null;
}

export interface CompilerOptions {
  /** Users' own evaluators. */
  readonly custom?: readonly PreparedEvaluator[];
  /** They are made from the whole inventory as it is then, whatever changed. */
  readonly inventory?: () => Inventory;
  /** Of Kubernetes, this node's pods alone are judged for; those of others are peers. */
  readonly nodeName?: string | null;
}

const noDelta: AddressDelta = { added: [], removed: [] };

/** The sources of captures: an EC2 evaluator's index; behind them all of Kubernetes, then users' own. */
const KUBERNETES = ec2Evaluators.length;

export class Compiler {
  readonly #knobs: Knobs;
  readonly #index: PolicyIndex;
  readonly #managed = new CaptureSet();
  readonly #output = new CaptureSet();
  readonly #answered = new CaptureSet();
  /** Of EC2; null before the first update. */
  #tables: ProgramPatch["tables"] | null = null;

  readonly #custom: readonly PreparedEvaluator[];
  readonly #inventory: () => Inventory;
  #customTables: readonly CustomTables[] = [];
  #unreleased: readonly ProgramPatch[] = [];

  constructor(knobs: Knobs, { custom = [], inventory = () => emptyInventory, nodeName = null }: CompilerOptions = {}) {
    this.#knobs = knobs;
    this.#index = new PolicyIndex(knobs, nodeName);
    this.#custom = custom;
    this.#inventory = inventory;
  }

  /** The program on this thread, after at least one update; good until the next. */
  get program(): Program {
    return assembleProgram({
      ec2: this.#tables ?? {},
      kubernetes: this.#index.tables,
      custom: loadCustom(this.#custom, this.#customTables),
      knobs: this.#knobs,
    });
  }

  /** How many addresses are managed. */
  get managedCount(): number | "all" {
    return this.#managed.size;
  }

  /** Which pod has the address, and since when there is one of its name; null: none. */
  ownerOf(address: Address): string | null {
    return this.#index.ownerOf(address);
  }

  /** What DNS told pods, in force or remembered for the flows that it admitted. */
  told(): Iterable<ToldName> {
    return this.#index.told();
  }

  /** Every reader has applied the last update's patches: memory that they replaced is used again. */
  release(): void {
    for (const { kubernetes } of this.#unreleased) if (kubernetes !== null) this.#index.release(kubernetes);
    this.#unreleased = [];
  }

  /** Changes in order; all of them together are one update. */
  update(changes: readonly InventoryChange[]): ProgramUpdate {
    const patches: ProgramPatch[] = [];
    const affected = new Map<string, Address>();
    let isAllAffected = false;
    let domains: readonly string[] | null = null;
    for (const { ec2, kubernetes } of changes) {
      const isNew = ec2 !== null || this.#tables === null;
      if (isNew) this.#tables = this.#compileEc2({ ...emptyInventory, ec2: ec2 ?? emptyInventory.ec2 });
      const update = this.#index.update(kubernetes);
      this.#managed.change(KUBERNETES, update.captured);
      this.#answered.change(KUBERNETES, update.answered);
      domains = update.domains ?? domains;
      patches.push({ tables: isNew ? (this.#tables ?? {}) : {}, kubernetes: update.patch, custom: null });
      isAllAffected ||= isNew || update.affected === "all";
      if (update.affected !== "all") for (const address of update.affected) affected.set(addressKey(address), address);
    }
    if (this.#custom.length > 0) {
      patches.push({ tables: {}, kubernetes: null, custom: this.#compileCustom() });
      isAllAffected = true;
    }
    this.#unreleased = patches;
    const answered = this.#answered.take();
    return {
      patches,
      affected: isAllAffected ? "all" : [...affected.values()],
      managed: this.#managed.take(),
      output: this.#output.take(),
      answered: answered === "all" ? noDelta : answered,
      domains,
    };
  }

  #compileCustom(): readonly CustomTables[] {
    const inventory = this.#inventory();
    this.#custom.forEach((evaluator, i) => {
      this.#capture(KUBERNETES + 1 + i, evaluator.capture(inventory, this.#knobs));
    });
    this.#customTables = this.#custom.map((evaluator) => evaluator.build(inventory, this.#knobs));
    return this.#customTables;
  }

  #capture(source: number, { subjects, output }: Capture): void {
    this.#managed.replace(source, subjects);
    this.#output.replace(source, output ? subjects : []);
  }

  #compileEc2(inventory: Inventory): ProgramPatch["tables"] {
    ec2Evaluators.forEach((evaluator, source) => {
      this.#capture(source, evaluator.capture(inventory, this.#knobs));
    });
    const tables = ec2Evaluators.map((evaluator) => [evaluator.name, evaluator.build(inventory, this.#knobs)] as const);
    return shareTables(Object.fromEntries(tables)) as ProgramPatch["tables"];
  }
}

/** The program of one inventory, for use on this thread. */
export function compileProgram(
  inventory: Inventory,
  knobs: Knobs,
  options: Pick<CompilerOptions, "custom" | "nodeName"> = {},
): Program {
  const compiler = new Compiler(knobs, { ...options, inventory: () => inventory });
  compiler.update([changeFromNothing(inventory)]);
  return compiler.program;
}
