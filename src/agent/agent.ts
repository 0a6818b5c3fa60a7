/**
 * The composition root: what is wanted (policy thread: files → inventory → program) and making it so (workers, kernel),
 * in the order that keeps every packet judged.
 *
 * ```
 *  start   load → probe → lock → workers bind the queues → rules, matching no epoch → undecided flows → epoch → ready
 *  change  enforcement.ts
 *  stop    rules out (or kept) → workers answer what is queued → sockets closed
 * ```
 */

import { Counters } from "../datapath/counters.ts";
import { Datapath } from "../datapath/datapath.ts";
import type { EvaluatorFailure } from "../datapath/failure-report.ts";
import { LatencyWindow } from "../datapath/latency-window.ts";
import { NamesCounters } from "../datapath/names/names-counters.ts";
import type { NamesHandle } from "../datapath/names/names-handle.ts";
import { WaitingCounters } from "../datapath/waiting-counters.ts";
import type { WaitingHandle } from "../datapath/waiting-handle.ts";
import { evaluatorNames } from "../engine/evaluators.ts";
import { loadAddon } from "../kernel/addon-loader.ts";
import { KernelError } from "../kernel/error.ts";
import { Firewall } from "../kernel/firewall.ts";
import { hasIpvs, type Probe, probeKernel } from "../kernel/probe.ts";
import { hasTable } from "../kernel/rule-tables.ts";
import { queueNumbers } from "../kernel/ruleset-config.ts";
import type { ApiStatus } from "../sources/kubernetes/api/api-source.ts";
import { type HttpServer, startHttpServer } from "../telemetry/http-server.ts";
import type { Logger } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import type { Readiness } from "../telemetry/readiness.ts";
import { BridgeKeeper } from "./bridge-keeper.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { createNamesHandle } from "./domain-names.ts";
import { Enforcement } from "./enforcement.ts";
import { describeFileError, InputReport } from "./input-report.ts";
import { NamespaceLock } from "./lock.ts";
import { type MetricSources, readMetrics } from "./metric-values.ts";
import { NamesMemory } from "./names-memory.ts";
import type { AgentOptions } from "./options.ts";
import { OwnersMemory } from "./owners-memory.ts";
import { PolicyThread } from "./policy/policy-thread.ts";
import type { InventoryReport, PolicyUpdate } from "./policy/protocol.ts";
import { RulesGuard } from "./rules-guard.ts";
import { podRangeOf, startWaitingRoom } from "./unknown-pods.ts";

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
/** What the ct marks are numbered with at first, when none is left of an earlier run. */
const FIRST_EPOCH = 1;
const BATCH_SLOTS = 64;
const WARM_UP_ADDRESSES = 32;
const RECEIVE_BUFFER_BYTES = 16 << 20;
/** How long rules that others took away are missed at most, and how long a new bridge is. */
const RULES_CHECK_INTERVAL_MS = 250;
const BRIDGES_CHECK_INTERVAL_MS = 1000;
const SOURCE_CHECK_INTERVAL_MS = 2000;
const SERVICES_CHECK_INTERVAL_MS = 1000;

/** A batch takes microseconds. */
const SILENCE_MS = 500;

export class Agent {
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #listeners: AgentListeners;
  readonly #input: InputReport;
  readonly #counters: readonly Counters[];
  readonly #latencyWindow: LatencyWindow | null;
  readonly #waitingCounters = new WaitingCounters();
  readonly #namesCounters = new NamesCounters();
  readonly #timers: NodeJS.Timeout[] = [];
  #lock: NamespaceLock | null = null;
  #policy: PolicyThread | null = null;
  #firewall: Firewall | null = null;
  #rules: RulesGuard | null = null;
  #datapath: Datapath | null = null;
  #waiting: WaitingHandle | null = null;
  #names: NamesHandle | null = null;
  #http: HttpServer | null = null;
  #enforcement: Enforcement | null = null;
  #isStopping = false;
  /** For the policies to be read for the first time. */
  #isWaiting = false;
  /** Null where there's no API server, or nothing is known of it yet. */
  #cluster: ApiStatus | null = null;
  /** An earlier run's rules were in the kernel when this one came. */
  #hadRules = false;

