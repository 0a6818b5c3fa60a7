/**
 * The composition root: what is wanted (files → inventory → program) and making it so (worker, kernel), in the order
 * that keeps every packet judged.
 *
 * ```
 *  start   lock → load → probe → worker binds the queue → rules, matching no epoch → undecided flows → epoch → ready
 *  change  sweep the next epoch's value → worker switches → new addresses in → epoch → old addresses out
 *  always  rules that others removed are put back
 *  stop    rules out (or kept) → worker answers what is queued → sockets closed
 * ```
 */

import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Counters } from "../datapath/counters.ts";
import { Datapath } from "../datapath/datapath.ts";
import { latencyBoundsMicroseconds } from "../datapath/latency-histogram.ts";
import { buildProgram } from "../engine/compile.ts";
import { builtinEvaluators, evaluatorNames } from "../engine/evaluators.ts";
import type { ProgramData } from "../engine/program.ts";
import { loadAddon } from "../kernel/addon-loader.ts";
import { KernelError } from "../kernel/error.ts";
import { Firewall } from "../kernel/firewall.ts";
import { readHostAddresses } from "../kernel/links.ts";
import { type Probe, probeKernel } from "../kernel/probe.ts";
import type { Inventory } from "../model/inventory.ts";
import { FileSource } from "../sources/files/file-source.ts";
import type { Loaded } from "../sources/files/loaded.ts";
import { type HttpServer, startHttpServer } from "../telemetry/http-server.ts";
import type { Logger } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import type { Readiness } from "../telemetry/readiness.ts";
import { BridgeKeeper } from "./bridge-keeper.ts";
import { captureAll } from "./captures.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { EvaluatorModules } from "./evaluator-modules.ts";
import { withHostAddresses } from "./host-addresses.ts";
import { describeFileError, InputReport } from "./input-report.ts";
import { NamespaceLock } from "./lock.ts";
import { type MetricSources, readMetrics } from "./metric-values.ts";
import type { AgentOptions } from "./options.ts";
import { changedOwners, ownersOf } from "./owners.ts";
import { RulesGuard } from "./rules-guard.ts";

/** What `run` prints, one JSON line each. */
export type AgentEvent = { readonly event: "ready" | "epoch"; readonly epoch: number };

export interface AgentListeners {
  readonly onEvent: (event: AgentEvent) => void;
  /**
   * Enforcement can't go on. Where our rules are in force they stay, and `bypass` says what they do with new flows;
   * otherwise nothing is filtered.
   */
  readonly onFatal: (error: Error, areRulesInForce: boolean) => void;
}

