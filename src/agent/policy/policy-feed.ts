/**
 * Changes of the inventory, compiled and handed on one update at a time: what comes while an update is being applied
 * waits, and goes with the next one.
 */

import type { NamesBatch } from "../../datapath/names/names-protocol.ts";
import { Compiler } from "../../engine/compiler.ts";
import { describeThrown } from "../../evaluators/custom/failures.ts";
import type { PreparedEvaluator } from "../../evaluators/custom/prepare.ts";
import { type InventoryChange, noChange } from "../../model/inventory-change.ts";
import type { Knobs } from "../../model/knobs.ts";
import { Pace } from "../../model/pace.ts";
import { type Address, addressKey, formatAddress } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { InventoryStore } from "../../sources/inventory-store.ts";
import { CniDetector } from "../../sources/kubernetes/cni/cni-detector.ts";
import { NamesMemory } from "../names-memory.ts";
import { Owners } from "../owners.ts";
import { OwnersMemory } from "../owners-memory.ts";
import { PodRangeMembers } from "./pod-range.ts";
import type { SourceChange } from "./policy-sources.ts";
import type { InventoryReport, PolicyMessage, PolicyUpdate } from "./protocol.ts";

/** How long after the last change the inventory is looked over as a whole. */
const REPORT_DELAY_MS = 250;
/** And how long after the first, where changes never rest. */
const REPORT_PATIENCE_MS = 10_000;
/**
 * Each update costs the kernel a transaction and the workers a switch, whatever it changes. One alone is in force in
 * milliseconds; of a hundred in a second, several go together. Answers of DNS are held until what they say is in force, 100 ms
 * at most.
 */
const PACE = { burst: 4, intervalMs: 25 };
const NAMES_PACE = { burst: 4, intervalMs: 50 };

const policyKinds = ["securityGroups", "networkAcls", "networkPolicies", "adminPolicies"] as const;

export interface PolicyParts {
  readonly store: InventoryStore;
  readonly knobs: Knobs;
  /** Users' own. */
  readonly evaluators: readonly PreparedEvaluator[];
  /** Only this node's pods are judged for; null: all that there are. */
  readonly nodeName: string | null;
  /** Where the pods' addresses of this node lie; where there are none, its Node says it. */
  readonly podRanges: readonly Prefix[];
  /** The API server, as its objects name it where others name a file; null: there is none. */
  readonly server: string | null;
}

export class PolicyFeed {
  readonly #evaluators: readonly PreparedEvaluator[];
  readonly #told = new Map<PreparedEvaluator, number>();
  readonly #store: InventoryStore;
  readonly #nodeName: string | null;
  readonly #waitsForPods: boolean;
  readonly #compiler: Compiler;
  readonly #readHostAddresses: () => readonly Address[];
  readonly #say: (message: PolicyMessage) => void;
  readonly #owners: Owners;
  readonly #podRange: PodRangeMembers;
  readonly #ownersMemory = new OwnersMemory();
  readonly #namesMemory = new NamesMemory();
  readonly #cnis = new CniDetector();
  #areOwnersNew = true;
  #number = 0;
  /** Of the last update that brought new owners. */
  #ownersNumber = 0;
  #hostAddresses: ReadonlySet<string> = new Set();
  #waiting: InventoryChange[] = [];
  #namesBatch = 0;
  #isApplying = true;
  #reasons = "";
  #hasBegun = false;
  #reportTimer: NodeJS.Timeout | null = null;
  #reportDueMs = 0;
  readonly #pace = new Pace(PACE);
  readonly #namesPace = new Pace(NAMES_PACE);
  #paceTimer: NodeJS.Timeout | null = null;

