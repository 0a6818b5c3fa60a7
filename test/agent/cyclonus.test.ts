/**
 * Cases of Cyclonus as Cyclonus runs them: their objects are applied, one case after the other to one agent, and every pod
 * asks every port of every pod by real packets. Once they're files, once objects of an API server. The tables are in `../shared/conformance/cyclonus` beside the checkout.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadAll } from "js-yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiClient, type ApiObject, collectionPath } from "../support/api-client.ts";
import { OwnApiServer, ownServerSkipReason } from "../support/api-server.ts";
import { Engine } from "../support/engine.ts";
import { list, node as nodeObject } from "../support/kubernetes.ts";
import { createLab, type Lab, type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import { router, wireByRoute } from "../support/node-lab.ts";
import { Peer, type Target } from "../support/peer.ts";
import { Relay } from "../support/relay.ts";
import { ping } from "../support/topology.ts";

const root = resolve(import.meta.dirname, "../../../shared/conformance/cyclonus");
const skip = skipReason ?? (existsSync(root) ? null : `there are no cases in ${root}`);
if (skip !== null) console.warn(`test/agent/cyclonus: skipped: ${skip}`);

/** Of all cases every tenth, from the first; VERDICTD_TEST_CYCLONUS=1 … 9: from the ones behind it. */
const STEP = 10;
const phase = Number(process.env.VERDICTD_TEST_CYCLONUS ?? 0) % STEP;
const cases = skip === null ? readdirSync(root).sort() : [];
const chosen = cases.filter((_, i) => i % STEP === phase);

interface KubernetesObject extends ApiObject {
  readonly spec?: object;
  readonly status?: { readonly podIP?: string };
}

/** An engine, and what it's fed with. */
interface Feed {
  /** In the place of all objects. True: they are in force; false: they will be. */
  apply(objects: readonly KubernetesObject[]): Promise<boolean>;
  stop(): Promise<void>;
}

const engineArgs = ["--set", "denyAction=reject"];

async function feedByFiles(node: Namespace): Promise<Feed> {
  const engine = await NodeEngine.startWith(node, list([]), engineArgs);
  return {
    async apply(objects) {
      await engine.setObjects(list(objects));
      return true;
    },
    async stop() {
      await engine.stop();
    },
  };
}

async function feedByServer(node: Namespace): Promise<Feed> {
  const server = await OwnApiServer.start();
  const client = server.client();
  const relay = await Relay.start(node, Number(client.server.port));
  const stop = async (): Promise<void> => {
    relay.close();
    client.close();
    await server.remove();
  };
  let engine: Engine;
  try {
    await client.create(nodeObject(["192.0.2.1"]) as ApiObject);
    const args = ["--kubeconfig", server.kubeconfig, "--node-name", "node-1", ...engineArgs];
    engine = await Engine.start(node, [], args);
  } catch (error) {
    await stop();
    throw error;
  }
  const pathOf = ({ apiVersion, kind, metadata }: ApiObject): string =>
    `${collectionPath(apiVersion, kind, metadata.namespace)}/${metadata.name}`;
  let before = new Map<string, KubernetesObject>();
  return {
    async apply(objects) {
      const after = new Map(objects.map((object) => [pathOf(object), object]));
      for (const [path, object] of [...before].reverse()) if (!after.has(path)) await client.delete(object);
      for (const [path, object] of after) {
        const known = before.get(path);
        if (known === undefined) await client.create(object);
        else if (JSON.stringify(known) !== JSON.stringify(object)) await replace(client, path, object);
      }
      before = after;
      return false;
    },
    async stop() {
      await engine.stop();
      await stop();
    },
  };
}

/** All but its status, which no case changes. */
async function replace(client: ApiClient, path: string, object: KubernetesObject): Promise<void> {
  const { metadata } = (await client.must("GET", path)) as ApiObject;
  const { resourceVersion } = metadata;
  await client.must("PUT", path, { ...object, metadata: { ...object.metadata, resourceVersion } });
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
  const objects = texts.flatMap((text) => loadAll(text) as KubernetesObject[]);
  return objects.map((object) =>
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

/** How long objects of an API server may take until they are enforced. */
const ENFORCED_WITHIN_MS = 10_000;

const feeds: readonly (readonly [string, (node: Namespace) => Promise<Feed>, string | null])[] = [
  ["files", feedByFiles, skip],
  ["an API server", feedByServer, skip ?? ownServerSkipReason],
];

for (const [source, start, why] of feeds) {
  if (why !== null && skip === null) console.warn(`test/agent/cyclonus: skipped by ${source}: ${why}`);
  describe.skipIf(why !== null)(`Cyclonus, every tenth case, by ${source}`, () => {
    let lab: Lab;
    let feed: Feed;
    /** By address: a pod may have another name in another case. */
    const peers = new Map<string, Peer>();
    const objects = new Map(chosen.map((name) => [name, readObjects(name)]));

    beforeAll(async () => {
      lab = createLab();
      const node = router(lab, "node");
      // A refusal tells at once what silence tells late: all of them have to be sent.
      node.sysctl("net/ipv4/icmp_ratemask", "0");
      const addresses = new Set([...objects.values()].flatMap((some) => [...addressesOf(some).values()]));
      for (const address of addresses) {
        const pod = lab.namespace(`pod${peers.size}`);
        wireByRoute(lab, node, ["192.168.0.1"], { pod, device: `v-${peers.size}`, addresses: [address] });
        peers.set(address, new Peer(pod));
      }
      await Promise.all([...peers.values()].map((peer) => peer.serve([80, 81])));
      for (const address of addresses) await waitFor(`node → ${address}`, () => ping(node, address));
      feed = await start(node);
    });

    afterAll(async () => {
      await feed?.stop();
      lab?.destroy();
    });

    /** What is otherwise than its row says. */
    const findWrong = async (
      rows: readonly Row[],
      addresses: ReadonlyMap<string, string>,
      timeoutMs: number,
    ): Promise<string[]> => {
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
          const results = await peers.get(address)?.probe(targets, timeoutMs);
          return own.map((row, i) => ({ row, result: results?.[i] }));
        }),
      );
      const all = found.flat();
      expect(all.length).toBe(rows.length);
      return all
        .filter(({ row, result }) => result !== (row.expect === "accept" ? "open" : refused[row.protocol]))
        .map(({ row, result }) => `${row.from} → ${row.to} ${row.protocol} ${row.port}: ${result}, not ${row.expect}`);
    };

    let denied = 0;
    test.each(chosen)("%s", async (name) => {
      const [given, rows] = [objects.get(name) ?? [], readRows(name)];
      const addresses = addressesOf(given);
      const isInForce = await feed.apply(given);
      const end = performance.now() + ENFORCED_WITHIN_MS;
      // While a change comes into force, an answer may be lost.
      const find = () => findWrong(rows, addresses, isInForce ? 5000 : 1000);
      let wrong = await find();
      while (!isInForce && wrong.length > 0 && performance.now() < end) wrong = await find();
      expect(wrong).toEqual([]);
      denied += rows.filter((row) => row.expect === "deny").length;
    });

    test("both verdicts occur", () => {
      expect(denied).toBeGreaterThan(100);
    });
  });
}
