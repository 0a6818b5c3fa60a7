/** Users' own evaluators judge real packets: beside security groups, more than one, and ones that fail. */
import { symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import type { Peer } from "../support/peer.ts";
import { gained, ruleCounters } from "../support/rule-counters.ts";
import { address, createTopology, ping, settle, type Topology } from "../support/topology.ts";
import { allEgress, describeInstances, describeSecurityGroups, describeSubnets } from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/evaluator-modules: skipped: ${skipReason}`);

const allowList = fileURLToPath(new URL("../../examples/allow-list.js", import.meta.url));
const ports = [22, 80, 81, 82, 443];

describe.skipIf(skipReason !== null)("evaluators of users", () => {
  let net: Topology;
  let engine: Engine | null = null;
  const modules = new PolicyDirectory();
  const policy = new PolicyDirectory();

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    for (const peer of [net.peers.b1, net.peers.b2]) for (const port of ports) await peer.listenTcp(port);
  });

  afterEach(async () => {
    const unjudged = engine === null ? 0 : ruleCounters(net.router).unjudged_accept;
    await engine?.stop();
    engine = null;
    expect(unjudged).toBe(0);
  });

  afterAll(() => {
    net?.lab.destroy();
    modules.remove();
    policy.remove();
  });

  const writeModule = (name: string, text: string): string => {
    modules.write(name, text);
    return `${modules.path}/${name}`;
  };

  const start = async (paths: readonly string[], directories: readonly string[] = [], ...more: string[]) => {
    const flags = paths.flatMap((path) => ["--evaluator", path]);
    engine = await Engine.start(net.router, directories, [...flags, ...more]);
    return engine;
  };

  const writePolicy = (openPort: number, instances: readonly ("a" | "b1" | "b2")[] = ["a", "b1", "b2"]): void => {
    policy.write(
      "vpc.json",
      describeSubnets({ "subnet-a": ["10.1.1.0/24", "fd00:1:1::/64"], "subnet-b": ["10.1.2.0/24", "fd00:1:2::/64"] }),
    );
    policy.write(
      "groups.json",
      describeSecurityGroups([
        {
          id: "sg-open",
          ingress: [{ protocol: "tcp", from: openPort, peers: ["0.0.0.0/0", "::/0"] }],
          egress: allEgress,
        },
      ]),
    );
    policy.write(
      "instances.json",
      describeInstances(
        instances.map((host) => ({
          instance: `i-${host}`,
          subnet: host === "a" ? "subnet-a" : "subnet-b",
          addresses: address[host],
          groups: ["sg-open"],
        })),
      ),
    );
  };

  /** `open`, or what the client met. */
  const connect = async (from: Peer, to: string, port: number, localPort?: number): Promise<string> => {
    const result = await from.connectTcp(to, port, 250, localPort);
    if (typeof result === "string") return result;
    await result.close();
    return "open";
  };

  const page = (path: string): string =>
    net.router.check([
      process.execPath,
      "-e",
      `fetch('http://127.0.0.1:9472/${path}').then(async (r) => process.stdout.write(await r.text()))`,
    ]);
  const metrics = (): string => page("metrics");

  /** `deny allow-list rule` for each combination that packets were judged with. */
  const judged = (text: string): string[] =>
    [...text.matchAll(/^verdictd_packets_total\{(.*)\} [1-9]/gm)].map(([, labels = ""]) =>
      ["verdict", "evaluator", "reason"].map((name) => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1]).join(" "),
    );

  test("the example drops and accepts packets, without any directory of policies", async () => {
    const { a, out } = net.peers;
    await start([allowList]);
    expect(await connect(a, address.b1[0], 22)).toBe("open");
    expect(await connect(a, address.b1[0], 443)).toBe("timeout");
    expect(await connect(out, address.b1[0], 443)).toBe("open");
    expect(await connect(out, address.b1[0], 22)).toBe("timeout");
    expect(await connect(out, address.b1[1], 443)).toBe("open");
    expect(await connect(a, address.b1[1], 443)).toBe("timeout");
    expect(ping(net.hosts.a, address.b1[0])).toBe(true);
    expect(ping(net.hosts.a, address.b1[1])).toBe(false);
    // What the host says to itself isn't judged: its pages can be read.
    const text = metrics();
    expect(judged(text)).toContain("accept allow-list rule");
    expect(judged(text)).toContain("deny allow-list no-rule-matches");
  });

  test("one that reads the source port is called for each flow, and its denials aren't remembered", async () => {
    const path = writeModule(
      "even.js",
      `export const evaluator = {
        name: "even-source-ports",
        load: (_, { Verdict, Protocol }) => ({
          evaluateIngress: (view) =>
            view.protocol !== Protocol.tcp ? Verdict.next : view.sourcePort % 2 === 0 ? Verdict.accept : Verdict.deny,
        }),
      };`,
    );
    await start([path]);
    const seen: string[] = [];
    const count = await gained(net.router, async () => {
      for (let port = 40_001; port <= 40_012; port++) {
        seen.push(await connect(net.peers.a, address.b1[0], 80, port));
      }
    });
    expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? "timeout" : "open")));
    expect(count.queued).toBeGreaterThanOrEqual(12);
    expect(count.judged_accept).toBeGreaterThanOrEqual(6);
  });

  test("PL-8, T-73: one that throws or answers nothing is errorVerdict, and the engine goes on", async () => {
    const path = writeModule(
      "failing.js",
      `export const evaluator = {
        name: "failing",
        load: (_, { Verdict }) => ({
          evaluateIngress(view) {
            if (view.destinationPort === 81) null.sooner();
            return view.destinationPort === 82 ? undefined : Verdict.next;
          },
        }),
      };`,
    );
    const running = await start([path]);
    const { a } = net.peers;
    for (let i = 0; i < 2; i++) {
      expect(await connect(a, address.b1[0], 81)).toBe("timeout");
      expect(await connect(a, address.b1[0], 80)).toBe("open");
    }
    await running.reaches("the error in the log", () =>
      /"evaluator":"failing",.*"message":"TypeError: Cannot read properties of null \(reading 'sooner'\) \(\/\S+failing\.js:5:\d+\)"/.test(
        running.stderr,
      ),
    );
    expect(await connect(a, address.b1[0], 82)).toBe("timeout");
    await running.reaches("the other error", () =>
      running.stderr.includes("it answered none of deny, accept and next"),
    );
    const text = metrics();
    expect(judged(text)).toContain("deny failing error");
    expect(text).toMatch(/^verdictd_evaluator_errors_total [1-9]/m);
    expect(await running.stop()).toBe(0);

    await start([path], [], "--set", "errorVerdict=accept");
    expect(await connect(a, address.b1[0], 81)).toBe("open");
  });

  test("one that loops is told by /readyz, hides no metrics, and doesn't keep the engine from ending", async () => {
    const looping = writeModule(
      "looping.js",
      `export const evaluator = {
        name: "looping",
        load: (data, { Verdict }) => ({
          evaluateIngress(view) {
            while (view.destinationPort === 81);
            return Verdict.accept;
          },
        }),
      };`,
    );
    const running = await start([looping]);
    expect(await connect(net.peers.a, address.b1[0], 80)).toBe("open");
    expect(await connect(net.peers.a, address.b1[0], 81)).toBe("timeout");
    await waitFor("/readyz to say so", () => page("readyz").includes("doesn't answer"));
    expect(page("metrics")).toContain("verdictd_epoch 1");
    engine = null;
    expect(await running.stop()).toBe(0);
    expect(net.router.check(["nft", "list", "ruleset"])).toBe("");
  });

  test("PL-2: a flow passes two of them only where both let it", async () => {
    const closing = (name: string, port: number): string =>
      writeModule(
        `${name}.mjs`,
        `import { close } from "./close.mjs"; export const evaluator = close("${name}", ${port});`,
      );
    writeModule(
      "close.mjs",
      `export const close = (name, port) => ({
        name,
        load: (_, { Verdict, Reads }) => ({
          reads: Reads.destinationPort,
          rules: [{ policy: name, rule: "port " + port }],
          evaluateIngress(view) {
            if (view.destinationPort !== port) return Verdict.accept;
            view.rule = 0;
            return Verdict.deny;
          },
        }),
      });`,
    );
    await start([closing("first", 81), closing("second", 82)]);
    const { a } = net.peers;
    for (const [port, outcome] of [
      [80, "open"],
      [81, "timeout"],
      [82, "timeout"],
      [80, "open"],
    ] as const) {
      expect(await connect(a, address.b1[0], port), `${port}`).toBe(outcome);
    }
    expect(judged(metrics())).toEqual(expect.arrayContaining(["deny first rule", "deny second rule"]));
  });

  test("T-72, PL-5: its accept doesn't skip a security group, its denial isn't overruled by one", async () => {
    writePolicy(80);
    const path = writeModule(
      "generous.js",
      `export const evaluator = {
        name: "generous",
        capture: (_, __, { parseAddress }) => ({ subjects: [parseAddress("${address.out[0]}")] }),
        load: (_, { Verdict, equalAddresses, parseAddress }) => {
          const out = parseAddress("${address.out[0]}");
          return {
            evaluateIngress: (view) => (equalAddresses(view.source, out) ? Verdict.deny : Verdict.accept),
          };
        },
      };`,
    );
    await start([path], [policy.path]);
    const { a, out } = net.peers;
    expect(await connect(a, address.b1[0], 80)).toBe("open");
    expect(await connect(a, address.b1[0], 81)).toBe("timeout");
    expect(await connect(out, address.b1[0], 80)).toBe("timeout");
    expect(judged(metrics())).toEqual(
      expect.arrayContaining(["deny security-group no-rule-matches", "deny generous unspecified"]),
    );
  });

  test("a module may import the package, and print: not among the events", async () => {
    modules.write("node_modules/.keep", "");
    symlinkSync(fileURLToPath(new URL("../..", import.meta.url)), `${modules.path}/node_modules/verdictd`);
    const path = writeModule(
      "importing.mjs",
      `import { Verdict } from "verdictd";
      export const evaluator = {
        name: "importing",
        load: () => ({
          evaluateIngress(view) {
            console.log("asked about port", view.destinationPort);
            return view.destinationPort === 80 ? Verdict.accept : Verdict.deny;
          },
        }),
      };`,
    );
    const running = await start([path]);
    expect(await connect(net.peers.a, address.b1[0], 80)).toBe("open");
    expect(await connect(net.peers.a, address.b1[0], 81)).toBe("timeout");
    await running.reaches("what it prints", () => running.stderr.includes("asked about port 81\n"));
    expect(running.events.map(({ event }) => event)).toEqual(["ready"]);
  });

  test("only what it captures is diverted", async () => {
    const path = writeModule(
      "narrow.js",
      `export const evaluator = {
        name: "narrow",
        capture: (_, __, { parseAddress }) => ({ subjects: [parseAddress("${address.b1[0]}")] }),
        load: (_, { Verdict }) => ({ evaluateIngress: () => Verdict.deny }),
      };`,
    );
    await start([path]);
    const { a } = net.peers;
    const count = await gained(net.router, async () => {
      expect(await connect(a, address.b2[0], 80)).toBe("open");
      expect(await connect(a, address.b1[1], 80)).toBe("open");
    });
    expect(count.queued).toBe(0);
    expect(await connect(a, address.b1[0], 80)).toBe("timeout");
  });

  test.each([
    ["compile", "compile: (inventory, _, { Verdict, parseAddress, equalAddresses }) => judge(inventory.ec2.interfaces"],
    ["build and load", "load: (interfaces, { Verdict, parseAddress, equalAddresses }) => judge(interfaces"],
  ])("a change of the inventory reaches it: %s", async (name, head) => {
    const path = writeModule(
      `stopped-${name.length}.js`,
      `const judge = (interfaces, { Verdict, parseAddress, equalAddresses }) => {
        const known = interfaces.flatMap((one) => one.addresses);
        return {
          evaluateIngress: (view) =>
            known.some((one) => equalAddresses(one, view.source)) ? Verdict.next : Verdict.deny,
        };
      };
      export const evaluator = {
        name: "known-sources",
        ${name === "compile" ? "" : "build: (inventory) => inventory.ec2.interfaces,"}
        ${head}, { Verdict, parseAddress, equalAddresses }),
      };`,
    );
    writePolicy(80);
    const running = await start([path], [policy.path]);
    const { a } = net.peers;
    expect(await connect(a, address.b1[0], 80)).toBe("open");
    await running.applies(() => writePolicy(80, ["b1", "b2"]));
    expect(await connect(a, address.b1[0], 80)).toBe("timeout");
    await running.applies(() => writePolicy(80));
    expect(await connect(a, address.b1[0], 80)).toBe("open");
  });

  test("PL-8: one that can't be made for a new inventory is errorVerdict until it can", async () => {
    const path = writeModule(
      "picky.js",
      `export const evaluator = {
        name: "picky",
        build: (inventory) => inventory.ec2.interfaces.find((one) => one.instanceId === "i-a").addresses.length,
        load: (_, { Verdict }) => ({ evaluateIngress: () => Verdict.next }),
      };`,
    );
    writePolicy(80);
    const running = await start([path], [policy.path]);
    const { out } = net.peers;
    expect(await connect(out, address.b1[0], 80)).toBe("open");
    await running.applies(() => writePolicy(80, ["b1", "b2"]));
    expect(await connect(out, address.b1[0], 80)).toBe("timeout");
    expect(running.stderr).toMatch(/"evaluator":"picky","count":1,"message":"TypeError: Cannot read properties of und/);
    await running.applies(() => writePolicy(80));
    expect(await connect(out, address.b1[0], 80)).toBe("open");
  });

  test.each([
    ["nowhere.js", null, "there is no such file; name a JavaScript module, such as examples/allow-list.js"],
    ["broken.js", "export const evaluator = {\n  name: ;\n};\n", "line 2: Unexpected token ';'"],
    [
      "late.js",
      `export const evaluator = { name: "late", build: () => null.x, load: () => ({ evaluateIngress: () => 2 }) };`,
      "build: TypeError: Cannot read properties of null (reading 'x')",
    ],
  ])("a module that can't be used ends the start before the kernel is touched: %s", async (name, text, message) => {
    const path = text === null ? `${modules.path}/${name}` : writeModule(name, text);
    const failing = new Engine(net.router, ["--evaluator", path]);
    expect(await failing.exits()).toBe(2);
    expect(failing.stderr).toContain(`verdictd: --evaluator ${path}: ${message}`);
    expect(net.router.check(["nft", "list", "ruleset"])).toBe("");
  });
});