  constructor(options: AgentOptions, log: Logger, listeners: AgentListeners) {
    this.#options = options;
    this.#log = log;
    this.#listeners = listeners;
    this.#input = new InputReport(options, log);
    this.#counters = Array.from({ length: options.workers }, () => new Counters());
    this.#latencyWindow = options.knpMetrics ? new LatencyWindow() : null;
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
    const { knobs, mark, queue, queueLength, workers } = this.#options;
    const policy = this.#startPolicy();
    // A server may keep us waiting: whoever asks meanwhile is told so, and what this machine lacks is told first.
    if (this.#options.cluster === null) await this.#firstPolicies(policy);
    const addon = loadAddon();
    const probe = await probeKernel(addon);
    if (probe.problems.length > 0) throw missing(probe);
    this.#lock = await NamespaceLock.acquire();
    // What can fail without the kernel comes before it's touched.
    await this.#listen();
    if (this.#options.cluster !== null) {
      this.#hadRules = await hasTable();
      this.#log.info(this.#hadRules ? `${waitingForServer}; ${rulesAreKept}` : waitingForServer);
    }
    const { update, report, readMs } = await this.#firstPolicies(policy);

    this.#input.enforced(report);
    this.#datapath = this.#startDatapath(update);
    await this.#datapath.bound();
    const range = podRangeOf(this.#options, update);
    const onDeath = (error: Error): void => this.#onDeath(error);
    this.#waiting = startWaitingRoom(this.#options, range, this.#waitingCounters, this.#log, onDeath);
    await this.#waiting?.bound();
    this.#names = createNamesHandle(this.#options, this.#namesCounters, this.#log, {
      onNames: (names) => this.#policy?.learn(names),
      onDeath,
    });
    await this.#names.prepare(update.domains, []);

    const firewall = new Firewall(addon, {
      onSearchFailure: (error) => this.#log.error({ err: error }, "connection tracking could not be searched"),
    });
    this.#firewall = firewall;
    this.#hadRules = await hasTable();
    if (!this.#hadRules) firewall.forgetSwitches();
    await firewall.install({
      mark,
      queue: queueNumbers(queue, workers).workers,
      useNativeQueue: probe.queue === "native",
      knobs,
      hook: probe.hasIpvs ? "postrouting" : "forward",
      managed: update.managed === "all" ? "all" : update.managed.added,
      output: update.output === "all" ? "all" : update.output.added,
      ...(range === null ? {} : { podRange: range }),
      answered: update.answered.added,
    });
    // Where nobody knows whose flows tracking holds, none is held.
    const { newOwners } = update;
    const cleared = await firewall.clearDecisions(newOwners === "all" ? "held too" : newOwners);
    policy.settled(update.number);
    this.#rules = new RulesGuard(firewall, this.#log);
    const bridges = new BridgeKeeper(firewall, this.#options.bridges, this.#log);
    bridges.enforce();
    const interfaces = update.interfaces ?? [];
    await firewall.checkSources(interfaces);
    firewall.publishEpoch(FIRST_EPOCH);
    const { kernel, queue: queueRule } = probe;
    const managed = update.managedCount;
    const timing = { readMs: Math.round(readMs), compileMs: Math.round(update.compileMs) };
    const about = { epoch: 1, queue, workers, queueRule, kernel, managed, cleared, queueLength, ...timing };
    this.#log.info(about, "enforcing");
    this.#enforcement = new Enforcement(
      {
        ...{ firewall, datapath: this.#datapath, rules: this.#rules, bridges },
        ...{ waiting: this.#waiting, names: this.#names, log: this.#log },
      },
      interfaces,
      {
        onEpoch: (epoch) => this.#listeners.onEvent({ event: "epoch", epoch }),
        onApplied: () => policy.applied(),
        onSettled: (number) => policy.settled(number),
        onFatal: (error, areRulesInForce) => this.#onFatal(error, areRulesInForce),
      },
    );
    collectGarbage();
    this.#listeners.onEvent({ event: "ready", epoch: 1 });
    policy.applied();
    this.#timers.push(
      setInterval(() => this.#enforcement?.checkRules(), RULES_CHECK_INTERVAL_MS),
      setInterval(() => this.#enforcement?.checkBridges(), BRIDGES_CHECK_INTERVAL_MS),
      setInterval(() => this.#enforcement?.checkSources(), SOURCE_CHECK_INTERVAL_MS),
      setInterval(() => this.#enforcement?.checkServices(hasIpvs), SERVICES_CHECK_INTERVAL_MS),
    );
  }

  /** Throws ConfigurationError for policies that can't be used. */
  async #firstPolicies(policy: PolicyThread): Promise<UsablePolicies> {
    this.#isWaiting = true;
    const { update, report, errors, problems, readMs } = await policy.loaded();
    this.#isWaiting = false;
    if (update === null) throw new ConfigurationError([...errors.map(describeFileError), ...problems]);
    // A VPC that isn't there would leave everything unfiltered.
    const unknown = report.findings.filter(({ code }) => code === "unknown-vpc");
    if (unknown.length > 0)
      throw new ConfigurationError(unknown.map(({ path, message }) => `--vpc ${path}: ${message}`));
    return { update, report, readMs };
  }

  async #listen(): Promise<void> {
    if (this.#options.listen === null) return;
    const metrics = new Metrics(() => readMetrics(this.#metricSources()), this.#options.knpMetrics);
    this.#http = await startHttpServer(this.#options.listen, {
      contentType: metrics.registry.contentType,
      metrics: () => metrics.scrape(),
      readiness: () => this.readiness(),
    });
  }

  readiness(): Readiness {
    this.#enforcement?.checkRules();
    const isRunning = this.#enforcement !== null && !this.#isStopping;
    const isDamaged = this.#rules?.isDamaged === true;
    // Asked each time, so that a worker which hangs is found out by whoever looks again.
    const isSilent = (this.#datapath?.silentMs ?? 0) > SILENCE_MS;
    this.#datapath?.refreshStatistics().catch(() => {});
    return {
      ready: isRunning && !isDamaged && !isSilent,
      epoch: this.#enforcement?.epoch ?? 0,
      inventoryStale: this.#input.staleReasons.length > 0,
      reasons: !isRunning
        ? [this.#whyNot(), ...this.#input.staleReasons]
        : isDamaged
          ? [rulesAreGone]
          : isSilent
            ? [workerHangs]
            : [...this.#input.staleReasons, ...this.#input.warnings],
    };
  }

  #whyNot(): string {
    if (!this.#isWaiting || this.#options.cluster === null) return notEnforcing;
    return `${notEnforcing}: ${waitingForServer}${this.#hadRules ? `; ${rulesAreKept}` : ""}`;
  }

  /** A start that waits for its policies rejects; any other goes on. */
  async cancelWaiting(): Promise<void> {
    if (this.#isWaiting) await this.#policy?.stop();
  }

  /** A clean stop; `onStop` says whether the rules stay. May be called twice. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const epoch = this.#enforcement?.epoch ?? 0;
    await this.#undo(this.#options.knobs.onStop === "keep");
    this.#log.info({ epoch, onStop: this.#options.knobs.onStop }, "stopped");
  }

  /** Rules first, then what is queued gets its verdict, then the rest. Every step is tried. */
  async #undo(keepsRules = false): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    const steps: (() => unknown)[] = [
      () => this.#enforcement?.stop(),
      () => (keepsRules ? this.#firewall?.keep() : this.#firewall?.remove()),
      () => this.#datapath?.stop(),
      () => this.#waiting?.stop(),
      () => this.#names?.stop(),
      () => this.#policy?.stop(),
      () => (keepsRules || this.#enforcement === null ? undefined : clearMemories()),
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
    this.#enforcement = null;
    this.#firewall = null;
    this.#rules = null;
    this.#datapath = null;
    this.#waiting = null;
    this.#names = null;
    this.#policy = null;
    this.#http = null;
    this.#lock = null;
  }

  /** A thread of ours is gone. */
  #onDeath(error: Error): void {
    this.#onFatal(error, this.#rules?.check() === true);
  }

  #onFatal(error: Error, areRulesInForce: boolean): void {
    this.#enforcement = null;
    this.#listeners.onFatal(error, areRulesInForce);
  }

  #onFailure(failure: EvaluatorFailure): void {
    this.#log.error({ ...failure }, "an evaluator failed: errorVerdict decides what it should judge");
  }

  #startPolicy(): PolicyThread {
    const { directories, vpcs, cluster, told, nodeName, podRanges, knobs, modules } = this.#options;
    this.#policy = new PolicyThread(
      { directories, vpcs, cluster, told, nodeName, podRanges, knobs, modules: modules.map(({ path }) => path) },
      {
        onUpdate: (update) => this.#enforcement?.apply(update),
        onReport: (report) => this.#input.enforced(report),
        onStale: (reasons) => this.#input.noteStale(reasons),
        onClusterStatus: (status) => {
          this.#cluster = status;
        },
        onComplaint: (text) => this.#log.warn(text),
        onFailure: (failure) => this.#onFailure(failure),
        onDeath: (error) => this.#onDeath(error),
      },
    );
    return this.#policy;
  }

  #startDatapath({ patches, managed }: PolicyUpdate): Datapath {
    const { knobs, mark, queue, queueLength, spinMicroseconds, modules, workers } = this.#options;
    const { first } = queueNumbers(queue, workers).workers;
    return new Datapath(
      this.#counters.map((counters, i) => ({
        queue: first + i,
        copyRangeBytes: COPY_RANGE_BYTES,
        maxLength: queueLength,
        receiveBufferBytes: RECEIVE_BUFFER_BYTES,
        batchSlots: BATCH_SLOTS,
        spinMicroseconds,
        mark,
        knobs,
        counters: counters.buffer,
        patches,
        epochNibble: FIRST_EPOCH,
        someAddresses: managed === "all" ? [] : managed.added.slice(0, WARM_UP_ADDRESSES),
        evaluatorUrls: modules.map(({ url }) => url),
      })),
      {
        onFault: (message) => this.#log.error({ message }, "a defect in the datapath; the batch got errorVerdict"),
        onFailure: (failure) => this.#onFailure(failure),
        onDeath: (error) => this.#onDeath(error),
      },
    );
  }

  #metricSources(): MetricSources {
    return {
      counters: this.#counters,
      waiting: this.#waiting === null ? null : this.#waitingCounters,
      evaluatorNames: evaluatorNames(this.#options.modules.map((module) => module.evaluator)),
      names: this.#namesCounters,
      datapath: this.#datapath,
      firewall: this.#firewall,
      rulesRestored: this.#rules?.restoredCount ?? 0,
      isReady: this.readiness().ready,
      epoch: this.#enforcement?.epoch ?? 0,
      report: this.#input.report,
      isStale: this.#input.staleReasons.length > 0,
      cluster: this.#cluster,
      queue: queueNumbers(this.#options.queue, this.#options.workers).workers.first,
      latencyWindow: this.#latencyWindow,
    };
  }
}

function clearMemories(): void {
  new OwnersMemory().clear();
  new NamesMemory().clear();
}

interface UsablePolicies {
  readonly update: PolicyUpdate;
  readonly report: InventoryReport;
  readonly readMs: number;
}

const notEnforcing = "enforcement isn't in the kernel";
const waitingForServer = "waiting for the API server to tell all policies";
const rulesAreKept =
  "the rules that an earlier run left are in force until then: flows that it admitted go on, and bypass says what new ones do";
const workerHangs =
  "a thread that judges packets doesn't answer, so that new flows wait or drop: an evaluator of yours that loops or waits?";
const rulesAreGone = "somebody else removed or changed the rules in the kernel; they are being put back";

function missing(probe: Probe): KernelError {
  const code = probe.hasNetAdmin ? "VERDICTD_UNSUPPORTED" : "VERDICTD_NO_PRIVILEGE";
  return new KernelError(code, "start", 0, probe.problems.join("; "));
}
