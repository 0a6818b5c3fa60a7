/**
 * Where policies come from: directories, an API server, or both, into one store. While a file can't be read, all files
 * stay as they were, because nobody knows what it would say; neither that nor a server that can't be asked holds up the
 * other.
 */
import { type InventoryChange, noChange } from "../../model/inventory-change.ts";
import type { FileError } from "../../sources/files/file-error.ts";
import { FileSource } from "../../sources/files/file-source.ts";
import { InventoryStore } from "../../sources/inventory-store.ts";
import type { ApiSource, ApiStatus } from "../../sources/kubernetes/api/api-source.ts";
import type { ClusterOptions } from "../../sources/kubernetes/api/kubeconfig.ts";
import { openCluster } from "../../sources/kubernetes/api/open-cluster.ts";
import type { PolicyObserver } from "../../sources/kubernetes/api/policy-observer.ts";
import { describeFileError } from "../input-report.ts";

export interface SourceChange {
  /** Null: only the reasons are others. */
  readonly change: InventoryChange | null;
  /** Why what is known may be older than what there is; empty where it isn't. */
  readonly reasons: readonly string[];
}

export interface CommitObserver extends PolicyObserver {
  /** All that it heard of until now is part of what is handed on next. */
  committed(): void;
}

export interface SourceOptions {
  readonly directories: readonly string[];
  readonly vpcs: readonly string[];
  readonly cluster: ClusterOptions | null;
  /** Hears of each policy on the server. */
  readonly policies: CommitObserver | null;
}

export class PolicySources {
  readonly store: InventoryStore;
  readonly #files: FileSource | null;
  readonly #cluster: ClusterOptions | null;
  readonly #policies: CommitObserver | null;
  #api: ApiSource | null = null;
  #isClosed = false;
  #fileErrors: readonly FileError[] = [];
  #onChange: ((change: SourceChange) => void) | null = null;
  readonly #onWait: (reasons: readonly string[]) => void;

  /** `onWait` is told why `load` takes long. */
  constructor({ directories, vpcs, cluster, policies }: SourceOptions, onWait: (reasons: readonly string[]) => void) {
    this.store = new InventoryStore(vpcs);
    this.#onWait = onWait;
    this.#files = directories.length > 0 ? new FileSource(directories, this.store) : null;
    this.#cluster = cluster;
    this.#policies = policies;
  }

  /** The API server, as its objects name it where others name a file. Null where there is none, or isn't yet. */
  get server(): string | null {
    return this.#api?.server ?? null;
  }

  /** Null where there is no API server. */
  get clusterStatus(): ApiStatus | null {
    return this.#api?.status() ?? null;
  }

  /**
   * Everything, once. Waits for a server for as long as it takes, or until `close`. Throws ClusterAccessError for a
   * kubeconfig that can't be used.
   */
  async load(): Promise<{ readonly change: InventoryChange; readonly errors: readonly FileError[] }> {
    if (this.#cluster !== null) {
      this.#api = await openCluster(this.#cluster, this.store, {
        onChange: () => this.#tell(this.#takeChange()),
        onProblems: () => this.#tell(null),
        policies: this.#policies,
      });
      if (this.#isClosed) this.#api.close();
      else await this.#api.start();
    }
    if (this.#files === null) return { change: this.#commit(), errors: [] };
    const { change, errors } = await this.#files.load();
    this.#fileErrors = errors;
    if (errors.length === 0) this.#policies?.committed();
    return { change, errors };
  }

  /** What changes after `load`; calls never overlap. Once, before `close`. */
  watch(onChange: (change: SourceChange) => void): void {
    this.#onChange = onChange;
    this.#files?.watch(({ change, errors }) => {
      this.#fileErrors = errors;
      if (errors.length === 0) this.#policies?.committed();
      this.#tell(change);
    });
    // What came between `load` and now.
    if (this.#api !== null) this.#tell(this.#takeChange());
  }

  /** No call after this one. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#onChange = null;
    this.#files?.close();
    this.#api?.close();
  }

  #takeChange(): InventoryChange {
    return this.#onChange === null ? noChange : this.#commit();
  }

  #commit(): InventoryChange {
    const change = this.store.commit();
    this.#policies?.committed();
    return change;
  }

  #tell(change: InventoryChange | null): void {
    const problems = (this.#api?.status().problems ?? []).map((problem) => `${problem}; it's tried again`);
    const reasons = [...this.#fileErrors.map(describeFileError), ...problems];
    if (this.#onChange) this.#onChange({ change, reasons });
    else if (!this.#isClosed) this.#onWait(reasons);
  }
}
