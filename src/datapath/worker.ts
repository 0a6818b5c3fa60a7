/** The thread that serves one queue. It does nothing else: no files, no clock but the batch's, no logs. */
import { parentPort, workerData } from "node:worker_threads";
import { ProgramReader } from "../engine/program-reader.ts";
import { loadAddon } from "../kernel/addon-loader.ts";
import { markVerdict } from "../model/mark.ts";
import { NF_ACCEPT, NF_DROP } from "./answer.ts";
import { Counter, Counters } from "./counters.ts";
import { FailureReport } from "./failure-report.ts";
import { importEvaluators } from "./import-evaluators.ts";
import { Loop } from "./loop.ts";
import { preferThisThread } from "./priority.ts";
import type { AgentMessage, WorkerMessage, WorkerOptions } from "./protocol.ts";
import { socketErrors } from "./socket-errors.ts";
import { warmUp } from "./warm-up.ts";

const port = parentPort;
if (port === null) throw new Error("datapath/worker is started as a worker thread");
const options = workerData as WorkerOptions;
const say = (message: WorkerMessage): void => port.postMessage(message);

const addon = loadAddon();
const counters = new Counters(options.counters);
const layout = addon.slotLayout;
const slab = new SharedArrayBuffer(4 * (layout.headerWords + options.batchSlots * layout.slotWords));
const { knobs } = options;
const acceptsErrors = knobs.errorVerdict === "accept";
const programs = new ProgramReader(knobs, await importEvaluators(options.evaluatorUrls));
const firstProgram = programs.apply(options.patches);
const report = new FailureReport(firstProgram, (failure) => say({ kind: "failure", failure }));
const loopOptions = { layout, flags: addon.slotFlags, mark: options.mark, rejects: knobs.denyAction === "reject" };
warmUp(loopOptions, programs.withoutCustom(), options.someAddresses);
preferThisThread();
const loop = new Loop({ ...loopOptions, slab, counters }, firstProgram, options.epochNibble);
const socket = new addon.QueueSocket({
  queue: options.queue,
  copyRangeBytes: options.copyRangeBytes,
  maxLength: options.maxLength,
  receiveBufferBytes: options.receiveBufferBytes,
  failOpen: knobs.overflow === "accept",
  slots: options.batchSlots,
  slab,
  spinMicroseconds: options.spinMicroseconds,
  errorVerdict: acceptsErrors ? NF_ACCEPT : NF_DROP,
  errorMark: ((acceptsErrors ? markVerdict.acceptThis : markVerdict.deny) << options.mark.shift) >>> 0,
  markMask: options.mark.mask,
});

let isAdopting = knobs.midstreamAdoptSeconds > 0;
if (isAdopting) {
  setTimeout(() => {
    isAdopting = false;
  }, knobs.midstreamAdoptSeconds * 1000).unref();
}

socket.start(
  (count) => {
    loop.decideBatch(count, isAdopting);
  },
  socketErrors((message) => {
    counters.add(Counter.callbackErrors, 1);
    say({ kind: "fault", message });
  }),
  () => loop.settle(),
);
say({ kind: "bound" });

/** Native keeps its own totals; they are copied when somebody looks, not on the packet path. */
function copyStatistics(): void {
  loop.settle();
  const stats = socket.stats();
  counters.set(Counter.sent, stats.sent);
  counters.set(Counter.overruns, stats.overruns);
  counters.set(Counter.sendErrors, stats.sendErrors);
  counters.set(Counter.failed, stats.failed);
  counters.set(Counter.spinsPaid, stats.spinsPaid);
  counters.set(Counter.spinsFailed, stats.spinsFailed);
}

port.on("message", (message: AgentMessage) => {
  if (message.kind === "program") {
    const program = programs.apply(message.patches);
    loop.useProgram(program, message.epochNibble);
    report.useProgram(program);
    say({ kind: "programmed" });
  } else if (message.kind === "statistics") {
    copyStatistics();
    say({ kind: "statistics" });
  } else {
    socket.close();
    copyStatistics();
    report.check();
    report.close();
    say({ kind: "stopped" });
    port.close();
  }
});
