/**
 * A firewall, and an engine that answers by table, inside a namespace: driven by JSON lines on standard input
 * (firewall-driver.ts). The answers are bytes of model/mark.ts, so that these tests are about the kernel's rules alone.
 */
import { createInterface } from "node:readline";
import type { QueueSocket } from "../../src/kernel/addon.ts";
import { loadAddon } from "../../src/kernel/addon-loader.ts";
import { Firewall } from "../../src/kernel/firewall.ts";
import { listAddresses, listLinks } from "../../src/kernel/links.ts";
import { NetlinkClient, NetlinkProtocol } from "../../src/kernel/netlink-client.ts";
import { probeKernel } from "../../src/kernel/probe.ts";
import type { AddressChange, AddressDelta } from "../../src/model/address-change.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { type Address, formatAddress, parseAddress } from "../../src/net/address.ts";
import { type Prefix, parsePrefix } from "../../src/net/prefix.ts";
import type { Command, Seen, TextDelta } from "./firewall-driver.ts";

const addon = loadAddon();
const firewall = new Firewall(addon, { searchDelayMs: 100 });
const netlink = new NetlinkClient(addon, NetlinkProtocol.route);
/** Asked once; the queue is what this kernel has, as the agent chooses it. */
const probed = probeKernel(addon);
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NF_STOLEN = 2;
const NF_REPEAT = 4;

let queue: QueueSocket | null = null;
let room: { readonly socket: QueueSocket; readonly release: () => number } | null = null;
let answer = 0;
let seen: Seen[] = [];
let searching: Promise<number> | null = null;

function addresses(texts: readonly string[] | "all"): readonly Address[] | "all" {
  return texts === "all" ? texts : texts.map((text) => parseAddress(text)!);
}

function prefixesOf(texts: readonly string[]): readonly Prefix[] {
  return texts.map((text) => parsePrefix(text)!);
}

function startQueue(number: number, maxLength: number, failOpen: boolean): void {
  const slots = 64;
  const layout = addon.slotLayout;
  const slab = new SharedArrayBuffer(4 * (layout.headerWords + slots * layout.slotWords));
  const words = new Uint32Array(slab);
  const socket = new addon.QueueSocket({
    queue: number,
    copyRangeBytes: 128,
    maxLength,
    receiveBufferBytes: 1 << 20,
    failOpen,
    slots,
    slab,
    spinMicroseconds: 0,
    errorVerdict: NF_DROP,
    errorMark: 0,
    markMask: defaultMarkLayout.mask,
  });
  socket.start(
    (count) => {
      for (let i = 0; i < count; i++) {
        const at = layout.headerWords + i * layout.slotWords;
        const mark = words[at + layout.markIn]!;
        seen.push({
          byte: mark >>> 24,
          others: mark & 0xffffff,
          protocol: words[at + layout.protocol]!,
          sourcePort: words[at + layout.sourcePort]!,
          destinationPort: words[at + layout.destinationPort]!,
        });
        words[at + layout.verdict] = answer === 0 ? NF_DROP : NF_ACCEPT;
        words[at + layout.markOut] = ((mark & 0xffffff) | (answer << 24)) >>> 0;
      }
    },
    (error) => {
      throw error;
    },
  );
  queue = socket;
}

/** The queue behind the engine's: what comes is kept until it's released. */
function startRoom(): void {
  const { slotLayout: layout } = addon;
  const places = 16;
  const slab = new SharedArrayBuffer(4 * (layout.headerWords + layout.slotWords));
  const words = new Uint32Array(slab);
  let next = 0;
  const socket = new addon.QueueSocket({
    ...{ queue: 4718, copyRangeBytes: 128, maxLength: 64, receiveBufferBytes: 1 << 20, failOpen: false },
    ...{ slots: 1, slab, keeps: places, spinMicroseconds: 0, errorVerdict: NF_DROP, errorMark: 0, markMask: 0 },
  });
  socket.start(
    () => {
      words[layout.headerWords + layout.verdict] = NF_STOLEN;
      words[layout.headerWords + layout.markOut] = next++ % places;
    },
    (error) => {
      throw error;
    },
  );
  room = {
    socket,
    release: () => {
      const all = Uint32Array.from({ length: places }, (_, i) => (next + i) % places);
      return socket.answerKept(all, places, NF_REPEAT);
    },
  };
}

