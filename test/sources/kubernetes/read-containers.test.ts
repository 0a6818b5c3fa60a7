import { expect, test } from "vitest";
import { Interner } from "../../../src/sources/interner.ts";
import { compactPod } from "../../../src/sources/kubernetes/compact.ts";
import { convertKubernetesDocument } from "../../../src/sources/kubernetes/convert.ts";

const containers = [{ name: "agent", image: "example/agent:v1", command: ["/agent"], args: ["--a=1", 2, "--b"] }];

function read(pod: {
  readonly hostNetwork: boolean;
  readonly owner: string;
  readonly phase?: string;
  readonly containers?: unknown;
}) {
  const parts = convertKubernetesDocument(
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "agent-1",
        namespace: "kube-system",
        ownerReferences: [{ kind: pod.owner, name: "agent", controller: true }],
      },
      spec: { hostNetwork: pod.hostNetwork, containers: pod.containers ?? containers },
      status: { phase: pod.phase ?? "Running" },
    },
    "pods.yaml",
    () => {},
  );
  return compactPod(parts?.pods[0] ?? expect.fail("no pod"), new Interner());
}

test("of a DaemonSet's pod on the host's network it's kept what its containers are started with", () => {
  expect(read({ hostNetwork: true, owner: "DaemonSet" }).containers).toEqual([
    { name: "agent", image: "example/agent:v1", args: ["/agent", "--a=1", "--b"] },
  ]);
});

test.each([
  { hostNetwork: false, owner: "DaemonSet" },
  { hostNetwork: true, owner: "ReplicaSet" },
  { hostNetwork: true, owner: "DaemonSet", phase: "Failed" },
])("of all others nothing is, not even the field: %o", (pod) => {
  expect(read(pod)).not.toHaveProperty("containers");
});

test("what is broken is left out", () => {
  const broken = [null, "x", { name: 1, image: {}, args: "--a" }, { command: [null, "go"] }];
  expect(read({ hostNetwork: true, owner: "DaemonSet", containers: broken }).containers).toEqual([
    { name: "", image: "", args: [] },
    { name: "", image: "", args: ["go"] },
  ]);
});
