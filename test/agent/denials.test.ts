/** A denied attempt is judged once: others of its kind are refused in the kernel, until the rules are others (NP-73). */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { list, networkPolicy, pod } from "../support/kubernetes.ts";
import { skipReason } from "../support/namespace.ts";
import { gained } from "../support/rule-counters.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";

if (skipReason !== null) console.warn(`test/agent/denials: skipped: ${skipReason}`);

/** b1 takes connections from a to these ports, and nothing else. */
const allows = (...ports: number[]): object =>
  networkPolicy("db", {
    podSelector: { matchLabels: { app: "db" } },
    policyTypes: ["Ingress"],
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: "web" } } }],
        ports: ports.map((port) => ({ protocol: "TCP", port })),
      },
    ],
  });

describe.skipIf(skipReason !== null)("denied attempts", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  beforeEach(async () => {
    net = createTopology();
    policy = new PolicyDirectory();
    policy.write("pods.json", list([pod("web", { app: "web" }, address.a), pod("db", { app: "db" }, address.b1)]));
    policy.write("policy.json", allows(80));
    await settle(net);
    for (const port of [80, 81]) await net.peers.b1.listenTcp(port);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    net.lab.destroy();
    policy.remove();
  });

  /** How each of so many connections ends, all of them at the same time, each from a source port of its own. */
  const attempts = async (to: string, port: number, count: number): Promise<readonly string[]> => {
    const results = await Promise.all(
      Array.from({ length: count }, async () => {
        const result = await net.peers.a.connectTcp(to, port, 300);
        if (typeof result === "string") return result;
        await result.close();
        return "open";
      }),
    );
    return [...new Set(results)];
  };

  test.each([0, 1] as const)(
    "are judged once, whatever their source port, and others aren't concerned (family %i)",
    async (family) => {
      engine = await Engine.start(net.router, [policy.path]);
      const to = address.b1[family];
      expect(await attempts(to, 81, 1)).toEqual(["timeout"]);
      const later = await gained(net.router, async () => {
        expect(await attempts(to, 81, 40)).toEqual(["timeout"]);
      });
      expect(later).toMatchObject({ queued: 0, remembered_deny: 40 });
      expect(await attempts(to, 80, 5)).toEqual(["open"]);

      const running = engine;
      await running.applies(() => policy.write("policy.json", allows(80, 81)));
      expect(await attempts(to, 81, 5)).toEqual(["open"]);
      await running.applies(() => policy.write("policy.json", allows(80)));
      expect(await attempts(to, 81, 5)).toEqual(["timeout"]);
    },
  );

  test("denyAction=reject: the later ones are refused as the first one was", async () => {
    engine = await Engine.start(net.router, [policy.path], ["--set", "denyAction=reject"]);
    const first = await attempts(address.b1[0], 81, 1);
    expect(first).toEqual(["ECONNREFUSED"]);
    const later = await gained(net.router, async () => {
      expect(await attempts(address.b1[0], 81, 20)).toEqual(first);
    });
    expect(later).toMatchObject({ queued: 0, remembered_deny: 20 });
  });
});
