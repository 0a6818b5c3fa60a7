/**
 * What a decision costs without the kernel: nanoseconds a packet of the pipeline that asks all evaluators, of the one
 * that remembers, and of the whole loop (slot to slot), each as many times as the others and in turn. Medians of
 * CPU time, on a thread that has compiled nothing, as the datapath's.
 *
 *   node --import ./test/support/register-typescript.mjs bench/decide.ts [POLICIES:ENDPOINTS …]
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { writeDataset } from "../src/cli/bench/dataset/write-dataset.ts";
import { median, turnOf } from "../src/cli/bench/statistics.ts";
import { Counters } from "../src/datapath/counters.ts";
import { Loop } from "../src/datapath/loop.ts";
import { Compiler } from "../src/engine/compiler.ts";
import { createDecision } from "../src/engine/decision.ts";
import { DecisionCache } from "../src/engine/decision-cache.ts";
import { Pipeline } from "../src/engine/pipeline.ts";
import type { ProgramPatch } from "../src/engine/program.ts";
import { ProgramReader } from "../src/engine/program-reader.ts";
import { createFlowView, type FlowView, PacketState } from "../src/model/flow.ts";
import type { Inventory } from "../src/model/inventory.ts";
import { changeFromNothing } from "../src/model/inventory-change.ts";
import { defaultKnobs } from "../src/model/knobs.ts";
import { defaultMarkLayout, markStates } from "../src/model/mark.ts";
import type { Address, Family } from "../src/net/address.ts";
import { loadInventory } from "../src/sources/load-inventory.ts";
import { slotFlags, slotLayout } from "../test/datapath/slot.ts";

const ROTATIONS = 21;
const WARM_UP = 6;
const PACKETS = 1 << 14;
const BATCH = 64;
const TCP = 6;
const SYN = 2;

type Pairs = readonly (readonly [Address, Address])[];

interface Race {
  readonly patches: readonly ProgramPatch[];
  /** Batches of slots. */
  readonly batches: readonly Uint32Array[];
}

/** Reproducible lots (Lehmer 1951). */
let lot = 20_261_121;
function draw(below: number): number {
  lot = (lot * 48_271) % 0x7fffffff;
  return lot % below;
}

function pairsOf({ ec2, kubernetes }: Inventory, count: number): Pairs {
  const known = [...ec2.interfaces, ...kubernetes.pods].flatMap((endpoint) => endpoint.addresses.slice(0, 1));
  const one = (): Address => known[draw(known.length)] as Address;
  return Array.from({ length: count }, () => [one(), one()] as const);
}

/** From anywhere to endpoints: no address comes twice. */
function strangersOf(inventory: Inventory): Pairs {
  return pairsOf(inventory, PACKETS).map(([source, destination], i) => {
    return [{ ...source, w3: (0x14000000 + i * 7919) >>> 0 }, destination] as const;
  });
}

/** First packets from random source ports. */
function batchesOf(pairs: Pairs): readonly Uint32Array[] {
  const { headerWords, slotWords } = slotLayout;
  return Array.from({ length: PACKETS / BATCH }, (_, batch) => {
    const words = new Uint32Array(headerWords + BATCH * slotWords);
    for (let i = 0; i < BATCH; i++) {
      const nth = pairs.length === PACKETS ? batch * BATCH + i : draw(pairs.length);
      const [source, destination] = pairs[nth] as Pairs[number];
      const at = headerWords + i * slotWords;
      words[at + slotLayout.family] = source.family;
      words[at + slotLayout.protocol] = TCP;
      words.set([source.w0, source.w1, source.w2, source.w3], at + slotLayout.source);
      words.set([destination.w0, destination.w1, destination.w2, destination.w3], at + slotLayout.destination);
      words[at + slotLayout.sourcePort] = 32_768 + draw(28_232);
      words[at + slotLayout.destinationPort] = 8080;
      words[at + slotLayout.tcpFlags] = SYN;
      words[at + slotLayout.markIn] = markStates.original << 24;
    }
    return words;
  });
}

async function measure(policies: number, endpoints: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "verdictd-decide-"));
  try {
    writeDataset(directory, { policies, endpoints, kinds: "all", layout: "spread" });
    const { inventory } = await loadInventory({ directories: [directory] });
    const { patches } = new Compiler(defaultKnobs).update([changeFromNothing(inventory)]);
    const traffic = { "16 pairs": pairsOf(inventory, 16), "4,096 pairs": pairsOf(inventory, 4096) };
    for (const [name, pairs] of Object.entries({ ...traffic, strangers: strangersOf(inventory) })) {
      const race: Race = { patches, batches: batchesOf(pairs) };
      const worker = new Worker(new URL(import.meta.url), { workerData: race });
      const [[plain, cached, loop]] = (await once(worker, "message")) as [[number, number, number]];
      const row = [plain, cached, loop].map((ns) => `${ns.toFixed(0)} ns`).join(" / ");
      const ratio = (cached / plain).toFixed(2);
      console.log(`${policies} policies, ${endpoints} endpoints, ${name}: ${row}, remembered ÷ asked ${ratio}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Medians of everybody asked, remembered, the whole loop. */
function run({ patches, batches }: Race): readonly number[] {
  const program = new ProgramReader(defaultKnobs).apply(patches);
  const view = createFlowView();
  const decision = createDecision();
  const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
  const pipelines = [new Pipeline(), new Pipeline(null, new DecisionCache())];
  const contestants = pipelines.map((pipeline) => () => {
    for (const words of batches) {
      for (let i = 0; i < BATCH; i++) {
        fillView(view, words, slotLayout.headerWords + i * slotLayout.slotWords);
        pipeline.decide(program, view, memory, decision);
      }
    }
  });
  const slab = new Uint32Array(slotLayout.headerWords + BATCH * slotLayout.slotWords);
  const counters = new Counters();
  const options = { layout: slotLayout, flags: slotFlags, slab: slab.buffer, mark: defaultMarkLayout, counters };
  const loop = new Loop({ ...options, rejects: false }, program, 1);
  contestants.push(() => {
    for (const words of batches) {
      slab.set(words);
      loop.decideBatch(BATCH, false);
    }
  });
  const times: number[][] = contestants.map(() => []);
  for (let rotation = -WARM_UP; rotation < ROTATIONS; rotation++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = turnOf(contestants, rotation + WARM_UP, turn);
      const start = process.cpuUsage();
      contestant();
      const { user, system } = process.cpuUsage(start);
      const ns = (1000 * (user + system)) / PACKETS;
      if (rotation >= 0) times[contestants.indexOf(contestant)]?.push(ns);
    }
  }
  return times.map(median);
}

function fillView(view: FlowView, words: Uint32Array, at: number): void {
  const { source, destination } = view;
  source.family = destination.family = words[at + slotLayout.family] as Family;
  source.w3 = words[at + slotLayout.source + 3] as number;
  destination.w3 = words[at + slotLayout.destination + 3] as number;
  view.protocol = words[at + slotLayout.protocol] as number;
  view.sourcePort = words[at + slotLayout.sourcePort] as number;
  view.destinationPort = words[at + slotLayout.destinationPort] as number;
  view.state = PacketState.original;
}

if (isMainThread) {
  const sizes = process.argv.slice(2);
  for (const size of sizes.length > 0 ? sizes : ["10:100", "1000:10000", "10000:100000"]) {
    const [policies = 0, endpoints = 0] = size.split(":").map(Number);
    await measure(policies, endpoints);
  }
} else {
  parentPort?.postMessage(run(workerData as Race));
}
