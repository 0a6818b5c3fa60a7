/**
 * Tells the cluster what became of its policies: conditions on those that have a status, events about bad ones. Every
 * node does so without knowing of the others. Each waits a random moment, looks at what the watch has brought meanwhile,
 * and writes what is still missing; what it wrote it doesn't write again soon, so that two versions that disagree don't
 * fight. Nothing waits for it: what can't be written is tried again later, or left.
 */
import { setTimeout } from "node:timers/promises";
import type { ApiRequest } from "../../../sources/kubernetes/api/api-client.ts";
import { ApiError } from "../../../sources/kubernetes/api/api-error.ts";
import type { PolicySeen } from "../../../sources/kubernetes/api/policy-observer.ts";
import type { CommitObserver } from "../policy-sources.ts";
import { areCurrent, statusPatch, wantedConditions } from "./conditions.ts";
import { invalidPolicyEvent } from "./policy-event.ts";
import { type PolicyRecord, readRecord } from "./policy-record.ts";

/** `ApiClient`, or a test's. */
export interface PolicyApi {
  request(path: string, options: ApiRequest): Promise<unknown>;
}

export interface PolicyStatusOptions {
  readonly conditions: boolean;
  readonly events: boolean;
  readonly nodeName: string;
}

export interface PolicyStatusHooks {
  /** What was committed is in force on this node. */
  readonly isInForce: () => boolean;
  /** For the log. */
  readonly onComplaint: (text: string) => void;
}

export interface PolicyStatusTiming {
  /** The most that a node waits, so that the first one's writing is seen by most. */
  readonly spreadMs: number;
  readonly tickMs: number;
  /** Between two requests. */
  readonly paceMs: number;
  /** The same isn't written again before. */
  readonly repeatMs: number;
  readonly firstPauseMs: number;
  readonly mostPauseMs: number;
}

export const defaultPolicyStatusTiming: PolicyStatusTiming = {
  spreadMs: 3000,
  tickMs: 250,
  paceMs: 100,
  repeatMs: 600_000,
  firstPauseMs: 1000,
  mostPauseMs: 300_000,
};

type Task = "conditions" | "events";

interface Entry {
  record: PolicyRecord;
  /** Counts what was seen: the commit that holds it comes later. */
  order: number;
  dueMs: number;
  written: { readonly what: string; readonly atMs: number } | null;
  /** What the last event was about. */
  told: string;
}

export class PolicyStatusWriter implements CommitObserver {
  readonly #api: PolicyApi;
  readonly #options: PolicyStatusOptions;
  readonly #hooks: PolicyStatusHooks;
  readonly #timing: PolicyStatusTiming;
  /** By the policy's own name, as its origin has it. */
  readonly #entries = new Map<string, Entry>();
  readonly #abort = new AbortController();
  readonly #pauses: Record<Task, { untilMs: number; nextMs: number; said: string }>;
  #order = 0;
  #committed = 0;
  #inForce = 0;
  #timer: NodeJS.Timeout | null = null;
  #isWorking = false;

  constructor(
    api: PolicyApi,
    options: PolicyStatusOptions,
    hooks: PolicyStatusHooks,
    timing: PolicyStatusTiming = defaultPolicyStatusTiming,
  ) {
    this.#api = api;
    this.#options = options;
    this.#hooks = hooks;
    this.#timing = timing;
    const pause = () => ({ untilMs: 0, nextMs: timing.firstPauseMs, said: "" });
    this.#pauses = { conditions: pause(), events: pause() };
  }

  put(name: string, seen: PolicySeen): void {
    const record = readRecord(seen);
    // Nothing is ever written of a good NetworkPolicy, and there may be ten thousand.
    if (record === null || (!hasStatus(record) && record.errors.length === 0)) {
      this.remove(name);
      return;
    }
    const known = this.#entries.get(name);
    if (known && known.record.uid === record.uid && known.record.generation === record.generation) {
      known.record = record;
    } else {
      const dueMs = performance.now() + Math.random() * this.#timing.spreadMs;
      this.#entries.set(name, { record, order: ++this.#order, dueMs, written: null, told: "" });
    }
    this.#timer ??= setInterval(() => void this.#work(), this.#timing.tickMs);
  }

  remove(name: string): void {
    this.#entries.delete(name);
  }

  keepOnly(kind: string, names: ReadonlySet<string>): void {
    for (const [name, { record }] of this.#entries) {
      if (record.kind === kind && !names.has(name)) this.#entries.delete(name);
    }
  }

  committed(): void {
    this.#committed = this.#order;
  }

