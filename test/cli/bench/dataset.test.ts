/** The generated clusters: of the size that was asked for, readable without a complaint, and with the lab's verdicts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type DatasetSpec, generateDataset, sharesOf } from "../../../src/cli/bench/dataset/dataset.ts";
import { changedPod, changedPolicy, changeFiles, podElsewhere } from "../../../src/cli/bench/dataset/lab-objects.ts";
import { changeFile, writeDataset } from "../../../src/cli/bench/dataset/write-dataset.ts";
import { clientAddress, pairCount, ports, serverAddress, visitorAddress } from "../../../src/cli/bench/topology.ts";
import { compileProgram } from "../../../src/engine/compiler.ts";
import { Explainer } from "../../../src/engine/explain.ts";
import { readFlow } from "../../../src/engine/flow-request.ts";
import { References } from "../../../src/engine/reference.ts";
import { createFlowView } from "../../../src/model/flow.ts";
import type { Inventory } from "../../../src/model/inventory.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { loadInventory } from "../../../src/sources/load-inventory.ts";

const directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-dataset-`));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const specs: readonly (DatasetSpec & { readonly name: string })[] = [
  { name: "small", policies: 10, endpoints: 100, kinds: "kubernetes", layout: "spread" },
  { name: "without policies", policies: 0, endpoints: 100, kinds: "kubernetes", layout: "spread" },
  { name: "of three kinds", policies: 100, endpoints: 1000, kinds: "all", layout: "spread" },
  { name: "in one namespace", policies: 50, endpoints: 100, kinds: "kubernetes", layout: "together" },
  { name: "of several files", policies: 1200, endpoints: 2500, kinds: "kubernetes", layout: "spread" },
];

async function load(spec: DatasetSpec & { readonly name: string }): Promise<Inventory> {
  const path = join(directory, spec.name.replaceAll(" ", "-"));
  writeDataset(path, spec);
  const { inventory, errors } = await loadInventory({ directories: [path] });
  expect(errors).toEqual([]);
  return inventory;
}

function isAccepted(inventory: Inventory, from: string, to: string, protocol: string, port: number): boolean {
  const explainer = new Explainer(compileProgram(inventory, defaultKnobs), { withTrace: false });
  const view = createFlowView();
  expect(readFlow({ from, to, protocol, port }, new References(inventory), view)).toBeNull();
  explainer.explain(view);
  return explainer.decision.isFlowAccepted && explainer.decision.isReplyAccepted;
}

describe.each(specs)("a dataset $name", (spec) => {
  test("has the policies and endpoints that were asked for, and nothing to complain of but its visitor", async () => {
    const { kubernetes, ec2, findings } = await load(spec);
    const policies = kubernetes.networkPolicies.length + ec2.securityGroups.length + ec2.networkAcls.length;
    expect(policies).toBe(spec.policies);
    const lab = pairCount * 2 + (spec.policies > 0 ? 1 : 0);
    const { pods, interfaces } = sharesOf(spec);
    expect(pods + interfaces).toBe(spec.endpoints);
    expect(kubernetes.pods.length).toBe(pods + lab);
    expect(ec2.interfaces.length).toBe(spec.kinds === "all" ? interfaces + pairCount * 2 + 1 : 0);
    const addresses = kubernetes.pods.flatMap((p) => p.addresses.map((a) => [a.w0, a.w1, a.w2, a.w3].join(".")));
    expect(new Set(addresses).size).toBe(kubernetes.pods.length);
    expect(findings.map((f) => f.message).filter((m) => !m.includes("pass=yes"))).toEqual([]);
  });

  test("lets the lab's traffic through, and nothing else", async () => {
    const inventory = await load(spec);
    const isFree = spec.policies === 0;
    for (const pair of [0, pairCount - 1]) {
      const [from, to] = [clientAddress(pair), serverAddress(pair)];
      for (const [protocol, port] of [
        ["udp", ports.echo],
        ["udp", ports.sink],
        ["tcp", ports.accept],
        ["tcp", ports.bulk],
      ] as const) {
        expect(isAccepted(inventory, from, to, protocol, port)).toBe(true);
      }
      expect(isAccepted(inventory, from, to, "tcp", ports.denied)).toBe(isFree);
      expect(isAccepted(inventory, from, to, "udp", ports.policyChange)).toBe(isFree);
      expect(isAccepted(inventory, "100.64.1.2", to, "udp", ports.echo)).toBe(isFree);
    }
  });

  test("changes when a file of one object does", async () => {
    if (spec.policies === 0) return;
    const before = await load(spec);
    const path = join(directory, spec.name.replaceAll(" ", "-"));
    const reach = async (): Promise<boolean[]> => {
      const { inventory } = await loadInventory({ directories: [path] });
      return [
        isAccepted(inventory, clientAddress(0), serverAddress(0), "udp", ports.policyChange),
        isAccepted(inventory, visitorAddress, serverAddress(0), "udp", ports.podChange),
      ];
    };
    expect(await reach()).toEqual([false, false]);
    changeFile(path, changeFiles.policy, changedPolicy(true));
    expect(await reach()).toEqual([true, false]);
    changeFile(path, changeFiles.pod, changedPod(true));
    expect(await reach()).toEqual([true, true]);
    changeFile(path, changeFiles.elsewhere, podElsewhere(true, sharesOf(spec)));
    expect((await loadInventory({ directories: [path] })).inventory.kubernetes.pods.length).toBe(
      before.kubernetes.pods.length + 1,
    );
    changeFile(path, changeFiles.elsewhere, podElsewhere(false, sharesOf(spec)));
    changeFile(path, changeFiles.policy, changedPolicy(false));
    changeFile(path, changeFiles.pod, changedPod(false));
    expect(await reach()).toEqual([false, false]);
  });
});

test("a file holds 1,000 objects at most, and what changes has one of its own", () => {
  const spec: DatasetSpec = { policies: 1200, endpoints: 2500, kinds: "all", layout: "spread" };
  for (const { path, text } of generateDataset(spec)) {
    const document = JSON.parse(text) as { kind?: string; items?: unknown[] };
    if (path.startsWith("change-")) expect(document.kind).toMatch(/^(Pod|NetworkPolicy)$/);
    else expect(Object.values(document).find(Array.isArray)?.length).toBeLessThanOrEqual(1000);
  }
});

test("a changed file is replaced by a rename: no other name is ever in the directory", () => {
  const path = join(directory, "renames");
  writeDataset(path, specs[0]!);
  const names = readdirSync(path).sort();
  changeFile(path, changeFiles.policy, changedPolicy(true));
  expect(readdirSync(path).sort()).toEqual(names);
  expect(readFileSync(join(path, changeFiles.policy), "utf8")).toBe(changedPolicy(true));
});
