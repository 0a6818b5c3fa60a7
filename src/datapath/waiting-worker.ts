/** The thread of the waiting room: one queue, whose packets are answered when their addresses are known (NP-64). */
import { randomInt } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "../kernel/addon-loader.ts";
import { type Address, addressKey } from "../net/address.ts";
import { NF_DROP, NF_REPEAT } from "./answer.ts";
import { socketErrors } from "./socket-errors.ts";
import { WaitingCounter, WaitingCounters } from "./waiting-counters.ts";
import type { WaitingMessage, WaitingOptions, WaitingRequest } from "./waiting-protocol.ts";
import { WaitingRoom } from "./waiting-room.ts";

const PLACES = 4096;
/** A pod that isn't known yet hardly says more; a flood to one address leaves room for others. */
const PLACES_OF_ADDRESS = 64;
/** What only goes there, anybody may send: a scan of the range leaves room for pods that speak. */
const PLACES_TO_ADDRESS = 16;
const PLACES_TO_ALL = PLACES / 4;
const SLOTS = 64;
/** Addresses are read, nothing behind them. */
const COPY_RANGE_BYTES = 128;
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** Addresses that are told in so long; if there are more, something else is wrong. */
const TOLD_ADDRESSES = 256;
const TOLD_MS = 3_600_000;

const port = parentPort;
if (port === null) throw new Error("datapath/waiting-worker is started as a worker thread");
const options = workerData as WaitingOptions;
const say = (message: WaitingMessage): void => port.postMessage(message);

const addon = loadAddon();
const counters = new WaitingCounters(options.counters);
const { slotLayout: layout, slotFlags: flags } = addon;
const slab = new SharedArrayBuffer(4 * (layout.headerWords + SLOTS * layout.slotWords));
const { deadlineMs, mark } = options;
const room = new WaitingRoom({
  ...{ layout, flags, slab, mark, deadlineMs, counters },
  places: PLACES,
  placesOfAddress: PLACES_OF_ADDRESS,
  placesToAddress: PLACES_TO_ADDRESS,
  placesToAll: PLACES_TO_ALL,
  seed: randomInt(2 ** 32),
});
room.usePrefixes(options.prefixes);
room.know(options.known, []);
const socket = new addon.QueueSocket({
  queue: options.queue,
  copyRangeBytes: COPY_RANGE_BYTES,
  // What waits counts as queued: so it's this thread that finds out when there is no more room.
  maxLength: 2 * PLACES,
  receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  failOpen: false,
  slots: SLOTS,
  slab,
  keeps: PLACES,
  spinMicroseconds: 0,
  errorVerdict: NF_DROP,
  errorMark: 0,
  markMask: 0,
});

let timer: NodeJS.Timeout | undefined;
/** The clock runs while somebody waits. */
function watchClock(): void {
  if (timer !== undefined || room.count === 0) return;
  const leftMs = room.oldestMs + deadlineMs - performance.now();
  timer = setTimeout(
    () => {
      timer = undefined;
      expire();
      watchClock();
    },
    Math.max(1, leftMs),
  );
}

function expire(): void {
  const taken = room.takeExpired(performance.now());
  if (taken === 0) return;
  socket.answerKept(room.taken, taken, NF_DROP);
  tell(room.unknownAddresses(taken));
}

const told = new Set<string>();
let toldSinceMs = 0;
/** Once in an hour for each address. */
function tell(addresses: readonly Address[]): void {
  const nowMs = performance.now();
  if (told.size === 0 || nowMs - toldSinceMs > TOLD_MS) {
    told.clear();
    toldSinceMs = nowMs;
  }
  const news = addresses.filter((a) => !told.has(addressKey(a))).slice(0, TOLD_ADDRESSES - told.size);
  if (news.length === 0) return;
  for (const address of news) told.add(addressKey(address));
  say({ kind: "expired", addresses: news, areLast: told.size === TOLD_ADDRESSES });
}

socket.start(
  (count) => room.decideBatch(count, performance.now()),
  socketErrors((message) => say({ kind: "fault", message })),
  () => {
    watchClock();
    counters.set(WaitingCounter.overruns, socket.stats().overruns);
  },
);
say({ kind: "bound" });

port.on("message", (request: WaitingRequest) => {
  if (request.kind === "prepare") {
    if (request.prefixes !== null) room.usePrefixes([...room.prefixes, ...request.prefixes]);
    room.know([], request.removed);
  } else if (request.kind === "settle") {
    if (request.prefixes !== null) room.usePrefixes(request.prefixes);
    room.know(request.added, []);
    const taken = room.takeReady();
    if (taken > 0) socket.answerKept(room.taken, taken, NF_REPEAT);
  } else {
    clearTimeout(timer);
    // What waits is dropped with the queue.
    socket.close();
    counters.set(WaitingCounter.held, 0);
    say({ kind: "stopped" });
    port.close();
  }
});