/** Bytes of a packet that are copied: no chain of headers that is worth judging is longer. */
const COPY_RANGE_BYTES = 256;
const BATCH_SLOTS = 64;
const RECEIVE_BUFFER_BYTES = 16 << 20;
const KERNEL_ATTEMPTS = 3;
const RETRY_MS = 50;
/** How long rules that others took away are missed at most, and how long a new bridge is. */
const RULES_CHECK_INTERVAL_MS = 250;
const BRIDGES_CHECK_INTERVAL_MS = 1000;
const SOURCE_CHECK_INTERVAL_MS = 2000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #listeners: AgentListeners;
  readonly #source: FileSource;
  readonly #input: InputReport;
  readonly #modules: EvaluatorModules;
  readonly #counters = new Counters();
  #lock: NamespaceLock | null = null;
  #firewall: Firewall | null = null;
  #rules: RulesGuard | null = null;
  #bridges: BridgeKeeper | null = null;
  #datapath: Datapath | null = null;
  #http: HttpServer | null = null;
  #epoch = 0;
  #inventory: Inventory | null = null;
  /** What the program in force was made from; null while a change is halfway in. */
  #inForce: Inventory | null = null;
  /** Changes are applied one after the other; of those that wait only the last counts. */
  #next: Inventory | null = null;
  #applying: Promise<void> | null = null;
  #isStopping = false;
  #isEnforcing = false;
  /** An earlier run's rules were in the kernel when this one came. */
  #hadRules = false;
  /** A number is never given twice, also to a change that fails: packets may carry it already. */
  #lastEpoch = 1;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(options: AgentOptions, log: Logger, listeners: AgentListeners) {
    this.#options = options;
    this.#log = log;
    this.#listeners = listeners;
    this.#source = new FileSource(options.directories, options.vpcs);
    this.#input = new InputReport(options.directories, log);
    this.#modules = new EvaluatorModules(options.modules, log);
  }

  /**
   * Resolves when enforcement is in the kernel. Throws ConfigurationError for input that can't be used and KernelError
   * for a machine that can't do it. Then nothing of ours is in the kernel, but for rules that an earlier run left there
   * to keep flows closed: a start that fails doesn't open them.
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.#undo(this.#hadRules);
      throw error;
    }
  }

  async #start(): Promise<void> {
    const loaded = await this.#source.load();
    if (loaded.errors.length > 0) throw new ConfigurationError(loaded.errors.map(describeFileError));
    this.#modules.check(loaded.inventory, this.#options.knobs);
    const addon = loadAddon();
    const probe = await probeKernel(addon);
    if (probe.problems.length > 0) throw missing(probe);
    this.#lock = await NamespaceLock.acquire();
    // What can fail without the kernel comes before it's touched.
    await this.#listen();

    const { knobs, mark, queue, queueLength } = this.#options;
    const captured = captureAll([...builtinEvaluators, ...this.#modules.evaluators], loaded.inventory, knobs);
    this.#input.enforced(loaded.inventory, captured.managed);
    this.#inventory = loaded.inventory;
    this.#inForce = complete(loaded.inventory);
    this.#epoch = 1;
    this.#datapath = this.#startDatapath(buildProgram(this.#inForce, knobs, this.#epoch, this.#modules.evaluators));
    await this.#datapath.bound();

    this.#firewall = new Firewall(addon);
    this.#hadRules = await this.#firewall.hasTable();
    if (!this.#hadRules) this.#firewall.forgetSwitches();
    await this.#firewall.install({
      mark,
      queue: { first: queue, total: 1 },
      useNativeQueue: probe.queue === "native",
      knobs,
      hook: probe.hasIpvs ? "postrouting" : "forward",
      ...captured,
    });
    const cleared = this.#firewall.clearDecisions();
    this.#rules = new RulesGuard(this.#firewall, this.#log);
    this.#bridges = new BridgeKeeper(this.#firewall, this.#options.bridges, this.#log);
    this.#bridges.enforce(captured.managed);
    await this.#firewall.checkSources(loaded.inventory.ec2.interfaces);
    this.#firewall.publishEpoch(1);
    this.#log.info(
      {
        epoch: 1,
        queue,
        queueRule: probe.queue,
        kernel: probe.kernel,
        managed: sizeOf(captured.managed),
        cleared,
        queueLength,
      },
      "enforcing",
    );
    this.#isEnforcing = true;
    this.#listeners.onEvent({ event: "ready", epoch: 1 });
    this.#source.watch((changed) => this.#onChange(changed));
    this.#timers.push(
      setInterval(() => this.#checkRules(), RULES_CHECK_INTERVAL_MS),
      setInterval(() => this.#checkBridges(), BRIDGES_CHECK_INTERVAL_MS),
      setInterval(() => this.#checkSources(), SOURCE_CHECK_INTERVAL_MS),
    );
  }

  async #listen(): Promise<void> {
    if (this.#options.listen === null) return;
    const metrics = new Metrics(latencyBoundsMicroseconds, () => readMetrics(this.#metricSources()));
    this.#http = await startHttpServer(this.#options.listen, {
      contentType: metrics.registry.contentType,
      metrics: () => metrics.scrape(),
      readiness: () => this.readiness(),
    });
  }

  readiness(): Readiness {
    this.#checkRules();
    const isRunning = this.#isEnforcing && !this.#isStopping;
    const isDamaged = this.#rules?.isDamaged === true;
    return {
      ready: isRunning && !isDamaged,
      epoch: this.#epoch,
      inventoryStale: this.#input.staleReasons.length > 0,
      reasons: !isRunning ? [notEnforcing] : isDamaged ? [rulesAreGone] : this.#input.staleReasons,
    };
  }

  /** A clean stop; `onStop` says whether the rules stay. May be called twice. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#source.close();
    await this.#applying?.catch(() => {});
    await this.#undo(this.#options.knobs.onStop === "keep");
    this.#log.info({ epoch: this.#epoch, onStop: this.#options.knobs.onStop }, "stopped");
  }

  /** Rules first, then what is queued gets its verdict, then the rest. Every step is tried. */
  async #undo(keepsRules = false): Promise<void> {
    this.#source.close();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    const steps: (() => unknown)[] = [
      () => (keepsRules ? this.#firewall?.keep() : this.#firewall?.remove()),
      () => this.#datapath?.stop(),
      () => this.#firewall?.close(),
      () => this.#http?.close(),
      () => this.#lock?.release(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        this.#log.error({ err: error }, "stopping");
      }
    }
    this.#firewall = null;
    this.#rules = null;
    this.#bridges = null;
    this.#datapath = null;
    this.#http = null;
    this.#lock = null;
  }

  #onChange(changed: Loaded): void {
    if (!this.#input.read(changed.errors)) return;
    this.#next = changed.inventory;
    this.#run(() => this.#applyAll());
  }

  /** What changes the kernel runs alone; changes that came meanwhile follow. */
  #run(change: () => Promise<void>): void {
    this.#applying ??= change().finally(() => {
      this.#applying = null;
      if (this.#next !== null && !this.#isStopping) this.#run(() => this.#applyAll());
    });
  }

  /** Anybody may take our rules away, and the kernel tells nobody who doesn't ask. */
  #checkRules(): void {
    if (this.#applying !== null || !this.#isEnforcing || this.#isStopping) return;
    if (this.#rules?.check() === false) this.#run(() => this.#applyAll());
  }

  #checkBridges(): void {
    if (this.#applying === null && !this.#isStopping) this.#bridges?.check();
  }

  /** Endpoints become known to the bridges and neighbour tables as they speak. */
  #checkSources(): void {
    if (this.#applying !== null || this.#isStopping) return;
    this.#run(async () => {
      try {
        await this.#firewall?.checkSources(this.#inventory?.ec2.interfaces ?? []);
      } catch (error) {
        this.#log.error({ err: error }, "the source check could not be brought up to date");
      }
    });
  }

  /** Damaged rules first: a change needs them whole. Three failures in a row, of either, are the end. */
  async #applyAll(): Promise<void> {
    for (let attempt = 1; (this.#rules?.isDamaged || this.#next !== null) && !this.#isStopping; ) {
      const inventory = this.#rules?.isDamaged ? null : this.#next;
      try {
        if (inventory === null) {
          await this.#rules?.restore();
          continue;
        }
        this.#next = null;
        await this.#apply(inventory);
        attempt = 1;
      } catch (error) {
        const what = inventory === null ? "the rules could not be put back" : "a change could not be enforced";
        this.#log.error({ err: error, attempt }, what);
        const areInForce = this.#rules?.check() === true;
        if (attempt++ >= KERNEL_ATTEMPTS) {
          this.#isEnforcing = false;
          this.#listeners.onFatal(new Error(`${what}: ${error instanceof Error ? error.message : error}`), areInForce);
          return;
        }
        this.#next ??= inventory;
        await setTimeout(RETRY_MS);
      }
    }
  }

  async #apply(inventory: Inventory): Promise<void> {
    const firewall = this.#firewall;
    const datapath = this.#datapath;
    if (firewall === null || datapath === null) return;
    const completed = complete(inventory);
    // Files that were touched, or broken for a while, and say what is in force: nothing is judged anew.
    if (isDeepStrictEqual(completed, this.#inForce)) return;
    const epoch = ++this.#lastEpoch;
    const custom = this.#modules.evaluators;
    const program = buildProgram(completed, this.#options.knobs, epoch, custom);
    const captured = captureAll([...builtinEvaluators, ...custom], inventory, this.#options.knobs);
    this.#modules.report();
    this.#inForce = null;
    firewall.sweepEpoch(epoch);
    await datapath.useProgram(program);
    firewall.clearHeld(changedOwners(ownersOf(this.#inventory ?? inventory), ownersOf(inventory)));
    await firewall.addAddresses(captured);
    this.#bridges?.enforce(captured.managed);
    firewall.publishEpoch(epoch);
    await firewall.removeAddresses(captured);
    await firewall.checkSources(inventory.ec2.interfaces);
    this.#epoch = epoch;
    this.#inventory = inventory;
    this.#inForce = completed;
    this.#input.enforced(inventory, captured.managed);
    this.#log.info({ epoch, managed: sizeOf(captured.managed) }, "enforcing a change");
    this.#listeners.onEvent({ event: "epoch", epoch });
  }

  #startDatapath(program: ProgramData): Datapath {
    const { knobs, mark, queue, queueLength } = this.#options;
    return new Datapath(
      {
        queue,
        copyRangeBytes: COPY_RANGE_BYTES,
        maxLength: queueLength,
        receiveBufferBytes: RECEIVE_BUFFER_BYTES,
        batchSlots: BATCH_SLOTS,
        mark,
        acceptsOverflow: knobs.overflow === "accept",
        acceptsErrors: knobs.errorVerdict === "accept",
        rejects: knobs.denyAction === "reject",
        midstreamAdoptSeconds: knobs.midstreamAdoptSeconds,
        counters: this.#counters.buffer,
        program,
        evaluatorUrls: this.#modules.urls,
      },
      {
        onFault: (message) => this.#log.error({ message }, "a defect in the datapath; the batch got errorVerdict"),
        onFailure: (failure) => this.#modules.tell(failure),
        onDeath: (error) => this.#listeners.onFatal(error, this.#rules?.check() === true),
      },
    );
  }

  #metricSources(): MetricSources {
    return {
      counters: this.#counters,
      evaluatorNames: evaluatorNames(this.#modules.evaluators),
      datapath: this.#datapath,
      firewall: this.#firewall,
      rulesRestored: this.#rules?.restoredCount ?? 0,
      epoch: this.#epoch,
      inventory: this.#inventory,
      isStale: this.#input.staleReasons.length > 0,
      queue: this.#options.queue,
    };
  }
}

const notEnforcing = "enforcement isn't in the kernel";
const rulesAreGone = "somebody else removed or changed the rules in the kernel; they are being put back";

/** With what this host itself knows. */
function complete(inventory: Inventory): Inventory {
  return withHostAddresses(inventory, readHostAddresses(loadAddon()));
}

function missing(probe: Probe): KernelError {
  const code = probe.hasNetAdmin ? "VERDICTD_UNSUPPORTED" : "VERDICTD_NO_PRIVILEGE";
  return new KernelError(code, "start", 0, probe.problems.join("; "));
}

function sizeOf(addresses: readonly unknown[] | "all"): number | "all" {
  return addresses === "all" ? "all" : addresses.length;
}
