/**
 * A namespace whose loopback sends UDP to ports 9000 to 9009, TCP to 9000 and SCTP to queue 7, and counts what comes
 * back from it:
 *
 *     input −10: count `sent`, mark 0x1234   input 0: queue 7   input 10: count `passed`, and by packet mark
 *
 * and what the two processes that open the queue have in common.
 */
import type { Addon, QueueSocket, QueueSocketOptions } from "../../src/kernel/addon.ts";
import { NetlinkClient, NetlinkProtocol } from "../../src/kernel/netlink-client.ts";
import { batch } from "../../src/kernel/nf-tables.ts";
import { replaceQueueRule } from "../../src/kernel/queue-rule.ts";
import { createLab, type Lab, type Namespace } from "../support/namespace.ts";

export const QUEUE = 7;
export const NF_DROP = 0;
export const NF_ACCEPT = 1;

/** Counter names and the packet marks that they count. */
export const markCounters = { unchanged: 0x1234, decided: 0x41001234, preset: 0x55001234 } as const;

const ruleset = `table inet verdictd {
  counter sent { }
  counter passed { }
  counter unchanged { }
  counter decided { }
  counter preset { }
  chain to_queue { }
  chain before {
    type filter hook input priority -10
    udp dport 9000-9009 meta mark set 0x1234 counter name sent
    meta l4proto 132 meta mark set 0x1234 counter name sent
  }
  chain divert {
    type filter hook input priority 0
    udp dport 9000-9009 jump to_queue
    tcp dport 9000 jump to_queue
    meta l4proto 132 jump to_queue
  }
  chain after {
    type filter hook input priority 10
    udp dport 9000-9009 jump tally
    meta l4proto 132 jump tally
  }
  chain tally {
    counter name passed
${Object.entries(markCounters)
  .map(([name, mark]) => `    meta mark ${mark} counter name ${name}`)
  .join("\n")}
  }
}
`;

export interface QueueLab {
  readonly lab: Lab;
  readonly namespace: Namespace;
  /** Packets in each counter since the last call. */
  counters(): Readonly<Record<"sent" | "passed" | keyof typeof markCounters, number>>;
  /** Lines of /proc/net/netfilter/nfnetlink_queue: queue number, and packets that wait. */
  queues(): readonly { readonly queue: number; readonly waiting: number }[];
}

export function createQueueLab(): QueueLab {
  const lab = createLab();
  try {
    const namespace = lab.namespace("queue");
    namespace.check(["ip", "link", "set", "lo", "mtu", "1500"]);
    namespace.check(["nft", "-f", "-"], { input: ruleset });
    const installed = namespace.runNode(new URL("queue-process.ts", import.meta.url), ["install the queue rule"]);
    if (installed.status !== 0) throw new Error(installed.stderr);
    return {
      lab,
      namespace,
      counters() {
        const listed = JSON.parse(namespace.check(["nft", "-j", "reset", "counters", "table", "inet", "verdictd"]));
        return Object.fromEntries(
          (listed.nftables as { counter?: { name: string; packets: number } }[]).flatMap(({ counter }) =>
            counter === undefined ? [] : [[counter.name, counter.packets]],
          ),
        ) as ReturnType<QueueLab["counters"]>;
      },
      queues: () => parseQueues(namespace.check(["cat", "/proc/net/netfilter/nfnetlink_queue"])),
    };
  } catch (error) {
    lab.destroy();
    throw error;
  }
}

/** Columns: queue number, peer port id, packets waiting, … */
export function parseQueues(text: string): { queue: number; waiting: number }[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((columns) => columns.length > 3)
    .map(([queue = 0, , waiting = 0]) => ({ queue, waiting }));
}

/** Puts the xt target into the chain, since this kernel may lack nft's own `queue`. */
export function installQueueRule(addon: Addon, queues = { first: QUEUE, total: 1 }): void {
  const client = new NetlinkClient(addon, NetlinkProtocol.netfilter);
  try {
    client.request("install the queue rule", batch(replaceQueueRule(queues, false)));
  } finally {
    client.close();
  }
}

export interface OpenQueue {
  readonly socket: QueueSocket;
  readonly slab: SharedArrayBuffer;
  readonly words: Uint32Array;
}

/** Error verdict drop and mark 0x55… under the mask 0xff000000, batches of 64, unless told otherwise. */
export function openQueue(addon: Addon, options: Partial<QueueSocketOptions> = {}): OpenQueue {
  const slots = options.slots ?? 64;
  const { headerWords, slotWords } = addon.slotLayout;
  const slab = options.slab ?? new SharedArrayBuffer(4 * (headerWords + slots * slotWords));
  const socket = new addon.QueueSocket({
    queue: QUEUE,
    copyRangeBytes: 128,
    maxLength: 8192,
    receiveBufferBytes: 64 << 20,
    failOpen: false,
    slots,
    slab,
    spinMicroseconds: 50,
    errorVerdict: NF_DROP,
    errorMark: 0x55aaaaaa,
    markMask: 0xff000000,
    ...options,
  });
  return { socket, slab, words: new Uint32Array(slab) };
}
