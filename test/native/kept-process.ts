/**
 * Opens queue 7 inside the namespace of queue-lab.ts, with places for packets that are answered later, and does what its
 * argument names; prints what was seen as one line of JSON.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { QueueStats } from "../../src/kernel/addon.ts";
import { waitFor } from "../support/namespace.ts";
import { loadTestedAddon } from "./addon.ts";
import { NF_ACCEPT, NF_DROP, openQueue, parseQueues } from "./queue-lab.ts";

const NF_STOLEN = 2;
const NF_REPEAT = 4;
const PLACES = 100;
const addon = loadTestedAddon();
const { headerWords, slotWords, ...at } = addon.slotLayout;
const host = { 4: "127.0.0.1", 6: "::1" } as const;

/** A queue each of whose packets `decide` answers; `decide` gets the packet's running number, from 0. */
function open(decide: (packet: number, answer: (verdict: number, mark: number) => void) => void, keeps = PLACES) {
  const { socket, words } = openQueue(addon, { keeps, slots: 8 });
  let packets = 0;
  socket.start(
    (count) => {
      for (let i = 0; i < count; i++) {
        const slot = headerWords + i * slotWords;
        decide(packets++, (verdict, mark) => {
          words[slot + at.verdict] = verdict;
          words[slot + at.markOut] = mark;
        });
      }
    },
    (error) => {
      throw error;
    },
  );
  return socket;
}

/** Numbered datagrams of one flow, and what of them has arrived, in its order. */
async function startFlow(family: 4 | 6 = 4) {
  const type = family === 4 ? "udp4" : "udp6";
  const receiver = createSocket(type);
  const received: number[] = [];
  receiver.on("message", (data) => received.push(Number(data)));
  receiver.bind(9000, host[family]);
  await once(receiver, "listening");
  const sender = createSocket(type);
  sender.connect(9000, host[family]);
  await once(sender, "connect");
  let next = 0;
  return {
    received,
    async send(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        await new Promise<void>((resolve, reject) =>
          sender.send(String(next++), (error) => (error ? reject(error) : resolve())),
        );
      }
    },
    close(): void {
      sender.close();
      receiver.close();
    },
  };
}

const places = (from: number, to: number): Uint32Array => Uint32Array.from({ length: to - from }, (_, i) => from + i);
const count = (from: number, to: number): number[] => [...places(from, to)];
const waiting = (): number => parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8"))[0]?.waiting ?? 0;
const essence = ({ received, sent, sendErrors, failed, kept }: QueueStats) => ({
  received,
  sent,
  sendErrors,
  failed,
  kept,
});

/** Ten packets are kept; the odd ones get the verdict, then the others another one. */
async function keepTen(family: 4 | 6) {
  const socket = open((packet, answer) =>
    answer(packet < 10 ? NF_STOLEN : NF_ACCEPT, packet < 10 ? packet : 0x41001234),
  );
  const flow = await startFlow(family);
  await flow.send(10);
  await waitFor("ten kept", () => socket.stats().kept === 10);
  const before = { waiting: waiting(), arrived: flow.received.length };
  const odd = socket.answerKept(Uint32Array.of(1, 3, 5, 7, 9), 5, NF_DROP);
  const left = socket.answerKept(places(0, 10), 10, NF_REPEAT);
  await waitFor("the rest", () => flow.received.length === 5);
  flow.close();
  const stats = essence(socket.stats());
  socket.close();
  return { before, odd, left, received: flow.received, stats };
}

