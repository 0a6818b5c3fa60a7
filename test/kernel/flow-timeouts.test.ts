/** `sgTimeouts` in a real kernel: what connection tracking counts down for flows with an EC2 address at one end. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { markVerdict } from "../../src/model/mark.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { FirewallLab, server4, server6 } from "./firewall-lab.ts";

const { acceptThis, acceptBoth } = markVerdict;
/** Seconds that are nobody's default, so that whose value a flow has can be seen. */
const sysctls = {
  nf_conntrack_tcp_timeout_established: "1000",
  nf_conntrack_tcp_timeout_syn_recv: "444",
  nf_conntrack_udp_timeout: "777",
  nf_conntrack_udp_timeout_stream: "999",
};
const output = [server4, server6];
const aws = { output, knobs: { ...defaultKnobs, sgTimeouts: "aws" } } as const;

describe.skipIf(skipReason !== null)(`timeouts of flows (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  beforeAll(() => {
    l = new FirewallLab();
    for (const [name, value] of Object.entries(sysctls)) l.router.sysctl(`net/netfilter/${name}`, value);
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  /** Seconds that this test's flow has left, as `conntrack -L` says. */
  const secondsLeft = (family: 4 | 6): number => {
    const lines = l.router.check(["conntrack", "-L", "-f", family === 4 ? "ipv4" : "ipv6"]).split("\n");
    const flow = lines.filter((line) => line.includes(` dport=${l.port} `));
    expect(flow).toHaveLength(1);
    return Number(/^\w+ +\d+ (\d+) /.exec(flow[0] ?? "")?.[1]);
  };
  const isNear = (seconds: number, wanted: number): boolean => seconds <= wanted && seconds > wanted - 20;
  const timeouts = (): string[] =>
    [...l.router.check(["nft", "list", "ruleset"]).matchAll(/\tct timeout (\w+) \{/g)].map(([, name = ""]) => name);
  const host = (family: 4 | 6): string => (family === 4 ? server4 : server6);

  async function tcpSeconds(family: 4 | 6): Promise<number> {
    await l.peers.server.listenTcp(l.port);
    await l.peers.client.converse(l.peers.server, host(family), l.port);
    return secondsLeft(family);
  }

  async function oneWaySeconds(family: 4 | 6): Promise<number> {
    const { from, to } = await l.udp(family);
    for (const text of ["one;", "two;"]) {
      await from.send(text);
      expect(await to.receives(text)).toBe("received");
    }
    return secondsLeft(family);
  }

  const rows = [
    ["kernel", 4, sysctls.nf_conntrack_tcp_timeout_established, sysctls.nf_conntrack_udp_timeout],
    ["aws", 4, "432000", "30"],
    ["aws", 6, "432000", "30"],
  ] as const;
  it.each(rows)("SG-68, SG-68a: sgTimeouts=%s, IPv%i: TCP %s s, one-way UDP %s s", async (knob, family, tcp, udp) => {
    await l.start({ ...aws, knobs: { ...aws.knobs, sgTimeouts: knob } });
    await l.answer(acceptBoth);
    expect(isNear(await tcpSeconds(family), Number(tcp))).toBe(true);
    l.port += 1;
    expect(isNear(await oneWaySeconds(family), Number(udp))).toBe(true);
    for (const [name, value] of Object.entries(sysctls))
      expect(l.router.check(["cat", `/proc/sys/net/netfilter/${name}`]).trim()).toBe(value);
  });

  it("SG-68: UDP that goes both ways has 30 s at first, and 180 s as a stream", async () => {
    await l.start(aws);
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    const roundTrip = async (): Promise<void> => {
      await from.send("ping;");
      expect(await to.receives("ping;")).toBe("received");
      await to.send("pong;");
      expect(await from.receives("pong;")).toBe("received");
    };
    await roundTrip();
    expect(isNear(secondsLeft(4), 30)).toBe(true);
    await waitFor("a stream", async () => {
      await roundTrip();
      return secondsLeft(4) > 30;
    });
    expect(isNear(secondsLeft(4), 180)).toBe(true);
  });

  it("SG-68: a TCP flow that isn't established has Linux's 60 s, whatever the sysctl says", async () => {
    await l.start(aws);
    await l.answer(acceptThis);
    await l.peers.server.listenTcp(l.port);
    expect(await l.peers.client.connectTcp(server4, l.port, 300)).toBe("timeout");
    expect(isNear(secondsLeft(4), 60)).toBe(true);
  });

  it("SG-68a: a managed address that is no EC2 address keeps the kernel's seconds", async () => {
    await l.start({ ...aws, output: [server6] });
    await l.answer(acceptBoth);
    expect(isNear(await oneWaySeconds(4), Number(sysctls.nf_conntrack_udp_timeout))).toBe(true);
  });

  it("SG-68a: the same objects stay when the table is replaced, and flows keep their seconds", async () => {
    await l.start(aws);
    await l.answer(acceptBoth);
    await l.peers.server.listenTcp(l.port);
    const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
    const names = timeouts();
    expect(names).toHaveLength(4);
    await l.firewall.install({ managed: output, ...aws });
    await l.publish();
    await l.answer(acceptBoth);
    expect(timeouts()).toEqual(names);
    await talk.client.send("on;");
    expect(await talk.server.receives("on;")).toBe("received");
    expect(isNear(secondsLeft(4), 432_000)).toBe(true);
  });

  it("SG-68a: another run's objects go with the knob, live flows and all; removal leaves nothing", async () => {
    await l.start(aws);
    await l.answer(acceptBoth);
    await l.peers.server.listenTcp(l.port);
    const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
    const old = "{ protocol tcp; l3proto ip; policy = { established : 77 }; }";
    l.router.check(["nft", "add", "ct", "timeout", "inet", "verdictd", "old", old]);
    await l.firewall.ask({ op: "keep" });
    await l.restart();
    await l.start({ ...aws, knobs: defaultKnobs });
    await l.answer(acceptBoth);
    expect(timeouts()).toEqual([]);
    await talk.client.send("on;");
    expect(await talk.server.receives("on;")).toBe("received");
    expect(isNear(secondsLeft(4), Number(sysctls.nf_conntrack_tcp_timeout_established))).toBe(true);
    await l.firewall.install({ managed: output, ...aws });
    expect(timeouts()).toHaveLength(4);
    await l.firewall.ask({ op: "remove" });
    expect(l.router.check(["nft", "list", "ruleset"])).not.toContain("verdictd");
  });
});
