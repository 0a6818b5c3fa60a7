/** Somebody else takes our rules away, or parts of them, while the engine runs: it notices, and puts them back. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";
import { allEgress, describeInstances, describeSecurityGroups, describeSubnets } from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/rules-removed: skipped: ${skipReason}`);

/** b1 takes one TCP port from a; a may send anything. */
function writePolicy(policy: PolicyDirectory, port = 80): void {
  policy.write("subnets.json", describeSubnets({ "subnet-a": ["10.1.1.0/24"], "subnet-b": ["10.1.2.0/24"] }));
  policy.write(
    "instances.json",
    describeInstances([
      { instance: "i-a", subnet: "subnet-a", addresses: [address.a[0]], groups: ["sg-a"] },
      { instance: "i-b1", subnet: "subnet-b", addresses: [address.b1[0]], groups: ["sg-b1"] },
    ]),
  );
  policy.write("groups.json", groupsFor(port));
}

const groupsFor = (port: number) =>
  describeSecurityGroups([
    { id: "sg-a", ingress: [], egress: allEgress },
    { id: "sg-b1", ingress: [{ protocol: "tcp", from: port, peers: ["sg-a"] }], egress: allEgress },
  ]);

describe.skipIf(skipReason !== null)("our rules, removed by somebody else", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine;

  beforeAll(async () => {
    net = createTopology();
    policy = new PolicyDirectory();
    await settle(net);
    await net.peers.b1.listenTcp(80);
    await net.peers.b1.listenTcp(81);
  });

  beforeEach(async () => {
    writePolicy(policy);
    engine = await Engine.start(net.router, [policy.path]);
  });

  afterEach(async () => {
    await engine?.stop();
  });

  afterAll(() => {
    net?.lab.destroy();
    policy?.remove();
  });

  const reaches = async (port: number, timeoutMs: number): Promise<string> => {
    const result = await net.peers.a.connectTcp(address.b1[0], port, timeoutMs);
    if (typeof result === "string") return result;
    await result.close();
    return "open";
  };
  const isRestored = (times: number) => engine.stderr.split("our rules are back").length > times;

  test.each([
    ["flush ruleset"],
    ["delete table inet verdictd"],
    ["flush table inet verdictd"],
    ["flush chain inet verdictd to_queue"],
    ["flush chain inet verdictd forward_last"],
    ["flush set inet verdictd managed4"],
    ["flush set inet verdictd epoch"],
    ["flush set inet verdictd checked_bridges"],
    ["delete table bridge verdictd"],
    ["flush chain bridge verdictd forward_first"],
    ["add table bridge verdictd { flags dormant; }"],
    ["add table inet verdictd { flags dormant; }"],
    ["add rule inet verdictd divert counter accept"],
    ["insert rule inet verdictd forward_first accept"],
  ])("nft %s: what is denied stays denied, what is decided stays decided", async (command) => {
    expect(await reaches(81, 300)).toBe("timeout");
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 80);
    net.router.check(["nft", "-f", "-"], { input: `${command}\n` });
    await engine.reaches("the rules to be back", () => isRestored(1));
    expect(await reaches(81, 300)).toBe("timeout");
    expect(await reaches(80, 2000)).toBe("open");
    await client.send("still here");
    expect(await server.receives("still here")).toBe("received");
    expect(engine.epoch).toBe(1);
    expect(get(net, "metrics")).toContain("\nverdictd_kernel_rules_restored_total 1\n");
    expect(JSON.parse(get(net, "readyz"))).toMatchObject({ ready: true, reasons: [] });
    // …and a change of policy is enforced as before.
    await engine.applies(() => policy.write("groups.json", groupsFor(81)));
    expect(await reaches(80, 300)).toBe("timeout");
    expect(await reaches(81, 2000)).toBe("open");
    expect(isRestored(2)).toBe(false);
  });

  test("a change of policy meanwhile is enforced, and the engine lives on", async () => {
    for (let round = 0; round < 5; round++) {
      const port = round % 2 === 0 ? 81 : 80;
      await engine.applies(() => {
        net.router.check(["nft", "flush", "ruleset"]);
        policy.write("groups.json", groupsFor(port));
      });
    }
    await engine.reaches("the last flush to be mended", () => isRestored(5));
    expect(await reaches(80, 300)).toBe("timeout");
    expect(await reaches(81, 2000)).toBe("open");
  });

  test("/readyz isn't ready while the rules are gone", async () => {
    const script = `
      const { execFileSync } = require("node:child_process");
      const attempt = async (left) => {
        execFileSync("nft", ["flush", "ruleset"]);
        const answer = await fetch("http://127.0.0.1:9472/readyz");
        const text = await answer.text();
        if (answer.status !== 200 || left === 0) console.log(answer.status, text);
        else await attempt(left - 1);
      };
      attempt(20);`;
    const answer = net.router.check([process.execPath, "-e", script]);
    expect(answer).toMatch(/^503 .*"ready":false.*somebody else removed or changed the rules/);
    await engine.reaches("the rules to be back", () => isRestored(1));
  });

  test("rules of others that come and go are nobody's business", async () => {
    for (let round = 0; round < 3; round++) {
      net.router.check(["nft", "add", "table", "inet", "stranger"]);
      expect(get(net, "readyz")).toContain('"ready":true');
      net.router.check(["nft", "delete", "table", "inet", "stranger"]);
      expect(get(net, "readyz")).toContain('"ready":true');
    }
    expect(engine.stderr).not.toContain("somebody else");
  });

  test("rules that can't be put back end the engine, which says that nothing is filtered", async () => {
    // A table with an owner is nobody else's to change.
    const thief = net.router.spawn(["nft", "-i"]);
    thief.stdin.write("delete table inet verdictd\nadd table inet verdictd { flags owner; }\n");
    expect(await engine.exits()).toBe(3);
    expect(engine.stderr).toMatch(/enforcement ended: the rules could not be put back: .*; our rules aren't in force/);
    expect(engine.stderr.match(/"attempt":\d/g)).toEqual(['"attempt":1', '"attempt":2', '"attempt":3']);
    thief.stdin.end();
  });
});

function get(net: Topology, page: string): string {
  const script = `fetch('http://127.0.0.1:9472/${page}').then(async (r) => process.stdout.write(await r.text()))`;
  return net.router.check([process.execPath, "-e", script]);
}
