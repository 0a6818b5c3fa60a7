/**
 * What this machine's kernel can do for us. Changes nothing: rules are checked and not applied.
 */
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { defaultKnobs } from "../model/knobs.ts";
import { defaultMarkLayout } from "../model/mark.ts";
import type { Addon } from "./addon.ts";
import { hasBridgeNetfilter } from "./bridge.ts";
import { NetlinkClient, NetlinkProtocol } from "./netlink-client.ts";
import { rehearsal } from "./nf-tables.ts";
import { applyRuleset, nftVersion } from "./nft.ts";
import { sampleQueueRule } from "./queue-rule.ts";
import { renderRuleset } from "./ruleset.ts";

/** A table that is never made: its rules are only checked. */
const PROBE_TABLE = "verdictd_probe";
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;

export interface Probe {
  /** `6.18.44`, as uname prints it. */
  readonly kernel: string;
  /** `1.0.6`, or null where nft isn't installed. */
  readonly nft: string | null;
  readonly hasNetAdmin: boolean;
  readonly hasNetRaw: boolean;
  /** How packets get to a queue: nft's own `queue`, else the xt target NFQUEUE, else not at all. */
  readonly queue: "native" | "xt" | null;
  /** The kernel takes the whole table, connection tracking, reject and all. */
  readonly acceptsRuleset: boolean;
  /** Packets between two ports of one bridge can be filtered. */
  readonly hasBridgeNetfilter: boolean;
  /** IPVS is in use: packets to services bypass the forward hook. */
  readonly hasIpvs: boolean;
  /** What is missing for `run`, each with what helps; empty where nothing is. */
  readonly problems: readonly string[];
}

export const noNetAdmin = "no CAP_NET_ADMIN: run it with sudo";

/** Whether this process may change the network namespace. */
export function hasNetAdmin(capabilities = effectiveCapabilities()): boolean {
  return (capabilities & (1n << BigInt(CAP_NET_ADMIN))) !== 0n;
}

/** Asks the kernel and nft. Never throws for a missing capability: that is an answer. */
export async function probeKernel(addon: Pick<Addon, "NetlinkSocket">): Promise<Probe> {
  const capabilities = effectiveCapabilities();
  const facts = {
    kernel: release(),
    nft: await nftVersion(),
    hasNetAdmin: hasNetAdmin(capabilities),
    hasNetRaw: (capabilities & (1n << BigInt(CAP_NET_RAW))) !== 0n,
    hasBridgeNetfilter: hasBridgeNetfilter(),
    hasIpvs: hasIpvs(),
  };
  const canAsk = facts.hasNetAdmin && facts.nft !== null;
  const queue = !canAsk ? null : (await takesNativeQueue()) ? "native" : takesQueueTarget(addon) ? "xt" : null;
  const refusal = canAsk ? await refusalOf(sampleRuleset()) : null;
  const problems: string[] = [];
  if (!facts.hasNetAdmin) problems.push(noNetAdmin);
  if (facts.nft === null) problems.push("nft isn't installed: sudo apt-get install nftables");
  if (canAsk && queue === null) {
    problems.push(
      "this kernel has neither nft's queue nor the xt target NFQUEUE: sudo modprobe -a nft_queue xt_NFQUEUE",
    );
  }
  if (refusal !== null) {
    problems.push(
      `our rules are refused (${refusal}); they need Linux 5.10 with nf_tables, nft_ct, nft_reject_inet, nft_fib_inet, ` +
        "and /etc/protocols (Debian: netbase)",
    );
  }
  return { ...facts, queue, acceptsRuleset: canAsk && refusal === null, problems };
}

/** Whether IPVS is there by now; kube-proxy loads it when it starts, before us or after. */
export function hasIpvs(): boolean {
  return existsSync("/proc/net/ip_vs");
}

async function takesNativeQueue(): Promise<boolean> {
  const chain = `add table inet ${PROBE_TABLE}\nadd chain inet ${PROBE_TABLE} c\n`;
  return (await refusalOf(`${chain}add rule inet ${PROBE_TABLE} c queue num 0\n`)) === null;
}

function sampleRuleset(): string {
  return renderRuleset({
    mark: defaultMarkLayout,
    queue: { first: 0, total: 1 },
    useNativeQueue: false,
    knobs: defaultKnobs,
    hook: "forward",
    managed: [],
    output: [],
    epoch: 1,
  }).replaceAll("table inet verdictd", `table inet ${PROBE_TABLE}`);
}

/** Null where it isn't refused. */
async function refusalOf(text: string): Promise<string | null> {
  try {
    await applyRuleset(text, "check");
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function takesQueueTarget(addon: Pick<Addon, "NetlinkSocket">): boolean {
  const client = new NetlinkClient(addon, NetlinkProtocol.netfilter);
  try {
    return client.tryRequest(rehearsal(sampleQueueRule(PROBE_TABLE))).errors.length === 0;
  } finally {
    client.close();
  }
}

function effectiveCapabilities(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
  return BigInt(`0x${line?.[1] ?? "0"}`);
}
