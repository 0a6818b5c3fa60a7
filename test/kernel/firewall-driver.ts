/** The test's hand on a firewall process (firewall-process.ts) in a namespace. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import type { RuleCounts } from "../../src/kernel/firewall.ts";
import type { Link, LinkAddress } from "../../src/kernel/links.ts";
import type { Probe } from "../../src/kernel/probe.ts";
import type { RuleCounter } from "../../src/kernel/ruleset-config.ts";
import type { Knobs } from "../../src/model/knobs.ts";
import type { Namespace } from "../support/namespace.ts";

/** A firewall's settings with its addresses as text. */
export interface FirewallText {
  readonly managed: readonly string[] | "all";
  readonly output?: readonly string[] | "all";
  readonly hook?: "forward" | "postrouting";
  readonly queue?: number;
  readonly knobs?: Partial<Knobs>;
  readonly podRange?: {
    readonly prefixes: readonly string[];
    readonly known: readonly string[];
    readonly unknown: "hold" | "drop";
  };
}

/** A packet as the queue had it: our byte of its mark, the other owners' bits, and its ports. */
export interface Seen {
  readonly byte: number;
  readonly others: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What isn't named stays as it is. */
interface Changes {
  readonly managed?: TextDelta | "all";
  readonly output?: TextDelta | "all";
  readonly known?: TextDelta;
  readonly prefixes?: readonly string[];
  readonly answered?: TextDelta;
}

export interface TextDelta {
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
}

export type Command =
  | { readonly op: "install"; readonly config: FirewallText }
  | { readonly op: "startQueue"; readonly number?: number; readonly maxLength?: number; readonly failOpen?: boolean }
  | { readonly op: "answer"; readonly byte: number }
  /** Packets that wait run the hook again; how many there were. */
  | { readonly op: "releaseRoom" }
  | { readonly op: "publishEpoch"; readonly epoch: number }
  | ({
      readonly op: "change";
      readonly epoch: number;
      readonly affected?: readonly string[] | "all";
      readonly renewed?: readonly string[];
      readonly isAwaited?: boolean;
    } & Changes)
  | { readonly op: "useHook"; readonly hook: "forward" | "postrouting" }
  | { readonly op: "enforceBridges"; readonly names: readonly string[] }
  | {
      readonly op:
        | "probe"
        | "takeEpoch"
        | "stopQueue"
        | "startRoom"
        | "countRoom"
        | "takeSeen"
        | "clearDecisions"
        | "counters"
        | "areBridgesEnforced"
        | "isIntact"
        | "restore"
        | "isSearching"
        | "links"
        | "addresses"
        | "remove"
        | "keep";
    };

export class FirewallDriver {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 1;
  #errors = "";

  constructor(namespace: Namespace) {
    this.#child = namespace.node(new URL("firewall-process.ts", import.meta.url));
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#errors += chunk;
    });
    this.#child.on("exit", (status) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`it ended with ${status}\n${this.#errors}`));
      this.#waiting.clear();
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, result, error } = JSON.parse(line) as {
        id: number;
        result?: unknown;
        error?: { code?: string; message: string };
      };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(Object.assign(new Error(error.message), { code: error.code }));
      else waiting?.resolve(result);
    });
  }

  async ask<T = unknown>(command: Command): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
    });
  }

  install(config: FirewallText): Promise<void> {
    return this.ask({ op: "install", config });
  }

  /** The packets that the queue had since the last call. */
  takeSeen(): Promise<readonly Seen[]> {
    return this.ask({ op: "takeSeen" });
  }

  /** Packets of each counter. */
  async packets(): Promise<Record<RuleCounter, number>> {
    const counts = await this.ask<RuleCounts>({ op: "counters" });
    return Object.fromEntries(Object.entries(counts).map(([name, { packets }]) => [name, packets])) as Record<
      RuleCounter,
      number
    >;
  }

  probe(): Promise<Probe> {
    return this.ask({ op: "probe" });
  }

  links(): Promise<readonly Link[]> {
    return this.ask({ op: "links" });
  }

  addresses(): Promise<readonly (Omit<LinkAddress, "address"> & { readonly address: string })[]> {
    return this.ask({ op: "addresses" });
  }

  /** Stops and continues the process, so that its queue fills. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }
  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends the process as it stands: what it left in the kernel stays. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
