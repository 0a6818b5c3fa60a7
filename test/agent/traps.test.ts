/** Traps of the packet path itself: retransmissions, two packets of one flow in the queue, SCTP. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { crc32c } from "../support/crc32c.ts";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { list, networkPolicy, pod } from "../support/kubernetes.ts";
import { type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { ipPacket, sendRaw, tcp, tcpFlag } from "../support/raw-packet.ts";
import { gained } from "../support/rule-counters.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";

if (skipReason !== null) console.warn(`test/agent/traps: skipped: ${skipReason}`);

const QUEUE = 4722;
const u16 = (value: number): [number, number] => [(value >> 8) & 255, value & 255];

describe.skipIf(skipReason !== null)("the packet path", () => {
  let net: Topology;
  let engine: Engine | null = null;
  const policy = new PolicyDirectory();

  const start = async (ports: readonly object[]): Promise<Engine> => {
    policy.write(
      "all.json",
      list([
        pod("web", { app: "web" }, address.a),
        pod("db", { app: "db" }, address.b1),
        networkPolicy("db", {
          podSelector: { matchLabels: { app: "db" } },
          ingress: [{ from: [{ podSelector: {} }], ports }],
        }),
      ]),
    );
    engine = await Engine.start(net.router, [policy.path]);
    return engine;
  };

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    await net.peers.b1.listenTcp(80);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    net.hosts.b1.run(["nft", "flush", "ruleset"]);
  });

  afterAll(() => {
    net?.lab.destroy();
    policy.remove();
  });

  const families = [0, 1] as const;

  test.each(families)("T-75: every retransmission of a denied SYN is denied again (family %i)", async (family) => {
    await start([{ port: 80 }]);
    const arrivals = new Arrivals(net.hosts.b1, "tcp dport { 80, 81 } tcp flags == syn");
    const syn = (port: number) => tcpSyn(address.a[family], address.b1[family], 40_000, port);
    const count = await gained(net.router, async () => {
      for (let i = 0; i < 4; i++) sendRaw(net.hosts.a, [syn(81)]);
      await emptyQueue(net.router);
    });
    // By the engine, or by what the kernel remembers of its denial.
    expect(count.queued + count.remembered_deny).toBe(4);
    expect(arrivals.count()).toBe(0);
    sendRaw(net.hosts.a, [syn(80)]);
    await waitFor("the allowed SYN", () => arrivals.count() === 1);
  });

  test.each(families)(
    "T-57, PL-23: two queries of one socket in the queue together both arrive (family %i)",
    async (family) => {
      const running = await start([{ protocol: "UDP", port: 53 }]);
      const server = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, localPort: 53 });
      for (const round of [1, 2, 3]) {
        const client = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, host: address.b1[family], port: 53 });
        running.child.kill("SIGSTOP");
        try {
          // The signal is on its way: a thread that still runs would judge the first packet at once.
          await waitFor("every thread to stop", () => isStopped(running.child.pid ?? 0));
          await client.send(`A${round};`);
          await client.send(`AAAA${round};`);
          await waitFor("both in the queue", () => waiting(net.router) === 2);
        } finally {
          running.child.kill("SIGCONT");
        }
        expect(await server.receives(`A${round};`)).toBe("received");
        expect(await server.receives(`AAAA${round};`)).toBe("received");
        // The flow is remembered once, and whole.
        await server.send(`answer${round};`);
        expect(await client.receives(`answer${round};`)).toBe("received");
        const count = await gained(net.router, async () => {
          await client.send(`again${round};`);
          expect(await server.receives(`again${round};`)).toBe("received");
        });
        expect(count.queued).toBe(0);
        await client.close();
      }
      await server.close();
    },
  );

  test.each(families)("T-74: SCTP by its port, unmodified, and no other port (family %i)", async (family) => {
    await start([{ protocol: "SCTP", port: 1234 }]);
    const arrivals = new Arrivals(net.hosts.b1, "meta l4proto sctp");
    const capture = await Capture.start(net.hosts.b1, "sctp || (ip6 && ip6[6] == 132)");
    const init = sctpInit(5000, 1234);
    sendRaw(net.hosts.a, [
      ipPacket(address.a[family], address.b1[family], 132, sctpInit(5001, 1235)),
      ipPacket(address.a[family], address.b1[family], 132, init),
    ]);
    expect(await capture.payload(init.length)).toEqual(init);
    await emptyQueue(net.router);
    expect(arrivals.count()).toBe(1);
  });
});

/** Counts what reaches a namespace, by a match in nft's words. */
class Arrivals {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace, match: string) {
    this.#namespace = namespace;
    namespace.check(["nft", "-f", "-"], {
      input: `table inet arrivals {
        counter arrived { }
        chain input { type filter hook input priority -300; policy accept; ${match} counter name arrived; }
      }\n`,
    });
  }

  count(): number {
    const text = this.#namespace.check(["nft", "-j", "list", "counter", "inet", "arrivals", "arrived"]);
    return Number(/"packets": (\d+)/.exec(text)?.[1] ?? expect.fail(text));
  }
}

/** One packet as it arrives, by tcpdump. */
class Capture {
  #text = "";

  static async start(namespace: Namespace, filter: string): Promise<Capture> {
    const capture = new Capture();
    const child = namespace.spawn(["tcpdump", "-i", "eth0", "-n", "-l", "-x", "-c", "1", "--immediate-mode", filter]);
    let isListening = false;
    child.stderr.on("data", (data) => {
      isListening ||= String(data).includes("listening on");
    });
    child.stdout.on("data", (data) => {
      capture.#text += String(data);
    });
    await waitFor("tcpdump", () => isListening);
    return capture;
  }

  /** The last bytes of the captured packet. */
  async payload(length: number): Promise<number[]> {
    const bytes = (): number[] =>
      [...this.#text.matchAll(/^\s+0x[0-9a-f]+: +([0-9a-f ]+)$/gm)].flatMap((line) => [
        ...Buffer.from((line[1] ?? "").replaceAll(" ", ""), "hex"),
      ]);
    await waitFor("a captured packet", () => bytes().length > length);
    return bytes().slice(-length);
  }
}

/** Packets that wait for a verdict. */
function waiting(router: Namespace): number {
  const line = queueLines(router).find((fields) => fields[0] === QUEUE);
  return line?.[2] ?? 0;
}

function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1")),
  );
}

async function emptyQueue(router: Namespace): Promise<void> {
  await waitFor("an empty queue", () => waiting(router) === 0);
}

/** Queue number, port id, waiting, … Source: net/netfilter/nfnetlink_queue.c. */
function queueLines(router: Namespace): number[][] {
  const text = router.check(["cat", "/proc/net/netfilter/nfnetlink_queue"]);
  return text.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
}

function tcpSyn(from: string, to: string, sourcePort: number, port: number): number[] {
  return ipPacket(from, to, 6, tcp(from, to, sourcePort, port, tcpFlag.syn));
}

/** INIT with a tag of its own; the checksum is right, or connection tracking calls it invalid. RFC 9260, 3.3.2. */
function sctpInit(sourcePort: number, port: number): number[] {
  const chunk = [1, 0, 0, 20, 0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
  const packet = [...u16(sourcePort), ...u16(port), 0, 0, 0, 0, 0, 0, 0, 0, ...chunk];
  const sum = crc32c(packet);
  packet.splice(8, 4, sum & 255, (sum >>> 8) & 255, (sum >>> 16) & 255, sum >>> 24);
  return packet;
}
