/**
 * Cases of Cyclonus as Cyclonus runs them: their objects are applied, one case after the other to one agent, and every pod
 * asks every port of every pod by real packets. The tables are in `../shared/conformance/cyclonus` beside the checkout.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { list } from "../support/kubernetes.ts";
import { createLab, type Lab, type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import { router, wireByRoute } from "../support/node-lab.ts";
import { Peer, type Target } from "../support/peer.ts";
import { ping } from "../support/topology.ts";

const root = resolve(import.meta.dirname, "../../../shared/conformance/cyclonus");
const skip = skipReason ?? (existsSync(root) ? null : `there are no cases in ${root}`);
if (skip !== null) console.warn(`test/agent/cyclonus: skipped: ${skip}`);

/** Of all cases every tenth, from the first; VERDICTD_TEST_CYCLONUS=1 … 9: from the ones behind it. */
const STEP = 10;
const phase = Number(process.env.VERDICTD_TEST_CYCLONUS ?? 0) % STEP;
const cases = skip === null ? readdirSync(root).sort() : [];
const chosen = cases.filter((_, i) => i % STEP === phase);

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly spec?: object;
  readonly status?: { readonly podIP?: string };
}

interface Row {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number;
  readonly expect: "accept" | "deny";
}

/** What a refused packet is answered with: a reset, and "administratively prohibited". */
const refused: Readonly<Record<string, string>> = { TCP: "ECONNREFUSED", UDP: "EHOSTUNREACH" };

/** All pods are this node's. */
function readObjects(name: string): readonly KubernetesObject[] {
  const folder = join(root, name, "manifests");
  const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const objects = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
  return objects.map((object: KubernetesObject) =>
    object.kind === "Pod" ? { ...object, spec: { ...object.spec, nodeName: "node-1" } } : object,
  );
}

/** Those by TCP and UDP: this machine may not speak SCTP. */
function readRows(name: string): readonly Row[] {
  const lines = readFileSync(join(root, name, "flows.ndjson"), "utf8")
    .trim()
    .split("\n");
  return lines.map((line): Row => JSON.parse(line)).filter(({ protocol }) => protocol === "TCP" || protocol === "UDP");
}

/** `x/a` → address. */
function addressesOf(objects: readonly KubernetesObject[]): ReadonlyMap<string, string> {
  const pods = objects.filter(({ kind }) => kind === "Pod");
  return new Map(pods.map(({ metadata, status }) => [`${metadata.namespace}/${metadata.name}`, status?.podIP ?? ""]));
}

describe.skipIf(skip !== null)("Cyclonus, every tenth case", () => {
  let lab: Lab;
  let node: Namespace;
  let engine: NodeEngine;
  /** By address: a pod may have another name in another case. */
  const peers = new Map<string, Peer>();
  const objects = new Map(chosen.map((name) => [name, readObjects(name)]));

  beforeAll(async () => {
    lab = createLab();
    node = router(lab, "node");
    // A refusal tells at once what silence tells late: all of them have to be sent.
    node.sysctl("net/ipv4/icmp_ratemask", "0");
    const addresses = new Set([...objects.values()].flatMap((some) => [...addressesOf(some).values()]));
    const pods: Namespace[] = [];
    for (const address of addresses) {
      const device = `v-${pods.length}`;
      const pod = lab.namespace(`pod${pods.length}`);
      wireByRoute(lab, node, ["192.168.0.1"], { pod, device, addresses: [address] });
      peers.set(address, new Peer(pod));
      pods.push(pod);
    }
    await Promise.all([...peers.values()].map((peer) => peer.serve([80, 81])));
    for (const address of addresses) await waitFor(`node → ${address}`, () => ping(node, address));
    engine = await NodeEngine.startWith(node, list([]), ["--set", "denyAction=reject"]);
  });

  afterAll(async () => {
    await engine?.stop();
    lab?.destroy();
  });

  let denied = 0;
  test.each(chosen)("%s", async (name) => {
    const [given, rows] = [objects.get(name) ?? [], readRows(name)];
    const addresses = addressesOf(given);
    await engine.setObjects(list(given));
    const found = await Promise.all(
      [...addresses].map(async ([pod, address]) => {
        const own = rows.filter(({ from }) => from === pod);
        const targets = own.map(
          ({ to, protocol, port }): Target => ({
            protocol: protocol === "TCP" ? "TCP" : "UDP",
            host: addresses.get(to) ?? "",
            port,
          }),
        );
        const results = await peers.get(address)?.probe(targets, 5000);
        return own.map((row, i) => ({ row, result: results?.[i] }));
      }),
    );
    const all = found.flat();
    expect(all.length).toBe(rows.length);
    const wrong = all
      .filter(({ row, result }) => result !== (row.expect === "accept" ? "open" : refused[row.protocol]))
      .map(
        ({ row, result }) => `${row.from} → ${row.to} ${row.protocol} ${row.port}: ${result}, ${row.expect} expected`,
      );
    expect(wrong).toEqual([]);
    denied += all.filter(({ row }) => row.expect === "deny").length;
  });

  test("both verdicts occur", () => {
    expect(denied).toBeGreaterThan(100);
  });
});
