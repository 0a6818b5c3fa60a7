/** A node's agent and a real API server: what the cluster is told of its policies, and the operator of other engines. */
import { spawnSync } from "node:child_process";
import { afterEach, expect, test } from "vitest";
import { OwnApiServer, ownServerSkipReason } from "../support/api-server.ts";
import { Engine } from "../support/engine.ts";
import { createLab, type Lab, type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { readPolicyCrds } from "../support/shared-api-server.ts";

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
const reason =
  skipReason ??
  ownServerSkipReason ??
  (hasKubectl ? null : "there is no kubectl") ??
  (readPolicyCrds().length > 0 ? null : "the CRDs of the policy API aren't beside the checkout");

let lab: Lab | null = null;
let server: OwnApiServer | null = null;
let engine: Engine | null = null;
afterEach(async () => {
  await engine?.kill();
  await server?.remove();
  lab?.destroy();
});

function adminPolicy(name: string, priority: number, operator: string): object {
  const subject = { namespaces: { matchExpressions: [{ key: "team", operator, values: ["a"] }] } };
  const ingress = [{ name: "all", action: "Deny", from: [{ namespaces: {} }] }];
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha1",
    kind: "AdminNetworkPolicy",
    metadata: { name },
    spec: { priority, subject, ingress },
  };
}

const kindnet = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "kindnet-x2x9f",
    namespace: "kube-system",
    labels: { app: "kindnet", "k8s-app": "kindnet" },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "kindnet", controller: true, uid: "1" }],
  },
  spec: {
    hostNetwork: true,
    nodeName: "node-1",
    containers: [{ name: "kindnet-cni", image: "docker.io/kindest/kindnetd:v20241212-9f82dd49" }],
  },
};

test.skipIf(reason !== null)(
  `policies of a cluster have conditions and events, and a second engine is told${reason === null ? "" : ` (${reason})`}`,
  async () => {
    lab = createLab();
    const net = lab.namespace("status");
    server = await OwnApiServer.start({ wrapper: ["nsenter", `--net=/run/netns/${net.name}`, "--"] });
    const { kubeconfig } = server;
    const kubectl = (args: readonly string[], input?: string): string =>
      net.check(["kubectl", "--kubeconfig", kubeconfig, ...args], input === undefined ? {} : { input });
    const apply = (...objects: object[]): string =>
      kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    kubectl(["create", "-f", "-"], readPolicyCrds().join("\n---\n"));
    kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"]);
    apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } },
      { apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } },
    );
    apply(kindnet, adminPolicy("good", 1, "In"), adminPolicy("bad", 2, "Near"));

    const flags = ["--policy-status", "--policy-events", "--knp-metrics", "--workers", "1"];
    engine = await Engine.start(net, [], ["--kubeconfig", kubeconfig, "--node-name", "node-1", ...flags]);
    const path = "{range .items[*].status.conditions[*]}{.type}={.status} {.observedGeneration},{end}";
    const said = (): string => kubectl(["get", "anp", "--sort-by=.metadata.name", "-o", `jsonpath=${path}`]);
    const bad = "Accepted=False 1,Programmed=False 1,";
    await waitFor("conditions", () => said() === `${bad}Accepted=True 1,Programmed=True 1,`, 15_000);
    const events = (): string => kubectl(["get", "events", "-A", "-o", "jsonpath={.items[*].involvedObject.name}"]);
    await waitFor("an event", () => events() === "bad", 15_000);

    // Changed: told again, once it's in force.
    apply(adminPolicy("good", 3, "In"));
    await waitFor("new conditions", () => said() === `${bad}Accepted=True 2,Programmed=True 2,`, 15_000);

    const told = engine.stderr.split("\n").filter((line) => line.includes("enforces NetworkPolicy too"));
    expect(told).toEqual([expect.stringContaining('"cni":"kindnet"')]);
    const metrics = scrape(net);
    expect(metrics).toContain('verdictd_cni_info{cni="kindnet",enforces="true"} 1\n');
    for (const name of ["packet_count", "kube_network_policies_nfqueue_queue_total", "packet_process_time_bucket"]) {
      expect(metrics).toContain(`${name}{`);
    }
    expect(await engine.stop()).toBe(0);
  },
  90_000,
);

function scrape(net: Namespace): string {
  return net.check([
    process.execPath,
    "-e",
    'fetch("http://127.0.0.1:9472/metrics").then((answer) => answer.text()).then((text) => process.stdout.write(text))',
  ]);
}
