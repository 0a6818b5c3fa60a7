/** The thread that sees DNS of pods. What it does holds up nothing but that. */
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "../../kernel/addon-loader.ts";
import { NF_ACCEPT } from "../answer.ts";
import { socketErrors } from "../socket-errors.ts";
import { AskedNames } from "./asked-names.ts";
import { LearntNames } from "./learnt-names.ts";
import { NameObserver } from "./name-observer.ts";
import { NamesCounter, NamesCounters } from "./names-counters.ts";
import type { NamesMessage, NamesOptions, NamesRequest } from "./names-protocol.ts";
import { NewsBudget } from "./news-budget.ts";

/** A packet as large as there is one. */
const PACKET_BYTES = 65_535;
const SLOTS = 16;
/** What is more passes unseen. As many are lost where this thread hangs: then DNS goes on. */
const QUEUE_LENGTH = 128;
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** As many answers may wait, and so long: a resolver that asks again waits for seconds. The rest of the queue stays free. */
const PLACES = 64;
const DEADLINE_MS = 100;
const EXPIRY_INTERVAL_MS = 1000;

const port = parentPort;
if (port === null) throw new Error("datapath/names/names-worker is started as a worker thread");
const options = workerData as NamesOptions;
const say = (message: NamesMessage): void => port.postMessage(message);

const addon = loadAddon();
const layout = addon.slotLayout;
const slab = new SharedArrayBuffer(4 * (layout.headerWords + SLOTS * layout.slotWords));
const packets = new SharedArrayBuffer(Math.ceil((SLOTS * PACKET_BYTES) / 4) * 4);
const counters = new NamesCounters(options.counters);
const asked = new AskedNames();
const names = new LearntNames();
const budget = new NewsBudget();
const observer = new NameObserver({
  ...{ layout, flags: addon.slotFlags, slab, packets, packetBytes: PACKET_BYTES },
  ...{ places: PLACES, deadlineMs: DEADLINE_MS, asked, names, budget, counters },
});
const socket = new addon.QueueSocket({
  queue: options.queue,
  copyRangeBytes: PACKET_BYTES,
  maxLength: QUEUE_LENGTH,
  receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  // The policies have judged the flow: whatever happens here, DNS goes on.
  failOpen: true,
  errorVerdict: NF_ACCEPT,
  errorMark: 0,
  markMask: options.mark.mask,
  slots: SLOTS,
  slab,
  packets,
  keeps: PLACES,
  spinMicroseconds: 0,
});

let timer: NodeJS.Timeout | null = null;

function letGo(count: number): void {
  if (count > 0) socket.answerKept(observer.taken, count, NF_ACCEPT);
}

/** One timer, for the answer that has waited longest. */
function watchDeadline(): void {
  const deadline = observer.nextDeadlineMs;
  if (timer !== null || deadline === null) return;
  timer = setTimeout(
    () => {
      timer = null;
      letGo(observer.takeLate(performance.now()));
      watchDeadline();
    },
    Math.max(0, deadline - performance.now()),
  );
}

function tellChanges(): void {
  const changes = names.takeChanges();
  if (changes !== null) say({ kind: "names", ...changes });
}

socket.start(
  (count) => {
    observer.decideBatch(count, performance.now());
    tellChanges();
  },
  socketErrors((message) => say({ kind: "fault", message })),
  () => {
    counters.set(NamesCounter.overruns, socket.stats().overruns);
    watchDeadline();
  },
);
const expiry = setInterval(() => {
  const nowMs = performance.now();
  asked.expire(nowMs);
  budget.expire(nowMs);
  names.expire(nowMs);
  counters.set(NamesCounter.addresses, names.size);
  tellChanges();
}, EXPIRY_INTERVAL_MS);
say({ kind: "bound" });

port.on("message", (request: NamesRequest) => {
  if (request.kind === "in-force") {
    letGo(observer.settle(request.batch, performance.now()));
  } else if (request.kind === "use") {
    if (request.domains !== null) names.usePatterns(request.domains);
    names.forget(request.forgotten);
    tellChanges();
    say({ kind: "used" });
  } else {
    letGo(observer.takeAll(performance.now()));
    if (timer !== null) clearTimeout(timer);
    clearInterval(expiry);
    socket.close();
    say({ kind: "stopped" });
    port.close();
  }
});