function changeOf(delta: TextDelta | "all" = {}): AddressChange {
  return delta === "all" ? delta : deltaOf(delta);
}

function deltaOf(delta: TextDelta = {}): AddressDelta {
  return { added: addresses(delta.added ?? []) as Address[], removed: addresses(delta.removed ?? []) as Address[] };
}

const operations: { readonly [K in Command["op"]]: (command: Extract<Command, { op: K }>) => unknown } = {
  probe: () => probeKernel(addon),
  async install({ config }) {
    const { managed, output = [], hook = "forward", queue: first = 4720, knobs = {}, podRange } = config;
    return firewall.install({
      mark: defaultMarkLayout,
      queue: { first, total: 1 },
      useNativeQueue: (await probed).queue === "native",
      knobs: { ...defaultKnobs, ...knobs },
      hook,
      managed: addresses(managed),
      output: addresses(output),
      ...(podRange === undefined
        ? {}
        : {
            podRange: {
              ...podRange,
              prefixes: prefixesOf(podRange.prefixes),
              known: addresses(podRange.known) as Address[],
            },
          }),
    });
  },
  startQueue: ({ number = 4720, maxLength = 4096, failOpen = false }) => startQueue(number, maxLength, failOpen),
  stopQueue() {
    queue?.close();
    queue = null;
    room?.socket.close();
    room = null;
  },
  startRoom,
  countRoom: () => room?.socket.stats().kept,
  releaseRoom: () => room?.release(),
  /** What every packet is answered from now on: 0 drops it, anything else is accepted with this byte. */
  answer({ byte }) {
    answer = byte;
  },
  takeSeen() {
    const taken = seen;
    seen = [];
    return taken;
  },
  publishEpoch: ({ epoch }) => firewall.publishEpoch(epoch),
  takeEpoch: () => firewall.takeEpoch(),
  clearDecisions: () => firewall.clearDecisions(),
  /** Of some addresses, or of all: then every flow is asked about again. */
  async change({ epoch, managed, output, answered, known, prefixes, affected = [], renewed = [], isAwaited = true }) {
    const podRange = { prefixes: prefixes === undefined ? null : prefixesOf(prefixes), known: deltaOf(known) };
    const sets = { managed: changeOf(managed), output: changeOf(output), answered: deltaOf(answered), podRange };
    await firewall.change(epoch, sets, addresses(affected), addresses(renewed) as Address[]);
    const settled = firewall.settled().finally(() => {
      searching = null;
    });
    searching = settled;
    return isAwaited ? settled : null;
  },
  useHook: ({ hook }) => firewall.useHook(hook),
  enforceBridges: ({ names }) => firewall.enforceBridges(names),
  areBridgesEnforced: () => firewall.areBridgesEnforced(),
  isIntact: () => firewall.isIntact(),
  restore: () => firewall.restore(),
  isSearching: () => searching !== null,
  counters: () => firewall.counters(),
  links: () => listLinks(netlink),
  addresses: () => listAddresses(netlink).map((a) => ({ ...a, address: formatAddress(a.address) })),
  remove: () => firewall.remove(),
  keep: () => firewall.keep(),
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const command = JSON.parse(line) as Command & { id: number };
    try {
      const run = operations[command.op] as (command: Command) => unknown;
      const result = (await run(command)) ?? null;
      process.stdout.write(`${JSON.stringify({ id: command.id, result })}\n`);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      process.stdout.write(`${JSON.stringify({ id: command.id, error: { code, message } })}\n`);
    }
  })
  .on("close", () => {
    queue?.close();
    room?.socket.close();
    firewall.close();
    netlink.close();
  });
