/** What `run` says of its surroundings as it starts: addresses that can't be had, nothing to enforce, bridges to come. */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { node } from "../support/kubernetes.ts";
import { createLab, type Lab, type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { describeInstances, describeSecurityGroups, describeSubnets } from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/start: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)("a start", () => {
  let lab: Lab;
  let router: Namespace;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  beforeEach(() => {
    lab = createLab();
    router = lab.namespace("router");
    policy = new PolicyDirectory();
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    lab.destroy();
    policy.remove();
  });

  const writePolicy = () => {
    policy.write("subnets.json", describeSubnets({ "subnet-a": ["10.1.1.0/24"] }));
    policy.write("groups.json", describeSecurityGroups([{ id: "sg-a", ingress: [], egress: [] }]));
  };
  const writeInstances = () => {
    const instance = { instance: "i-a", subnet: "subnet-a", addresses: ["10.1.1.10"] as const, groups: ["sg-a"] };
    policy.write("instances.json", describeInstances([instance]));
  };

  test.each([
    ["203.0.113.200:9472", "this host (in this network namespace) has no such address"],
    ["[2001:db8::7]:9472", "this host (in this network namespace) has no such address"],
    ["127.0.0.1:9472", "another program listens there already"],
  ])("--listen %s, which can't be had, is told with its remedy", async (listen, why) => {
    const other = router.spawn([
      process.execPath,
      "-e",
      'require("net").createServer().listen(9472, "127.0.0.1", () => console.log("listening"))',
    ]);
    await new Promise((resolve) => other.stdout.once("data", resolve));
    const failing = new Engine(router, ["--dir", policy.path, "--listen", listen]);
    expect(await failing.exits()).toBe(2);
    expect(failing.stderr).toContain(
      `verdictd: --listen ${listen}: ${why}; choose another with --listen HOST:PORT, or none with --listen none\n`,
    );
    expect(router.check(["nft", "list", "ruleset"])).toBe("");
  });

  test("directories without a policy are warned about; policies for nobody, too", async () => {
    engine = await Engine.start(router, [policy.path]);
    const running = engine;
    expect(running.stderr).toMatch(/"level":"warn","time":"20\d\d-.*there is no policy in these directories/);
    await running.applies(writePolicy);
    await running.reaches("the warning", () =>
      running.stderr.includes("the policies in these directories apply to no"),
    );
    await running.applies(writeInstances);
    expect(running.stderr.match(/nothing is judged/g)?.length).toBe(2);
    // Changes are logged once a second.
    await running.reaches("the address in the log", () => running.stderr.includes('"managed":1'));
  });

  test("the name of another machine's Node is told in the log and by /readyz, until an address is here", async () => {
    policy.write("nodes.json", node(["192.0.2.9", "2001:db8::9"], "node-9"));
    engine = await Engine.start(router, [policy.path], ["--node-name", "node-9"]);
    const reasons = (): { ready: boolean; inventoryStale: boolean; reasons: string[] } => {
      const script = 'fetch("http://127.0.0.1:9472/readyz").then(async (answer) => console.log(await answer.text()))';
      return JSON.parse(router.check([process.execPath, "-e", script]));
    };
    const warning = expect.stringMatching(/^--node-name node-9: .*\(192\.0\.2\.9, 2001:db8::9\), so it's another/);
    expect(reasons()).toMatchObject({ ready: true, inventoryStale: false, reasons: [warning] });
    expect(engine.stderr.match(/"level":"warn".*--node-name node-9: this machine has none/g)).toHaveLength(1);
    router.address("lo", "192.0.2.9/32");
    await waitFor("the warning to go", () => reasons().reasons.length === 0);
  });

  test("the workers go before other threads, and nobody else does", async () => {
    writePolicy();
    writeInstances();
    const nice = (): number[] =>
      readdirSync(`/proc/${engine?.child.pid}/task`)
        // The 19th column of a thread's line; the second may hold spaces.
        .map((thread) => readFileSync(`/proc/${engine?.child.pid}/task/${thread}/stat`, "latin1"))
        .map((stat) => Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]));
    engine = await Engine.start(router, [policy.path], ["--workers", "2"]);
    expect(nice().filter((value) => value === -10)).toHaveLength(2);
    expect(await engine.stop()).toBe(0);
    // Without CAP_SYS_NICE it runs all the same.
    engine = new Engine(router, ["--dir", policy.path], ["setpriv", "--bounding-set=-sys_nice"]);
    await engine.reaches("ready", () => engine?.events.some((e) => e.event === "ready") === true);
    expect(nice()).not.toContain(-10);
  });

  test("files that are written anew with the same content are no change", async () => {
    writePolicy();
    writeInstances();
    engine = await Engine.start(router, [policy.path]);
    policy.write("more.json", "{ broken");
    await engine.reaches("the error", () => engine?.stderr.includes("the inventory in force stays") === true);
    writeInstances();
    policy.delete("more.json");
    await engine.reaches(
      "the files to be readable",
      () => engine?.stderr.includes("all policies can be read again") === true,
    );
    await engine.applies(() =>
      policy.write(
        "groups.json",
        describeSecurityGroups([{ id: "sg-a", ingress: [], egress: [{ protocol: "-1", peers: ["sg-a"] }] }]),
      ),
    );
    expect(engine.events.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test("a bridge that a killed run switched is put back by the next one that doesn't filter it", async () => {
    router.bridge("br7");
    router.check(["ip", "link", "set", "br7", "type", "bridge", "nf_call_iptables", "0", "nf_call_ip6tables", "0"]);
    const flag = () =>
      JSON.parse(router.check(["ip", "-d", "-j", "link", "show", "br7"]))[0].linkinfo.info_data.nf_call_iptables;
    const killed = await Engine.start(router, [policy.path], ["--bridge", "br7"]);
    expect(flag()).toBe(1);
    await killed.kill();
    engine = await Engine.start(router, [policy.path]);
    expect(flag()).toBe(0);
  });

  test("a bridge that is named and comes later is filtered, and again when others change or replace it", async () => {
    const isFiltered = () =>
      JSON.parse(router.check(["ip", "-d", "-j", "link", "show", "br9"]))[0].linkinfo.info_data.nf_call_iptables === 1;
    engine = await Engine.start(router, [policy.path], ["--bridge", "br9"]);
    expect(engine.stderr).toContain(
      "no bridge is called br9 in this network namespace: traffic between its ports isn't",
    );
    router.bridge("br9");
    await waitFor("br9 to be filtered", isFiltered);
    const running = engine;
    await running.reaches("the log line", () => running.stderr.includes("the bridge is there now, and filtered"));
    router.check(["ip", "link", "set", "br9", "type", "bridge", "nf_call_iptables", "0"]);
    await waitFor("br9 to be filtered again", isFiltered);
    router.check(["ip", "link", "delete", "br9"]);
    router.bridge("br9");
    await waitFor("the new br9 to be filtered", isFiltered);
  });
});