  constructor(
    { store, knobs, evaluators, nodeName, podRanges, server }: PolicyParts,
    readHostAddresses: () => readonly Address[],
    say: (message: PolicyMessage) => void,
  ) {
    this.#store = store;
    this.#nodeName = nodeName;
    this.#waitsForPods = knobs.unknownLocalIp !== "allow";
    this.#evaluators = evaluators;
    this.#compiler = new Compiler(knobs, { custom: evaluators, inventory: () => store.inventory(), nodeName });
    this.#owners = new Owners(knobs.npOnChange === "new-only", this.#ownersMemory.read());
    this.#podRange = new PodRangeMembers({ prefixes: podRanges, nodeName, server, pods: () => store.pods() });
    this.#readHostAddresses = readHostAddresses;
    this.#say = say;
  }

  /** The sources were looked at again. */
  onChange({ change, reasons }: SourceChange): void {
    if (reasons.join("\n") !== this.#reasons) this.#say({ kind: "stale", reasons });
    this.#reasons = reasons.join("\n");
    if (change === null) return;
    this.add(change);
    this.#give();
    this.#reportSoon();
  }

  /** The first one counts even where there is nothing in it. */
  add(change: InventoryChange): void {
    this.#cnis.update(change.kubernetes);
    if (!this.#hasBegun || !isEmpty(change)) this.#waiting.push(change);
    this.#hasBegun = true;
  }

  /** All that was added is in force, or its patches are at least in use. */
  get isIdle(): boolean {
    return !this.#isApplying && this.#waiting.length === 0;
  }

  /** DNS told pods something, or something of it has expired. */
  learn({ batch, changes: names }: NamesBatch): void {
    this.#waiting.push({ ...noChange, kubernetes: { ...noChange.kubernetes, names } });
    this.#namesBatch = batch;
    this.#namesMemory.writeSoon(() => this.#compiler.told());
    this.#give();
  }

  /** The agent has the update before this. */
  applied(): void {
    this.#compiler.release();
    this.#isApplying = false;
    this.#give();
  }

  /** Nothing is held any more for those who had an address before. */
  settled(number: number): void {
    if (number < this.#ownersNumber || !this.#areOwnersNew) return;
    this.#areOwnersNew = false;
    this.#ownersMemory.write(this.#owners.entries());
  }

  /** An address of this host may come or go without any file (NP-56). */
  checkHost(): void {
    if (this.#isApplying || this.#waiting.length > 0) return;
    const hostAddresses = this.#hostChange();
    if (hostAddresses === null) return;
    this.#waiting.push({ ...noChange, kubernetes: { ...noChange.kubernetes, hostAddresses } });
    this.#give();
    this.#reportSoon();
  }

  /** Everything that waits, as one update. */
  take(): PolicyUpdate {
    const startMs = performance.now();
    const hostAddresses = this.#hostChange();
    const changes = [...this.#waiting];
    this.#waiting = [];
    if (hostAddresses !== null) changes.push({ ...noChange, kubernetes: { ...noChange.kubernetes, hostAddresses } });
    if (this.#number === 0) changes.push(this.#restoreNames());
    this.#isApplying = true;
    const update = this.#compiler.update(changes);
    const pods = changes.flatMap(({ kubernetes }) => kubernetes.pods);
    const ownerOf = (address: Address): string | null => this.#compiler.ownerOf(address);
    const ownerChanges = [
      this.#owners.updateAnswered(update.answered, pods, ownerOf),
      ...changes.map((change) => this.#owners.update(change)),
    ];
    const newOwners = ownerChanges.includes("all")
      ? "all"
      : ownerChanges.flatMap((some) => (some === "all" ? [] : some));
    this.#number++;
    if (newOwners === "all" || newOwners.length > 0) {
      this.#areOwnersNew = true;
      this.#ownersNumber = this.#number;
    }
    const podRange = this.#podRange.update(changes);
    this.#tellFailures();
    return {
      ...update,
      // Flows of addresses that are unknown from now on may have been decided before.
      affected: podRange.prefixes === null ? update.affected : "all",
      podRange,
      managedCount: this.#compiler.managedCount,
      number: this.#number,
      newOwners,
      namesBatch: this.#namesBatch,
      isOfNames: changes.every(isOfNames),
      interfaces: changes.findLast(({ ec2 }) => ec2 !== null)?.ec2?.interfaces ?? null,
      compileMs: performance.now() - startMs,
    };
  }

  report(): InventoryReport {
    const sizes = this.#store.sizes();
    const holdsPolicies = policyKinds.some((kind) => sizes[kind] > 0);
    const findings = this.#store.findings();
    return {
      ...{ sizes, findings, holdsPolicies, managed: this.#compiler.managedCount, cnis: this.#cnis.detect() },
      strangeNode: this.#strangeNode(),
      dropsUnknown: this.#waitsForPods && this.#podRange.hasRange,
    };
  }

  close(): void {
    for (const timer of [this.#reportTimer, this.#paceTimer]) if (timer !== null) clearTimeout(timer);
    this.#reportTimer = null;
    this.#paceTimer = null;
    this.#namesMemory.flush();
  }

  /** What an earlier run was told of the pods that there are. */
  #restoreNames(): InventoryChange {
    const names = this.#namesMemory.restore(() => {
      const owners = new Map<string, string>();
      for (const { origin, createdAt, addresses } of this.#store.pods()) {
        for (const address of addresses) owners.set(addressKey(address), `${origin.name}@${createdAt}`);
      }
      return owners;
    });
    return { ...noChange, kubernetes: { ...noChange.kubernetes, names } };
  }

  #give(): void {
    if (this.#isApplying || this.#waiting.length === 0) return;
    const pace = this.#waiting.every(isOfNames) ? this.#namesPace : this.#pace;
    const waitMs = pace.take(performance.now());
    if (waitMs > 0) {
      this.#paceTimer ??= setTimeout(() => {
        this.#paceTimer = null;
        this.#give();
      }, waitMs);
      return;
    }
    this.#say({ kind: "update", update: this.take() });
  }

  /** What users' evaluators threw while they were made. */
  #tellFailures(): void {
    for (const evaluator of this.#evaluators) {
      const { count, error } = evaluator.failures;
      const told = this.#told.get(evaluator) ?? 0;
      this.#told.set(evaluator, count);
      if (count === told) continue;
      const failure = { evaluator: evaluator.name, count: count - told, message: describeThrown(error) };
      this.#say({ kind: "failure", failure });
    }
  }

  #reportSoon(): void {
    const nowMs = performance.now();
    if (this.#reportTimer === null) this.#reportDueMs = nowMs + REPORT_PATIENCE_MS;
    else clearTimeout(this.#reportTimer);
    const waitMs = Math.max(0, Math.min(REPORT_DELAY_MS, this.#reportDueMs - nowMs));
    this.#reportTimer = setTimeout(() => {
      this.#reportTimer = null;
      this.#say({ kind: "report", report: this.report() });
    }, waitMs);
  }

  /** All addresses of this host where they aren't what they were. */
  #hostChange(): readonly Address[] | null {
    const addresses = this.#readHostAddresses();
    const keys = new Set(addresses.map(addressKey));
    if (keys.size === this.#hostAddresses.size && [...keys].every((key) => this.#hostAddresses.has(key))) return null;
    this.#hostAddresses = keys;
    return addresses;
  }

  /** Of another machine's Node, nobody's pods would be judged here. */
  #strangeNode(): readonly string[] {
    const node = this.#nodeName === null ? null : this.#store.node(this.#nodeName);
    const addresses = node?.addresses ?? [];
    return addresses.some((address) => this.#hostAddresses.has(addressKey(address)))
      ? []
      : addresses.map(formatAddress);
  }
}

function isOfNames({ ec2, kubernetes: { names, ...lists } }: InventoryChange): boolean {
  return names.length > 0 && isEmpty({ ec2, kubernetes: { ...lists, names: [] } });
}

function isEmpty({ ec2, kubernetes }: InventoryChange): boolean {
  return ec2 === null && Object.values(kubernetes).every((list) => list === null || list.length === 0);
}
