/**
 * The network that the agent's kernel tests use: a router, where the engine runs, one routed subnet, one subnet on a
 * bridge with two hosts, and an outside host behind a link of its own.
 *
 *     a  10.1.1.10 ──── lan-a ┐                 ┌ br0 10.1.2.1 ─┬─ b1 10.1.2.11
 *        fd00:1:1::10         ├──── router ─────┤               └─ b2 10.1.2.12
 *     out 203.0.113.9 ── wan ─┘                 └ (fd00:1:2::/64)
 */
import { createLab, type Lab, type Namespace, waitFor } from "./namespace.ts";
import { Peer } from "./peer.ts";

export const address = {
  a: ["10.1.1.10", "fd00:1:1::10"],
  b1: ["10.1.2.11", "fd00:1:2::11"],
  b2: ["10.1.2.12", "fd00:1:2::12"],
  out: ["203.0.113.9", "2001:db8:9::9"],
} as const;
export type Host = keyof typeof address;

export interface Topology {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly hosts: Readonly<Record<Host, Namespace>>;
  readonly peers: Readonly<Record<Host, Peer>>;
}

export function createTopology(): Topology {
  const lab = createLab();
  const router = lab.namespace("router");
  router.sysctl("net/ipv4/ip_forward", "1");
  router.sysctl("net/ipv6/conf/all/forwarding", "1");
  const wire = (host: Host, device: string, gateway: readonly [string, string] | null): Namespace => {
    const namespace = lab.namespace(host);
    lab.link(router, device, namespace, "eth0");
    const [ipv4, ipv6] = address[host];
    namespace.address("eth0", `${ipv4}/24`);
    namespace.address("eth0", `${ipv6}/64`);
    if (gateway !== null) {
      router.address(device, `${gateway[0]}/24`);
      router.address(device, `${gateway[1]}/64`);
    }
    return namespace;
  };
  const hosts = {
    a: wire("a", "lan-a", ["10.1.1.1", "fd00:1:1::1"]),
    b1: wire("b1", "lan-b1", null),
    b2: wire("b2", "lan-b2", null),
    out: wire("out", "wan", ["203.0.113.1", "2001:db8:9::1"]),
  };
  router.bridge("br0", ["lan-b1", "lan-b2"]);
  router.address("br0", "10.1.2.1/24");
  router.address("br0", "fd00:1:2::1/64");
  const gateways: Record<Host, readonly [string, string]> = {
    a: ["10.1.1.1", "fd00:1:1::1"],
    b1: ["10.1.2.1", "fd00:1:2::1"],
    b2: ["10.1.2.1", "fd00:1:2::1"],
    out: ["203.0.113.1", "2001:db8:9::1"],
  };
  for (const host of Object.keys(hosts) as Host[]) {
    hosts[host].route("default", gateways[host][0]);
    hosts[host].route("::/0", gateways[host][1]);
  }
  const peers = {
    a: new Peer(hosts.a),
    b1: new Peer(hosts.b1),
    b2: new Peer(hosts.b2),
    out: new Peer(hosts.out),
  };
  return { lab, router, hosts, peers };
}

/** Waits until every host reaches every other: links, bridge ports and neighbours have settled. */
export async function settle({ hosts }: Topology): Promise<void> {
  for (const from of ["a", "out", "b1"] as const) {
    for (const to of ["b1", "b2", "a"] as const) {
      if (from === to) continue;
      for (const target of address[to]) {
        await waitFor(`${from} → ${target}`, () => ping(hosts[from], target), 10_000);
      }
    }
  }
}

/** One echo request; true when it is answered within a second. */
export function ping(from: Namespace, to: string): boolean {
  return from.run(["ping", "-n", "-c", "1", "-W", "1", to]).status === 0;
}
