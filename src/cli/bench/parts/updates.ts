/**
 * A change of one object: from the rename of the file that holds it alone until packets meet it, and until the engine
 * says so. The policy `change` and the label of the pod `visitor` open and close a port in turns; a pod of another
 * namespace comes and goes, which no packet of the lab meets.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { sharesOf } from "../dataset/dataset.ts";
import { changedPod, changedPolicy, changeFiles, podElsewhere } from "../dataset/lab-objects.ts";
import { changeFile } from "../dataset/write-dataset.ts";
import { memoryOf } from "../process-usage.ts";
import { EngineServer, enginePort } from "../queue-server.ts";
import { quantile } from "../statistics.ts";
import { clientAddress, ports, serverAddress, visitorAddress } from "../topology.ts";
import { readColumn, type Turn } from "../turn.ts";

const limitMs = 60_000;
const probeMicroseconds = 250;
/** A port for each probe from the first on; one change takes far fewer. */
const probesOfChange = 400;

interface Change {
  readonly name: string;
  readonly file: string;
  readonly text: (isOpen: boolean) => string;
  readonly from: string;
  readonly port: number;
}

const changes: readonly Change[] = [
  { name: "policy", file: changeFiles.policy, text: changedPolicy, from: clientAddress(0), port: ports.policyChange },
  { name: "pod", file: changeFiles.pod, text: changedPod, from: visitorAddress, port: ports.podChange },
];

/** As many changes of each kind as fit into the time, two at least. */
export async function measureUpdates(turn: Turn, seconds: number): Promise<void> {
  const { server, variant } = turn.contestant;
  if (!(server instanceof EngineServer) || variant.dataset === undefined || variant.dataset.policies === 0) return;
  await turn.flush();
  // What the engine tells of its own phases: fields whose names end in Ms.
  const phases = new Map<string, number[]>();
  const stopListening = server.onLog((entry) => {
    for (const [name, value] of Object.entries(entry)) {
      if (entry.msg !== "enforcing a change" || !/Ms$/.test(name) || typeof value !== "number") continue;
      phases.set(name.slice(0, -2), [...(phases.get(name.slice(0, -2)) ?? []), value]);
    }
  });
  for (const change of changes) await measureChange(turn, server, change, seconds);
  const shares = sharesOf(variant.dataset);
  const heard: number[] = [];
  const end = performance.now() + seconds * 500;
  for (let i = 0; i < 2 || i % 2 === 1 || performance.now() < end; i++) {
    const text = podElsewhere(i % 2 === 0, shares);
    heard.push(await applied(server, () => changeFile(server.directory, changeFiles.elsewhere, text)));
  }
  record(turn, "elsewhere.event", heard);
  stopListening();
  for (const [name, values] of phases) record(turn, `engine.${name}`, values);
  await measurePauses(turn, server, seconds);
  turn.record("memory", "bytes", memoryOf(server.session).now);
}

/** How long the page of readiness took to answer while changes came, at most: its event loop can't have paused longer. */
async function measurePauses(turn: Turn, server: EngineServer, seconds: number): Promise<void> {
  const shares = sharesOf(turn.contestant.variant.dataset!);
  const values = { port: enginePort, path: "/readyz", interval: 10_000, seconds };
  let isOver = false;
  const asked = turn.contestant.lane.inRouter("get", values, turn.placement.traffic, turn.signal).finally(() => {
    isOver = true;
  });
  // Awaited below; until then a failure is nobody's surprise.
  asked.catch(() => {});
  for (let i = 0; !isOver || i % 2 === 1; i++) {
    const text = podElsewhere(i % 2 === 0, shares);
    await applied(server, () => changeFile(server.directory, changeFiles.elsewhere, text));
    await sleep(50);
  }
  const times = readColumn(await asked);
  turn.record("pause.p99", "ns", quantile(times, 0.99));
  turn.record("pause.longest", "ns", Math.max(...times));
}

async function measureChange(turn: Turn, server: EngineServer, change: Change, seconds: number): Promise<void> {
  const heard: number[] = [];
  const met: number[] = [];
  const end = performance.now() + seconds * 1000;
  let first = 0;
  for (let isOpen = true; met.length < 2 || !isOpen || performance.now() < end; isOpen = !isOpen) {
    const probes = turn.contestant.lane.startTraffic(
      "flip",
      {
        ...{ from: change.from, to: serverAddress(0), pairs: 1, port: change.port, first },
        ...{ interval: probeMicroseconds, limit: limitMs, want: isOpen ? "open" : "closed" },
      },
      turn.placement.traffic,
      turn.signal,
    );
    first += probesOfChange;
    await probes.line();
    let changed = 0n;
    heard.push(
      await applied(server, () => {
        changed = changeFile(server.directory, change.file, change.text(isOpen));
        return changed;
      }),
    );
    const at = BigInt(/^at=(\d+)$/.exec(await probes.line())?.[1] ?? "0");
    await probes.ended();
    if (at === 0n)
      throw new Error(
        `a change of the ${change.name} (${isOpen ? "open" : "closed"}, number ${met.length}) was not met by packets within ${limitMs} ms`,
      );
    met.push(Number(at - changed) / 1e6);
  }
  record(turn, `${change.name}.event`, heard);
  record(turn, `${change.name}.packets`, met);
}

/** Milliseconds from the change until the engine says that it is enforced. */
async function applied(server: EngineServer, change: () => bigint): Promise<number> {
  const before = server.enforcement.epoch;
  const changed = change();
  await server.enforcement.epochAfter(before, limitMs);
  return Number(server.enforcement.epochAt - changed) / 1e6;
}

function record(turn: Turn, name: string, milliseconds: readonly number[]): void {
  turn.record(`${name}.p50`, "ms", quantile(milliseconds, 0.5));
  turn.record(`${name}.p99`, "ms", quantile(milliseconds, 0.99));
  turn.recordSamples(
    name,
    milliseconds.map((ms) => ms * 1e6),
  );
}
