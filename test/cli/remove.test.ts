/** `verdictd remove` after each way of leaving something, and where there is nothing, or somebody else's. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  networkAcl,
  openEntries,
} from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/cli/remove: skipped: ${skipReason}`);
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

describe.skipIf(skipReason !== null)("verdictd remove", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  beforeEach(async () => {
    net = createTopology();
    policy = new PolicyDirectory();
    policy.write("subnets.json", describeSubnets({ "subnet-a": ["10.1.1.0/24"], "subnet-b": ["10.1.2.0/24"] }));
    policy.write(
      "instances.json",
      describeInstances([
        { instance: "i-a", subnet: "subnet-a", addresses: [address.a[0]], groups: ["sg-1"] },
        { instance: "i-b1", subnet: "subnet-b", addresses: [address.b1[0]], groups: ["sg-1"] },
      ]),
    );
    const ingress = [{ protocol: "tcp", from: 80, peers: ["sg-1"] }];
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries)]));
    policy.write("groups.json", describeSecurityGroups([{ id: "sg-1", ingress, egress: allEgress }]));
    await settle(net);
    await net.peers.b1.listenTcp(80);
    await net.peers.b1.listenTcp(81);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    net.lab.destroy();
    policy.remove();
  });

  const remove = (...args: string[]) => net.router.run([process.execPath, main, "remove", ...args]);
  const reaches = async (port: number, timeoutMs = 2000): Promise<string> => {
    const result = await net.peers.a.connectTcp(address.b1[0], port, timeoutMs);
    if (typeof result === "string") return result;
    await result.close();
    return "open";
  };
  const files = (): string[] => {
    const inode = statSync(`/run/netns/${net.router.name}`).ino;
    return existsSync("/run/verdictd")
      ? readdirSync("/run/verdictd").filter((name) => name.startsWith(`${inode}.`))
      : [];
  };
  const bridgeFlags = (): unknown[] => [
    JSON.parse(net.router.check(["ip", "-d", "-j", "link", "show", "br0"]))[0].linkinfo.info_data.nf_call_iptables,
    net.router.check(["cat", "/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged"]).trim(),
  ];
  /** Marks of all entries, as numbers. */
  const marks = (): number[] =>
    [...net.router.check(["cat", "/proc/net/nf_conntrack"]).matchAll(/mark=(\d+)/g)].map((match) => Number(match[1]));

  test.each(["stopped with onStop=keep", "killed"] as const)("a run that was %s", async (how) => {
    net.router.check(["nft", "add table inet other; add chain inet other c { type filter hook forward priority 5; }"]);
    net.router.check(["nft", "add rule inet other c ct mark set ct mark or 0x5"]);
    engine = await Engine.start(net.router, [policy.path], ["--set", "onStop=keep"]);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 80);
    expect(await reaches(81, 300)).toBe("timeout");
    if (how === "killed") await engine.kill();
    else expect(await engine.stop()).toBe(0);
    expect(await reaches(80, 300)).toBe("timeout");
    expect(bridgeFlags()).toEqual([1, "1"]);
    expect(marks().some((mark) => mark >>> 24 !== 0)).toBe(true);

    const { status, stdout, stderr } = remove();
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^removed: the rules, 3 switches of bridges, the marks of \d+ flows?\n$/);
    expect(net.router.check(["nft", "list", "tables"]).trim()).toBe("table inet other");
    expect(bridgeFlags()).toEqual([0, "0"]);
    expect(files()).toEqual([]);
    // Another program's bits are its own.
    expect(marks().filter((mark) => mark >>> 24 !== 0)).toEqual([]);
    expect(marks()).toContain(5);
    expect(await reaches(81)).toBe("open");
    await client.send("still here");
    expect(await server.receives("still here")).toBe("received");

    expect(remove()).toEqual({ status: 0, stdout: "nothing of ours is here\n", stderr: "" });
  });

  test("what is removed under an agent would be mended: it's refused", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const { status, stderr } = remove();
    expect(status).toBe(3);
    expect(stderr).toContain("another verdictd enforces in this network namespace");
    expect(await reaches(81, 300)).toBe("timeout");
    expect(await engine.stop()).toBe(0);
    expect(remove().stdout).toBe("nothing of ours is here\n");
  });

  test("where we never ran, marks are somebody else's", async () => {
    net.router.check(["nft", "add table inet other; add chain inet other c { type filter hook forward priority 5; }"]);
    net.router.check(["nft", "add rule inet other c ct mark set ct mark or 0xff000000"]);
    expect(await reaches(80)).toBe("open");
    expect(marks()).toContain(0xff000000);
    expect(remove().stdout).toBe("nothing of ours is here\n");
    expect(marks()).toContain(0xff000000);
  });

  test("rules that others flushed: marks and files go", async () => {
    engine = await Engine.start(net.router, [policy.path], ["--mark-mask", "0x00ff0000"]);
    expect(await reaches(80)).toBe("open");
    await engine.kill();
    net.router.check(["nft", "flush ruleset"]);
    expect(files()).not.toEqual([]);
    expect(remove("--mark-mask", "0x00ff0000").stdout).toMatch(
      /^removed: 3 switches of bridges, the marks of \d+ flow/,
    );
    expect(bridgeFlags()).toEqual([0, "0"]);
    expect(marks().filter((mark) => mark !== 0)).toEqual([]);
    expect(files()).toEqual([]);
  });

  test("without the privilege it says what run says", () => {
    const argv = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", process.execPath, main];
    const messageOf = (verb: string, ...flags: string[]): string => {
      const { status, stderr } = net.router.run([...argv, verb, ...flags]);
      expect(status).toBe(3);
      return stderr.trim().split("\n").at(-1) ?? "";
    };
    expect(messageOf("remove")).toBe("verdictd: remove: no CAP_NET_ADMIN: run it with sudo");
    expect(messageOf("run", "--dir", policy.path)).toBe("verdictd: start: no CAP_NET_ADMIN: run it with sudo");
  });

  test("a mask that isn't one", () => {
    const { status, stderr } = remove("--mark-mask", "0x1ff");
    expect([status, stderr]).toEqual([2, expect.stringContaining("eight neighbouring bits")]);
  });
});