const scenarios: Readonly<Record<string, () => unknown>> = {
  "keep, IPv4": () => keepTen(4),
  "keep, IPv6": () => keepTen(6),

  /** More than one send. */
  async "a hundred at once"() {
    const socket = open((packet, answer) =>
      answer(packet < PLACES ? NF_STOLEN : NF_ACCEPT, packet < PLACES ? packet : 0),
    );
    const flow = await startFlow();
    await flow.send(PLACES);
    await waitFor("all kept", () => socket.stats().kept === PLACES);
    const answered = socket.answerKept(places(0, PLACES), PLACES, NF_ACCEPT);
    await waitFor("all", () => flow.received.length === PLACES);
    flow.close();
    const stats = essence(socket.stats());
    socket.close();
    return { answered, inOrder: flow.received.join() === count(0, PLACES).join(), stats };
  },

  /** A place that isn't there, and one that is taken: the error verdict, at once. */
  async "places that aren't free"() {
    const socket = open((packet, answer) => answer(NF_STOLEN, [0, 0, PLACES, 0xffffffff][packet] as number));
    const flow = await startFlow();
    await flow.send(4);
    await waitFor("all answered", () => socket.stats().sent === 3);
    const nothing = socket.answerKept(Uint32Array.of(1, 99, 100, 0xffffffff), 4, NF_ACCEPT);
    const once = socket.answerKept(Uint32Array.of(0, 0, 0), 3, NF_ACCEPT);
    const again = socket.answerKept(Uint32Array.of(0), 1, NF_ACCEPT);
    await waitFor("the kept one", () => flow.received.length === 1);
    flow.close();
    const stats = essence(socket.stats());
    socket.close();
    return { nothing, once, again, received: flow.received, stats };
  },

  /** A place is free again, and stays the packet's that has it. */
  async "a place again and again"() {
    const socket = open((_, answer) => answer(NF_STOLEN, 5));
    const flow = await startFlow();
    for (let i = 0; i < 50; i++) {
      await flow.send(1);
      await waitFor("it is kept", () => socket.stats().kept === 1);
      socket.answerKept(Uint32Array.of(5), 1, i % 2 === 0 ? NF_ACCEPT : NF_DROP);
    }
    await waitFor("every other one", () => flow.received.length === 25);
    flow.close();
    const stats = essence(socket.stats());
    socket.close();
    return { stats };
  },

  /** Without places neither of the two verdicts is one. */
  async "no places"() {
    const socket = open((packet, answer) => answer(packet === 0 ? NF_STOLEN : NF_REPEAT, 0), 0);
    const flow = await startFlow();
    await flow.send(2);
    await waitFor("all answered", () => socket.stats().sent === 2);
    flow.close();
    const stats = essence(socket.stats());
    socket.close();
    return { stats, received: flow.received };
  },

  /** The kernel drops what is kept, and what wasn't read has the error verdict. */
  async "close with packets kept"() {
    const socket = open((packet, answer) => answer(NF_STOLEN, packet));
    const flow = await startFlow();
    await flow.send(20);
    await waitFor("all kept", () => socket.stats().kept === 20);
    socket.close();
    const answered = socket.answerKept(places(0, 20), 20, NF_ACCEPT);
    socket.close();
    const queues = parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8"));
    const left = flow.received.length;
    // The queue is free, and its numbers begin again.
    const next = open((_, answer) => answer(NF_ACCEPT, 0));
    await flow.send(1);
    await waitFor("the next one", () => flow.received.length === left + 1);
    next.close();
    flow.close();
    return { answered, left, queues, stats: essence(socket.stats()) };
  },

  async "close inside the callback"() {
    const socket = open((packet, answer) => {
      answer(NF_STOLEN, packet);
      if (packet === 10) socket.close();
    });
    const flow = await startFlow();
    await flow.send(11);
    await waitFor(
      "it is closed",
      () => parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8")).length === 0,
    );
    flow.close();
    return { received: flow.received, stats: essence(socket.stats()) };
  },

  "refused arguments"() {
    const { socket } = openQueue(addon, { keeps: 4 });
    const refuses = (...args: unknown[]): boolean => {
      try {
        Reflect.apply(socket.answerKept, socket, args);
        return false;
      } catch (error) {
        return error instanceof TypeError;
      }
    };
    const some = new Uint32Array(2);
    const refused = [
      refuses(),
      refuses([0], 1, NF_DROP),
      refuses(new Int32Array(2), 1, NF_DROP),
      refuses(some, 3, NF_DROP),
      refuses(some, -1, NF_DROP),
      refuses(some, Number.NaN, NF_DROP),
      refuses(some, 1, NF_STOLEN),
      refuses(some, 1, 5),
      refuses(some, 1, "1"),
    ];
    const detached = new Uint32Array(2);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const emptied = refuses(detached, 1, NF_DROP);
    socket.close();
    return { refused: new Set(refused).size === 1 && refused[0], emptied };
  },
};

const name = process.argv[2] ?? "";
process.stdout.write(`${JSON.stringify((await scenarios[name]?.()) ?? null)}\n`);
