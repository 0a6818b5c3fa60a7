/**
 * Opens queue 7 inside the namespace of queue-lab.ts and does what its argument names; prints what was seen as one line
 * of JSON. A scenario that fails throws, so the process ends with a status.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import type { QueueSocketOptions, QueueStats } from "../../src/kernel/addon.ts";
import { waitFor } from "../support/namespace.ts";
import { loadTestedAddon, showSlot } from "./addon.ts";
import { installQueueRule, NF_ACCEPT, NF_DROP, type OpenQueue, openQueue, parseQueues } from "./queue-lab.ts";

const addon = loadTestedAddon();
const { headerWords, slotWords, ...at } = addon.slotLayout;
const DECIDED_MARK = 0x41001234;

/** Sends without a turn of the event loop in between; all have been queued or dropped when it resolves. */
async function sendUdp(count: number, { port = 9000, bytes = 1, host = "127.0.0.1" } = {}): Promise<void> {
  const family = host.includes(":") ? "udp6" : "udp4";
  // Somebody listens: the ICMP error about a closed port would fail a later send.
  const receiver = createSocket(family);
  receiver.bind(port, host);
  await once(receiver, "listening");
  const sender = createSocket(family);
  sender.connect(port, host);
  await once(sender, "connect");
  const data = Buffer.alloc(bytes, 0x78);
  const sent: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    sent.push(new Promise((resolve, reject) => sender.send(data, (error) => (error ? reject(error) : resolve()))));
  }
  await Promise.all(sent);
  sender.close();
  receiver.close();
}

function eachSlot(count: number, visit: (offset: number) => void): void {
  for (let i = 0; i < count; i++) visit(headerWords + i * slotWords);
}
function decide({ words }: OpenQueue, count: number, verdict: number, mark = DECIDED_MARK): void {
  eachSlot(count, (offset) => {
    words[offset + at.verdict] = verdict;
    words[offset + at.markOut] = mark;
  });
}
function waiting(): number {
  return parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8"))[0]?.waiting ?? 0;
}
const rethrow = (error: unknown): void => {
  throw error;
};

/** Sends packets to a queue whose batches `onBatch` gets, until all are answered; closes; what happened. */
async function serve(
  count: number,
  options: Partial<QueueSocketOptions>,
  onBatch: (queue: OpenQueue, count: number) => void,
): Promise<{ stats: QueueStats; errors: string[] }> {
  const queue = openQueue(addon, options);
  const errors: string[] = [];
  queue.socket.start(
    (filled) => onBatch(queue, filled),
    (error) => errors.push(String(error)),
  );
  await sendUdp(count);
  await waitFor("every packet's verdict", () => queue.socket.stats().sent === count);
  const stats = queue.socket.stats();
  queue.socket.close();
  return { stats, errors };
}

/** A thread with a socket on port 9000 and `send(count)`, which sends to that very port. */
function startSender(code: string): Worker {
  const common = `const sender = require("node:dgram").createSocket("udp4");
    sender.bind(9000, "127.0.0.1");
    const send = (count) => { for (let i = 0; i < count; i++) sender.send("x", 9000, "127.0.0.1", () => {}); };`;
  return new Worker(`${common} sender.once("listening", () => { ${code} });`, { eval: true });
}

/** Packets one by one, the next `gapMs` after the one before has arrived, until enough: how often looking for it paid. */
async function spins(spinMicroseconds: number, gapMs: number, isEnough: (stats: QueueStats) => boolean) {
  const queue = openQueue(addon, { errorVerdict: NF_ACCEPT, spinMicroseconds });
  queue.socket.start(() => {}, rethrow);
  const next = gapMs === 0 ? "send(1)" : `setTimeout(() => send(1), ${gapMs})`;
  const sender = startSender(`sender.on("message", () => ${next}); send(1);`);
  await waitFor("the packets", () => isEnough(queue.socket.stats()), 20_000);
  await sender.terminate();
  queue.socket.close();
  const { spinsPaid, spinsFailed } = queue.socket.stats();
  return { spinsPaid, spinsFailed };
}

