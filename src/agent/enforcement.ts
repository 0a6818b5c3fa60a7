/**
 * Keeping the kernel and the workers in step with the policies: one change after the other, and rules that others
 * removed put back in between.
 *
 * ```
 *  a free epoch → workers switch → addresses in and out, the epoch, whose flows are undecided: in one transaction
 *               → packets that waited for an address go on
 * ```
 *
 * Workers first: from their answer on, no verdict of the policies before is on its way (DESIGN of epochs:
 * ARCHITECTURE.md 5).
 */
import { setTimeout } from "node:timers/promises";
import type { Datapath } from "../datapath/datapath.ts";
import type { NamesHandle } from "../datapath/names/names-handle.ts";
import type { WaitingHandle } from "../datapath/waiting-handle.ts";
import type { Firewall } from "../kernel/firewall.ts";
import type { NetworkInterface } from "../model/ec2.ts";
import type { Logger } from "../telemetry/log.ts";
import type { BridgeKeeper } from "./bridge-keeper.ts";
import { ChangeLog, type LoggedChange } from "./change-log.ts";
import type { PolicyUpdate } from "./policy/protocol.ts";
import type { RulesGuard } from "./rules-guard.ts";

const ATTEMPTS = 3;
const RETRY_MS = 50;

export interface EnforcementParts {
  readonly firewall: Firewall;
  readonly datapath: Datapath;
  readonly rules: RulesGuard;
  readonly bridges: BridgeKeeper;
  /** Null: nobody is waited for. */
  readonly waiting: WaitingHandle | null;
  readonly names: NamesHandle;
  readonly log: Logger;
}

export interface EnforcementListeners {
  /** A change is in force, of what objects say. */
  readonly onEpoch: (epoch: number) => void;
  /** The workers and the kernel have what an update brought: the next one may come. */
  readonly onApplied: () => void;
  /** Connection tracking holds nothing any more that the update of this number made void. */
  readonly onSettled: (number: number) => void;
  readonly onFatal: (error: Error, areRulesInForce: boolean) => void;
}

export class Enforcement {
  readonly #parts: EnforcementParts;
  readonly #listeners: EnforcementListeners;
  readonly #changes: ChangeLog;
  #interfaces: readonly NetworkInterface[];
  #epoch = 1;
  #update: PolicyUpdate | null = null;
  #running: Promise<void> | null = null;
  #isStopping = false;

  /** Epoch 1 is in force. */
  constructor(parts: EnforcementParts, interfaces: readonly NetworkInterface[], listeners: EnforcementListeners) {
    this.#parts = parts;
    this.#changes = new ChangeLog(parts.log);
    this.#interfaces = interfaces;
    this.#listeners = listeners;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** At most one at a time: the next one after `onApplied`. */
  apply(update: PolicyUpdate): void {
    this.#update = update;
    this.#run(() => this.#applyAll());
  }

  /** Anybody may take our rules away, and the kernel tells nobody who doesn't ask. */
  checkRules(): void {
    if (!this.#isIdle()) return;
    if (!this.#parts.rules.check()) this.#run(() => this.#applyAll());
  }

  /** Packets to services by IPVS bypass the forward hook (NP-50). It never goes once it's there. */
  checkServices(hasIpvs: () => boolean): void {
    const { firewall, log } = this.#parts;
    if (!this.#isIdle() || firewall.hook === "postrouting" || !hasIpvs()) return;
    this.#run(async () => {
      try {
        await firewall.useHook("postrouting");
        log.warn("IPVS is here now: packets are judged in postrouting instead of forward");
      } catch (error) {
        log.error({ err: error }, "the rules could not be moved to postrouting, and services by IPVS bypass them");
      }
    });
  }

  checkBridges(): void {
    if (this.#isIdle()) this.#parts.bridges.check();
  }

  /** Endpoints become known to the bridges and neighbour tables as they speak. */
  checkSources(): void {
    if (!this.#isIdle()) return;
    this.#run(async () => {
      try {
        await this.#parts.firewall.checkSources(this.#interfaces);
      } catch (error) {
        this.#parts.log.error({ err: error }, "the source check could not be brought up to date");
      }
    });
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    this.#changes.close();
  }

  #isIdle(): boolean {
    return this.#running === null && !this.#isStopping;
  }

  /** What changes the kernel runs alone; what came meanwhile follows. */
  #run(work: () => Promise<void>): void {
    if (this.#isStopping) return;
    this.#running ??= work().finally(() => {
      this.#running = null;
      if (this.#update !== null) this.#run(() => this.#applyAll());
    });
  }

  /** Damaged rules first: a change needs them whole. Three failures in a row, of either, are the end. */
  async #applyAll(): Promise<void> {
    const { rules, log } = this.#parts;
    for (let attempt = 1; (rules.isDamaged || this.#update !== null) && !this.#isStopping; ) {
      const update = rules.isDamaged ? null : this.#update;
      try {
        if (update === null) {
          await rules.restore();
          continue;
        }
        await this.#apply(update, attempt > 1);
        this.#update = null;
        attempt = 1;
        this.#listeners.onApplied();
        if (update.newOwners.length > 0) {
          void this.#parts.firewall.settled().then(() => this.#listeners.onSettled(update.number));
        }
      } catch (error) {
        const what = update === null ? "the rules could not be put back" : "a change could not be enforced";
        log.error({ err: error, attempt }, what);
        const areInForce = rules.check();
        if (attempt++ >= ATTEMPTS) {
          this.#isStopping = true;
          this.#listeners.onFatal(new Error(`${what}: ${error instanceof Error ? error.message : error}`), areInForce);
          return;
        }
        await setTimeout(RETRY_MS);
      }
    }
  }

  /** `isAgain`: it failed halfway, so that nobody knows what has been decided by what. */
  async #apply(update: PolicyUpdate, isAgain: boolean): Promise<void> {
    const { firewall, datapath, bridges, waiting, names } = this.#parts;
    const { affected, managed, output, answered, podRange, newOwners, interfaces } = update;
    const startMs = performance.now();
    const isWide = isAgain || affected === "all";
    const kernelEpoch = await firewall.takeEpoch();
    waiting?.prepare(podRange);
    await names.prepare(update.domains, newOwners === "all" ? [] : newOwners);
    await datapath.useProgram(update.patches, kernelEpoch);
    await firewall.change(
      kernelEpoch,
      { managed, output, answered, podRange },
      isWide ? "all" : affected,
      newOwners === "all" ? [] : newOwners,
    );
    waiting?.settle(podRange);
    names.settle(update.namesBatch);
    if (podRange.prefixes === null) bridges.follow(managed);
    else bridges.enforce();
    if (interfaces !== null) {
      this.#interfaces = interfaces;
      await firewall.checkSources(interfaces);
    }
    this.#epoch++;
    const change: LoggedChange = {
      epoch: this.#epoch,
      managed: update.managedCount,
      affected: isWide ? "all" : affected.length,
      compileMs: update.compileMs,
      enforceMs: performance.now() - startMs,
    };
    this.#changes.add(change, update.isOfNames);
    if (!update.isOfNames) this.#listeners.onEpoch(this.#epoch);
  }
}
