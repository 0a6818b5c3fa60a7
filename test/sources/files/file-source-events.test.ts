/** A directory as a large cluster's looks, one object a file: what events bring, how fast, and what they lose. */
import { closeSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Inventory } from "../../../src/model/inventory.ts";
import { FileSource } from "../../../src/sources/files/file-source.ts";
import { loadInventory } from "../../../src/sources/load-inventory.ts";
import { ChangeListener } from "../change-listener.ts";
import { makeDirectory, policyDocument } from "./temporary-directory.ts";

const FILES = 2000;

const document = (name: string, port: number): string =>
  JSON.stringify({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: "shop" },
    spec: { podSelector: {}, ingress: [{ ports: [{ port }] }] },
  });

function makeCluster(): string {
  return makeDirectory(
    Object.fromEntries(Array.from({ length: FILES }, (_, n) => [`${n % 10}/${n}.json`, document(`p${n}`, 1)])),
  );
}

const portOf = (policy: Inventory["kubernetes"]["networkPolicies"][number]): number =>
  policy.ingress[0]?.ports?.[0]?.range?.from ?? 0;

/** A source that is watched, and a listener that knows what it told. */
class Cluster {
  readonly root: string;
  readonly #source: FileSource;
  readonly #listener = new ChangeListener();
  /** Ports by name: what there is. */
  readonly known = new Map<string, number>();
  readonly sizes: number[] = [];
  #wake: () => void = () => {};

  constructor(root: string) {
    this.root = root;
    this.#source = new FileSource([root]);
    onTestFinished(() => this.#source.close());
  }

  static async watch(root: string): Promise<Cluster> {
    const cluster = new Cluster(root);
    const { change } = await cluster.#source.load();
    cluster.#hear(change);
    cluster.#source.watch(({ change, errors }) => {
      expect(errors).toEqual([]);
      cluster.#hear(change);
    });
    await cluster.#source.load();
    cluster.sizes.length = 0;
    return cluster;
  }

  #hear(change: Parameters<ChangeListener["hear"]>[0]): void {
    this.#listener.hear(change);
    for (const { before, after } of change.kubernetes.networkPolicies) {
      if (after) this.known.set(after.name, portOf(after));
      else if (before) this.known.delete(before.name);
    }
    this.sizes.push(change.kubernetes.networkPolicies.length);
    this.#wake();
  }

  /** The test's time limit ends the waiting. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  replace(path: string, text: string): void {
    writeFileSync(join(this.root, "next"), text);
    renameSync(join(this.root, "next"), join(this.root, path));
  }

  async expectToKnowAll(): Promise<void> {
    const { inventory, errors } = await loadInventory({ directories: [this.root] });
    expect(errors).toEqual([]);
    this.#listener.expectToKnow(inventory);
  }
}

describe("2,000 files", () => {
  test("one that is renamed into place is told alone, and faster than any quiet could be waited for", async () => {
    const cluster = await Cluster.watch(makeCluster());
    const times: number[] = [];
    for (let n = 0; n < 100; n++) {
      const start = performance.now();
      cluster.replace(`${n % 10}/${n}.json`, document(`p${n}`, 2));
      await cluster.until(() => cluster.known.get(`p${n}`) === 2);
      times.push(performance.now() - start);
    }
    expect(cluster.sizes).toEqual(times.map(() => 1));
    const median = times.sort((a, b) => a - b)[50] ?? 0;
    expect(median).toBeLessThan(5);
    await cluster.expectToKnowAll();
  });

  test("bursts, deletions, files and directories that move: told in the end, and nothing else", async () => {
    const cluster = await Cluster.watch(makeCluster());
    const { root } = cluster;
    for (let n = 0; n < FILES; n += 2) cluster.replace(`${n % 10}/${n}.json`, document(`p${n}`, 3));
    await cluster.until(() => cluster.known.get("p0") === 3 && cluster.known.get(`p${FILES - 2}`) === 3);
    for (let n = 0; n < 500; n++) unlinkSync(join(root, `${n % 10}/${n}.json`));
    await cluster.until(() => cluster.known.size === FILES - 500);
    for (let n = 500; n < 600; n++) renameSync(join(root, `${n % 10}/${n}.json`), join(root, `${n % 10}/x${n}.json`));
    for (let n = 600; n < 700; n++) cluster.replace(`${n % 10}/${n}.json`, document(`q${n}`, 4));
    await cluster.until(() => cluster.known.has("q699") && !cluster.known.has("p699"));
    expect(cluster.known.size).toBe(FILES - 500);

    const outside = makeDirectory();
    renameSync(join(root, "3"), join(outside, "3"));
    await cluster.until(() => cluster.known.size === (FILES - 500) * 0.9);
    renameSync(join(outside, "3"), join(root, "four"));
    await cluster.until(() => cluster.known.size === FILES - 500);
    cluster.replace("four/1003.json", document("p1003", 5));
    await cluster.until(() => cluster.known.get("p1003") === 5);
    await cluster.expectToKnowAll();
  });

  test("more events than the kernel keeps for us: what was lost is found", async () => {
    const cluster = await Cluster.watch(makeCluster());
    const { root } = cluster;
    for (let n = 0; n < 10_000; n++) {
      writeFileSync(join(root, "0/x.tmp"), "");
      renameSync(join(root, "0/x.tmp"), join(root, "0/y.tmp"));
    }
    cluster.replace("0/0.json", document("p0", 9));
    mkdirSync(join(root, "new"));
    cluster.replace("new/n.json", document("n", 9));
    await cluster.until(() => cluster.known.get("p0") === 9 && cluster.known.get("n") === 9);
    await cluster.expectToKnowAll();
  });
});

test("a writer in the middle of a file: half of it is never told", async () => {
  const root = makeDirectory({ "a.json": document("p0", 1) });
  const cluster = await Cluster.watch(root);
  const [one = "", two = ""] = [policyDocument("one"), `---\n${policyDocument("two")}`];
  // A pause that was longer than a writer's may end in either way: once more, then.
  for (let n = 0; ; n++) {
    cluster.sizes.length = 0;
    const file = openSync(join(root, "b.yaml"), "w");
    const start = performance.now();
    writeSync(file, one);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    writeSync(file, two);
    const pause = performance.now() - start;
    closeSync(file);
    await cluster.until(() => cluster.known.has("one") && cluster.known.has("two"));
    if (pause < 4) expect(cluster.sizes).toEqual([2]);
    if (pause < 4 || n === 20) break;
    unlinkSync(join(root, "b.yaml"));
    await cluster.until(() => !cluster.known.has("one"));
  }
});