const scenarios: Readonly<Record<string, () => unknown>> = {
  "install the queue rule": () => installQueueRule(addon),

  "the packets themselves": async () => {
    const packets = new SharedArrayBuffer(16 * 256);
    const bytes = new Uint8Array(packets);
    const found: string[] = [];
    await serve(3, { copyRangeBytes: 256, slots: 16, packets }, (queue, count) => {
      for (let i = 0; i < count; i++) {
        const offset = headerWords + i * slotWords;
        const from = i * 256 + (queue.words[offset + at.payloadOffset] as number);
        const size = queue.words[offset + at.payloadBytes] as number;
        found.push(`${bytes[i * 256]} ${Buffer.from(bytes.slice(from, from + size))}`);
      }
      decide(queue, count, NF_ACCEPT);
    });
    return found;
  },
  accept: () => serve(10, {}, (queue, count) => decide(queue, count, NF_ACCEPT)),
  drop: () => serve(10, {}, (queue, count) => decide(queue, count, NF_DROP)),
  "no decision": () => serve(10, {}, () => {}),
  "no decision, error verdict accept": () => serve(10, { errorVerdict: NF_ACCEPT }, () => {}),
  "a verdict that is none": () => serve(10, { errorVerdict: NF_ACCEPT }, (queue, count) => decide(queue, count, 4)),
  "throw undecided": () =>
    serve(10, { errorVerdict: NF_ACCEPT }, () => {
      throw new Error("undecided");
    }),
  "throw half way": () =>
    serve(10, { errorVerdict: NF_ACCEPT, slots: 2 }, (queue) => {
      decide(queue, 1, NF_DROP);
      throw new Error("half way");
    }),
  "throw when decided": () =>
    serve(10, {}, (queue, count) => {
      decide(queue, count, NF_ACCEPT);
      throw new Error("decided");
    }),
  "throw something else": () =>
    serve(10, {}, () => {
      throw null;
    }),
  async "throw in the error handler"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT });
    let handled = 0;
    queue.socket.start(
      () => rethrow(new Error("first")),
      () => {
        handled++;
        throw new Error("second");
      },
    );
    await sendUdp(10);
    await waitFor("every packet's verdict", () => queue.socket.stats().sent === 10);
    queue.socket.close();
    return { stats: queue.socket.stats(), handled: handled > 0 };
  },
  "packet numbers overwritten": () =>
    serve(10, {}, (queue, count) => {
      decide(queue, count, NF_ACCEPT);
      eachSlot(count, (offset) => {
        queue.words[offset + at.packetId] = 0xffffffff;
      });
    }),

  /** 5,000 packets wait before the first is read. */
  async flood() {
    const queue = openQueue(addon);
    await sendUdp(5000);
    const queued = waiting();
    const batches: number[] = [];
    const answered: number[][] = [];
    const ids = new Set<number>();
    queue.socket.start((count) => {
      batches.push(count);
      eachSlot(count, (offset) => {
        ids.add(queue.words[offset + at.packetId] ?? 0);
        const isOdd = (queue.words[offset + at.packetId] ?? 0) % 2 === 1;
        queue.words[offset + at.verdict] = isOdd ? NF_ACCEPT : NF_DROP;
        queue.words[offset + at.markOut] = DECIDED_MARK;
      });
      const uncounted = queue.words[at.answeredBatches] ?? 0;
      for (let i = 0; i < uncounted; i++) {
        answered.push([...queue.words.subarray(at.answered + 2 * i, at.answered + 2 * i + 2)]);
      }
      queue.words[at.answeredBatches] = 0;
    }, rethrow);
    await waitFor("every packet's verdict", () => queue.socket.stats().sent >= 5000, 10_000);
    const left = waiting();
    queue.socket.close();
    return {
      stats: queue.socket.stats(),
      queued,
      left,
      ids: ids.size,
      largest: Math.max(...batches),
      isCounted: batches.reduce((sum, count) => sum + count) === 5000,
      // Each batch sees what the one before took.
      isTimed:
        answered.length === batches.length - 1 &&
        answered.every(([time = 0, packets], i) => packets === batches[i] && time > 0 && time < 1e9),
    };
  },

  /** What a slot says of packets of both families, and of one that is longer than what is copied. */
  async slots() {
    const queue = openQueue(addon);
    const seen: unknown[] = [];
    queue.socket.start((count) => {
      eachSlot(count, (offset) => {
        const word = (field: number): number => queue.words[offset + field] ?? 0;
        seen.push({
          says: showSlot(addon, queue.words, (offset - headerWords) / slotWords).replace(/:\d+ >/, " >"),
          markIn: word(at.markIn),
          hook: word(at.hook),
          interfaces: [word(at.inInterface), word(at.outInterface)],
          lengthBytes: word(at.lengthBytes),
          preset: [word(at.verdict), word(at.markOut)],
        });
      });
    }, rethrow);
    await sendUdp(1);
    await sendUdp(1, { host: "::1", port: 9001, bytes: 1000 });
    await waitFor("both packets", () => seen.length === 2);
    queue.socket.close();
    return seen;
  },

  /** SCTP with four bytes of its header, sent by the test: waits for one packet and leaves it as it is. */
  async "one packet from outside"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT });
    let says = "";
    queue.socket.start(() => {
      says = showSlot(addon, queue.words);
    }, rethrow);
    process.stderr.write("listening\n");
    await waitFor("the packet", () => queue.socket.stats().sent === 1);
    queue.socket.close();
    return { stats: queue.socket.stats(), says };
  },

  /** TCP within one namespace: merged segments go through the queue whole. */
  async gso() {
    const queue = openQueue(addon);
    let largest = 0;
    queue.socket.start((count) => {
      eachSlot(count, (offset) => {
        largest = Math.max(largest, queue.words[offset + at.lengthBytes] ?? 0);
        queue.words[offset + at.verdict] = NF_ACCEPT;
      });
    }, rethrow);
    const bytes = 32 << 20;
    let received = 0;
    let sum = 0;
    const server = createServer((socket: Socket) => {
      socket.on("data", (data) => {
        received += data.length;
        for (let i = 0; i < data.length; i += 4096) sum = (sum + (data[i] ?? 0)) | 0;
      });
    });
    server.listen(9000, "127.0.0.1");
    await once(server, "listening");
    const client = connect(9000, "127.0.0.1");
    client.end(Buffer.alloc(bytes, 0x5a));
    await once(server, "connection");
    await waitFor("the transfer", () => received === bytes, 20_000);
    // Both ends have ended, and their last packets have passed: what is lost here comes again in the next scenario.
    server.close();
    if (!client.closed) await once(client, "close");
    await waitFor("the last verdict", () => waiting() === 0);
    queue.socket.close();
    return { received, isMerged: largest > 1500, stats: queue.socket.stats(), isSummed: sum !== 0 };
  },

  async "close with packets queued"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT });
    await sendUdp(300);
    const queued = waiting();
    queue.socket.close();
    queue.socket.close();
    return {
      queued,
      left: parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8")),
      stats: queue.socket.stats(),
    };
  },
  async "close inside the callback"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT, slots: 8 });
    let calls = 0;
    await sendUdp(100);
    queue.socket.start((count) => {
      calls++;
      decide(queue, count, NF_ACCEPT);
      queue.socket.close();
      queue.socket.close();
    }, rethrow);
    await waitFor("the end", () => queue.socket.stats().sent === 100);
    return { calls, stats: queue.socket.stats(), left: waiting() };
  },
  async "close in the error handler"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT, slots: 8 });
    await sendUdp(100);
    queue.socket.start(
      () => rethrow(new Error("x")),
      () => queue.socket.close(),
    );
    await waitFor("the end", () => queue.socket.stats().sent === 100);
    return { stats: queue.socket.stats(), left: waiting() };
  },
  "a closed socket"() {
    const { socket } = openQueue(addon);
    socket.close();
    const thrown = thrownBy(() => socket.start(() => {}, rethrow));
    socket.close();
    return { thrown, stats: socket.stats() };
  },
  "start twice"() {
    const { socket } = openQueue(addon);
    socket.start(() => {}, rethrow);
    const thrown = thrownBy(() => socket.start(() => {}, rethrow));
    socket.close();
    return { thrown };
  },
  "bind twice"() {
    const first = openQueue(addon);
    const thrown = thrownBy(() => openQueue(addon));
    first.socket.close();
    const again = openQueue(addon);
    again.socket.close();
    return thrown;
  },
  bind() {
    openQueue(addon).socket.close();
    return null;
  },
  /** Opens and closes while another thread sends all the time: packets come between the bind and its acknowledgement. */
  async "open and close in traffic"() {
    const sender = startSender("const burst = () => { send(20); setImmediate(burst); }; burst();");
    const wrong: unknown[] = [];
    let received = 0;
    for (let i = 0; i < 50; i++) {
      const queue = openQueue(addon, { errorVerdict: NF_ACCEPT });
      queue.socket.start((count) => decide(queue, count, NF_ACCEPT), rethrow);
      if (i % 2 === 0) await waitFor("a packet", () => queue.socket.stats().sent > 0);
      queue.socket.close();
      const stats = queue.socket.stats();
      if (stats.received !== stats.sent || stats.sendErrors !== 0 || stats.failed !== 0) wrong.push(stats);
      received += stats.received;
    }
    await sender.terminate();
    return { wrong, received };
  },

  /** The socket's buffer holds a few messages: the kernel can't hand the others over (ENOBUFS), then it can again. */
  async overrun() {
    const queue = openQueue(addon, { receiveBufferBytes: 4096 });
    await sendUdp(500);
    queue.socket.start((count) => decide(queue, count, NF_ACCEPT), rethrow);
    await waitFor("the overrun", () => queue.socket.stats().overruns > 0 && waiting() === 0);
    const before = queue.socket.stats();
    for (let i = 0; i < 20; i++) {
      const { received } = queue.socket.stats();
      await sendUdp(1);
      await waitFor(`packet ${i} after the overrun`, () => queue.socket.stats().received > received);
    }
    queue.socket.close();
    const stats = queue.socket.stats();
    return { isPartly: before.received < 500, after: stats.received - before.received, stats, left: waiting() };
  },
  async "overflow drop"() {
    const queue = openQueue(addon, { maxLength: 10, errorVerdict: NF_ACCEPT });
    await sendUdp(50);
    queue.socket.close();
    return queue.socket.stats();
  },
  async "overflow accept"() {
    const queue = openQueue(addon, { maxLength: 10, failOpen: true });
    await sendUdp(50);
    queue.socket.close();
    return queue.socket.stats();
  },

  /** Called once for a turn, after its last batch; what it throws is told as what batches throw. */
  /** Others' work may end a turn after one batch, as its time is over: until there is one with several. */
  async "the turn's end"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT, spinMicroseconds: 0 });
    const ran: string[] = [];
    let sent = 200;
    await sendUdp(sent);
    queue.socket.start(
      () => ran.push("batch"),
      (error) => ran.push(String(error)),
      () => {
        ran.push("end");
        throw new Error("at the end");
      },
    );
    const isAnswered = (): boolean => queue.socket.stats().sent === sent && ran.at(-1) === "Error: at the end";
    await waitFor("the turn's end", isAnswered);
    while (!ran.join().includes("batch,batch") && sent < 4000) {
      await sendUdp(200);
      sent += 200;
      await waitFor("the turn's end", isAnswered);
    }
    queue.socket.close();
    return { ran, sent, stats: queue.socket.stats() };
  },
  /** What a callback leaves to run later has run when the turn is over, before anything else. */
  async "promises and ticks"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT });
    const ran: string[] = [];
    queue.socket.start(() => {
      process.nextTick(() => ran.push("tick"));
      Promise.resolve().then(() => ran.push("promise"));
      setImmediate(() => ran.push("immediate"));
      ran.push("callback");
    }, rethrow);
    await sendUdp(1);
    await waitFor("the turn's end", () => ran.includes("immediate"));
    queue.socket.close();
    return ran;
  },

  /**
   * One packet after the other, each sent as the one before is answered, or `gapMs` later: `spins` that found one and
   * that didn't.
   */
  async "spin, answer by answer"() {
    // Each look that others' work interrupts is followed by many moments without one: it takes what it takes.
    return spins(1000, 0, ({ spinsPaid }) => spinsPaid > 0);
  },
  async "spin, far apart"() {
    return spins(50, 5, ({ sent }) => sent >= 40);
  },
  async "spin, switched off"() {
    return spins(0, 0, ({ sent }) => sent >= 40);
  },
  /** Packets without end: a message from another thread is heard all the same. */
  async "a message in traffic"() {
    const queue = openQueue(addon, { errorVerdict: NF_ACCEPT, spinMicroseconds: 1000 });
    queue.socket.start(() => {}, rethrow);
    const sender = startSender("const burst = () => { send(20); setImmediate(burst); }; burst();");
    const waited: number[] = [];
    await waitFor("traffic", () => queue.socket.stats().received > 1000);
    const { port1, port2 } = new MessageChannel();
    for (let i = 0; i < 50; i++) {
      const start = performance.now();
      port1.postMessage("heard");
      await once(port2, "message");
      waited.push(performance.now() - start);
    }
    port2.close();
    await sender.terminate();
    queue.socket.close();
    const stats = queue.socket.stats();
    return { median: waited.sort((a, b) => a - b)[25], isAnswered: stats.received === stats.sent };
  },

  async "refused options"() {
    const { openSync, closeSync } = await import("node:fs");
    const nextFd = (): number => {
      const fd = openSync("/dev/null", "r");
      closeSync(fd);
      return fd;
    };
    const before = nextFd();
    const wrong: Partial<Record<keyof QueueSocketOptions, unknown>>[] = [
      { queue: -1 },
      { queue: 65536 },
      { queue: 1.5 },
      { queue: "7" },
      { copyRangeBytes: 0 },
      { copyRangeBytes: 1 << 20 },
      { maxLength: 0 },
      { receiveBufferBytes: 0 },
      { slots: 0 },
      { slots: 1e9 },
      { slots: Number.NaN },
      { failOpen: 1 },
      { packets: new ArrayBuffer(1 << 20) },
      { packets: new SharedArrayBuffer(64) },
      { packets: 7 },
      { spinMicroseconds: -1 },
      { spinMicroseconds: 1001 },
      { slab: undefined },
      { slab: {} },
      { slab: [1, 2, 3] },
      { slab: new ArrayBuffer(1 << 16) },
      { slab: new SharedArrayBuffer(64) },
      { slab: new Uint32Array(1 << 16) },
      { errorVerdict: 2 },
      { errorMark: -1 },
      { markMask: 2 ** 32 },
    ];
    const slab = new SharedArrayBuffer(4 * (headerWords + 64 * slotWords));
    const accepted = wrong.filter(
      (options) =>
        thrownBy(() => openQueue(addon, { slab, ...options } as Partial<QueueSocketOptions>)).name !== "TypeError",
    );
    const getter = thrownBy(
      () =>
        new addon.QueueSocket({
          get queue(): number {
            throw new RangeError("mine");
          },
        } as QueueSocketOptions),
    );
    return {
      accepted: accepted.map((options) => Object.entries(options).join()),
      getter,
      isLeaking: nextFd() !== before,
    };
  },
};

interface Thrown {
  readonly name: string;
  readonly code?: string;
  readonly errno?: number;
  readonly message: string;
}
function thrownBy(action: () => void): Thrown {
  try {
    action();
  } catch (error) {
    const { name, message, code, errno } = error as Error & { code?: string; errno?: number };
    return { name, message, ...(code === undefined ? {} : { code }), ...(errno === undefined ? {} : { errno }) };
  }
  return { name: "", message: "nothing was thrown" };
}

const scenario = scenarios[process.argv[2] ?? ""];
if (scenario === undefined) throw new Error(`no scenario ${process.argv[2]}`);
process.stdout.write(`${JSON.stringify((await scenario()) ?? null)}\n`);
