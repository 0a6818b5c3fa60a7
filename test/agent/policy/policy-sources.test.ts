/** Files and an API server into one store: what is wrong with one of them holds up only what it would say itself. */
import { renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PolicySources } from "../../../src/agent/policy/policy-sources.ts";
import type { InventoryChange } from "../../../src/model/inventory-change.ts";
import { makeDirectory } from "../../sources/files/temporary-directory.ts";
import { adminPolicy, networkPolicy, pod } from "../../sources/kubernetes/api/objects.ts";
import { patiently } from "../../sources/kubernetes/api/watched-cluster.ts";
import { ApiDouble, doubleSkipReason } from "../../support/api-double.ts";

if (doubleSkipReason !== null) console.warn(`test/agent/policy/policy-sources: skipped: ${doubleSkipReason}`);

const namespaceDocument = (...names: readonly string[]): string =>
  names.map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`).join("---\n");

let double: ApiDouble;
let sources: PolicySources;
let directory: string;
/** What all changes came to, by name and file or server. */
const known = new Map<string, string>();
let reasons: readonly string[] = [];
const names = (): string[] => [...known.keys()].sort();
/** As editors do: an event that is looked at at once. */
const put = (name: string, text: string): void => {
  writeFileSync(join(directory, "next"), text);
  renameSync(join(directory, "next"), join(directory, name));
};

function follow({ kubernetes: { namespaces, pods, networkPolicies, adminPolicies } }: InventoryChange): void {
  for (const { before, after } of [...namespaces, ...pods, ...networkPolicies, ...adminPolicies]) {
    if (after !== null) known.set(after.origin.name, after.origin.file);
    else if (before !== null) known.delete(before.origin.name);
  }
}

async function start(files: Readonly<Record<string, string>>): Promise<void> {
  double = await ApiDouble.start();
  double.apply(pod("a", 1));
  directory = makeDirectory(files);
  const cluster = { kubeconfig: double.kubeconfig, context: null };
  sources = new PolicySources({ directories: [directory], vpcs: [], cluster, policies: null }, () => {});
  const { change, errors } = await sources.load();
  expect(errors).toEqual([]);
  known.clear();
  follow(change);
  sources.watch((told) => {
    reasons = told.reasons;
    if (told.change !== null) follow(told.change);
  });
  await patiently("watches", () => double.isWatched);
}

describe.skipIf(doubleSkipReason !== null)(`files and a server (${doubleSkipReason ?? "the double"})`, () => {
  afterEach(async () => {
    sources?.close();
    await double?.remove();
  });

  it("while a file can't be read all files stay as they were, and the cluster goes on", async () => {
    await start({ "a.yaml": namespaceDocument("one", "two"), "b.yaml": namespaceDocument("three") });
    expect(names()).toEqual(["Namespace one", "Namespace three", "Namespace two", "Pod a/pod-1"]);
    put("a.yaml", "kind: [\n");
    await patiently("the error", () => reasons.length > 0);
    // Both files are of one change, perhaps: the one that is good says nothing before the other is.
    put("b.yaml", namespaceDocument("four"));
    put("c.yaml", namespaceDocument("five"));
    put("d.yaml", "kind: [\n");
    await patiently("both errors", () => reasons.length === 2);
    double.apply(pod("a", 2));
    double.apply(networkPolicy("a", "web"));
    double.delete(pod("a", 1));
    double.apply(adminPolicy("red", 5));
    const ofCluster = ["AdminNetworkPolicy red", "NetworkPolicy a/web", "Pod a/pod-2"];
    const before = [...ofCluster, "Namespace one", "Namespace three", "Namespace two"].sort();
    await patiently("what the server says", () => names().join() === before.join()).catch(() =>
      expect(names()).toEqual(before),
    );
    expect(reasons).toHaveLength(2);
    expect(sources.store.inventory().kubernetes.namespaces.map(({ name }) => name)).toEqual(["one", "three", "two"]);
    unlinkSync(join(directory, "d.yaml"));
    put("a.yaml", namespaceDocument("one"));
    const after = [...ofCluster, "Namespace five", "Namespace four", "Namespace one"].sort();
    await patiently("what the files say", () => names().join() === after.join()).catch(() =>
      expect(names()).toEqual(after),
    );
    expect(reasons).toEqual([]);
  });

  it("a server that can't be asked holds up no file", async () => {
    await start({ "a.yaml": namespaceDocument("one") });
    await double.goDown();
    put("a.yaml", namespaceDocument("two"));
    await patiently("what the file says", () => names().join() === "Namespace two,Pod a/pod-1");
    await patiently("the server to be told", () => /ECONNREFUSED/.test(reasons.join()));
    put("a.yaml", namespaceDocument("three"));
    await patiently("what the file says", () => names().join() === "Namespace three,Pod a/pod-1");
  });
});