  /** No request after this one. */
  close(): void {
    this.#abort.abort();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #work(): Promise<void> {
    if (this.#hooks.isInForce()) this.#inForce = this.#committed;
    if (this.#isWorking) return;
    this.#isWorking = true;
    let isDone = true;
    for (const [name, entry] of this.#entries) {
      for (const task of ["conditions", "events"] as const) {
        if (this.#abort.signal.aborted) return;
        if (!this.#options[task] || !this.#isMissing(task, entry)) continue;
        isDone = false;
        if (!this.#isTime(task, entry)) continue;
        await this.#write(task, name, entry);
        await setTimeout(this.#timing.paceMs, undefined, { signal: this.#abort.signal }).catch(() => {});
      }
    }
    this.#isWorking = false;
    if (!isDone || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #isMissing(task: Task, { record, written, told }: Entry): boolean {
    if (task === "events") return record.errors.length > 0 && told !== aboutEvent(record);
    if (!hasStatus(record)) return false;
    const wanted = wantedConditions(record, this.#options.nodeName, "");
    if (areCurrent(record, wanted)) return false;
    return (
      written === null || written.what !== about(wanted) || performance.now() - written.atMs >= this.#timing.repeatMs
    );
  }

  #isTime(task: Task, { order, dueMs }: Entry): boolean {
    const now = performance.now();
    if (now < dueMs || now < this.#pauses[task].untilMs) return false;
    return task === "events" || order <= this.#inForce;
  }

  async #write(task: Task, name: string, entry: Entry): Promise<void> {
    const { record } = entry;
    const { nodeName } = this.#options;
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const signal = this.#abort.signal;
    try {
      if (task === "conditions") {
        const wanted = wantedConditions(record, nodeName, now);
        entry.written = { what: about(wanted), atMs: performance.now() };
        const body = statusPatch(record, wanted);
        const path = `${record.path}/${record.name}/status?fieldManager=verdictd&force=true`;
        await this.#api.request(path, { method: "PATCH", body, contentType: APPLY, signal });
      } else {
        const { namespace, body } = invalidPolicyEvent(record, nodeName, now);
        entry.told = aboutEvent(record);
        await this.#api.request(`/api/v1/namespaces/${namespace}/events`, { method: "POST", body, signal });
      }
      Object.assign(this.#pauses[task], { nextMs: this.#timing.firstPauseMs, said: "" });
    } catch (error) {
      if (signal.aborted) return;
      // A defect of ours must not end the thread that policies come through.
      this.#recover(task, name, entry, error instanceof ApiError ? error : new ApiError(0, String(error)));
    }
  }

  #recover(task: Task, name: string, entry: Entry, error: ApiError): void {
    const { status } = error;
    // Somebody was first; it's gone, or its namespace is going; there is no such status: nothing is left to do.
    if ((task === "events" && status === 409) || status === 404 || error.message.includes("being terminated")) return;
    const isRefused = status === 400 || status === 422;
    if (!isRefused) {
      if (task === "conditions") entry.written = null;
      else entry.told = "";
    }
    // The policy is another one by now: the watch will say so.
    if (status === 409) {
      entry.dueMs = performance.now() + this.#timing.firstPauseMs;
      return;
    }
    const pause = this.#pauses[task];
    const ms = status === 403 ? this.#timing.mostPauseMs : Math.max(pause.nextMs, error.retryAfterMs ?? 0);
    if (!isRefused) pause.untilMs = performance.now() + ms;
    pause.nextMs = Math.min(pause.nextMs * 2, this.#timing.mostPauseMs);
    const said = String(status);
    if (pause.said === said) return;
    pause.said = said;
    this.#hooks.onComplaint(`${flags[task]}: ${name}: ${error.message}${status === 403 ? `; ${remedies[task]}` : ""}`);
  }
}

const APPLY = "application/apply-patch+yaml";
const flags: Readonly<Record<Task, string>> = { conditions: "--policy-status", events: "--policy-events" };
const remedies: Readonly<Record<Task, string>> = {
  conditions: "allow patch of the policies' resources with /status in policy.networking.k8s.io, or leave the flag out",
  events: "allow create of events, or leave the flag out",
};

/** NetworkPolicy has none. */
function hasStatus({ kind }: PolicyRecord): boolean {
  return kind !== "NetworkPolicy";
}

function about(
  conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[],
): string {
  return conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).join();
}

function aboutEvent({ generation, errors }: PolicyRecord): string {
  return JSON.stringify([generation, errors]);
}
