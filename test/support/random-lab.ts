/**
 * A lab for random policies: 13 endpoints round a router, on two bridges, on a cable with a subnet of its own, on cables
 * with pods' addresses, and outside. Each serves the same ports and probes all others.
 */
import { LabHost } from "../../src/cli/lab/lab-host.ts";
import { createLab, type Namespace } from "./namespace.ts";

export interface LabEndpoint {
  readonly name: string;
  /** IPv4, IPv6. */
  readonly addresses: readonly [string, string];
  /** Its subnet, `null` for pods of their own network and outside hosts. */
  readonly subnet: string | null;
  readonly isPod: boolean;
}

export const labSubnets: Readonly<Record<string, readonly [string, string]>> = {
  "subnet-1": ["10.30.1.0/24", "fd00:30:1::/64"],
  "subnet-2": ["10.30.2.0/24", "fd00:30:2::/64"],
  "subnet-3": ["10.30.3.0/24", "fd00:30:3::/64"],
};

const inSubnet = (name: string, subnet: number, host: number, isPod = false): LabEndpoint => ({
  name,
  addresses: [`10.30.${subnet}.${host}`, `fd00:30:${subnet}::${host}`],
  subnet: `subnet-${subnet}`,
  isPod,
});
const onCable = (name: string, host: number): LabEndpoint => ({
  name,
  addresses: [`10.31.0.${host}`, `fd00:31::${host}`],
  subnet: null,
  isPod: true,
});

/** pod-x and pod-y have addresses of an instance's interface: both kinds of policy apply to them. */
export const labEndpoints: readonly LabEndpoint[] = [
  inSubnet("a", 1, 10),
  inSubnet("b", 1, 11),
  inSubnet("c", 1, 12),
  inSubnet("pod-x", 1, 13, true),
  inSubnet("d", 2, 10),
  inSubnet("e", 2, 11),
  inSubnet("pod-y", 2, 12, true),
  inSubnet("f", 3, 10),
  onCable("pod-1", 11),
  onCable("pod-2", 12),
  onCable("pod-3", 13),
  onCable("pod-4", 14),
  { name: "out", addresses: ["198.51.100.10", "2001:db8:51::10"], subnet: null, isPod: false },
];

export const labServices = [
  { protocol: "tcp", port: 80 },
  { protocol: "tcp", port: 443 },
  { protocol: "tcp", port: 5432 },
  { protocol: "udp", port: 53 },
  { protocol: "udp", port: 123 },
] as const;

export interface LabProbe {
  readonly from: LabEndpoint;
  readonly to: LabEndpoint;
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly port: number;
  readonly family: 0 | 1;
}

/** Every ordered pair, every service and ping, both families. */
export const labProbes: readonly LabProbe[] = labEndpoints.flatMap((from) =>
  labEndpoints
    .filter((to) => to !== from)
    .flatMap((to) =>
      [...labServices, { protocol: "icmp", port: 0 } as const].flatMap(({ protocol, port }) =>
        ([0, 1] as const).map((family) => ({ from, to, protocol, port, family })),
      ),
    ),
);

export class RandomLab {
  readonly router: Namespace;
  readonly #lab = createLab();
  readonly #hosts = new Map<string, LabHost>();

  constructor() {
    this.router = this.#lab.namespace("router");
    this.router.sysctl("net/ipv4/ip_forward", "1");
    this.router.sysctl("net/ipv6/conf/all/forwarding", "1");
    for (const scope of ["all", "default"]) this.router.sysctl(`net/ipv4/conf/${scope}/rp_filter`, "0");
    for (const bridge of ["br1", "br2"]) {
      this.router.check(["ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"]);
      this.router.check(["ip", "link", "set", bridge, "up"]);
    }
    for (const endpoint of labEndpoints) this.#connect(endpoint);
    for (const [n, device] of [
      [1, "br1"],
      [2, "br2"],
      [3, "to-f"],
    ] as const) {
      this.router.address(device, `10.30.${n}.1/24`);
      this.router.address(device, `fd00:30:${n}::1/64`);
    }
    this.router.address("to-out", "198.51.100.1/24");
    this.router.address("to-out", "2001:db8:51::1/64");
  }

  async listen(): Promise<void> {
    await Promise.all(
      [...this.#hosts.values()].flatMap((host) => labServices.map((service) => host.listen({ ...service }))),
    );
  }

  /** Whether the probe is answered. */
  async probe({ from, to, protocol, port, family }: LabProbe, timeoutMs: number): Promise<boolean> {
    const host = this.#hosts.get(from.name);
    if (host === undefined) throw new Error(`no host ${from.name}`);
    return (await host.probe(protocol, to.addresses[family], port, timeoutMs)).isOpen;
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
    this.#lab.destroy();
  }

  #connect({ name, addresses: [ipv4, ipv6], subnet }: LabEndpoint): void {
    const namespace = this.#lab.namespace(name);
    const cable = `to-${name}`;
    this.#lab.link(this.router, cable, namespace, "eth0");
    if (name.startsWith("pod-") && subnet === null) {
      namespace.address("eth0", `${ipv4}/32`);
      namespace.address("eth0", `${ipv6}/128`);
      namespace.check(["ip", "route", "add", "169.254.1.1", "dev", "eth0"]);
      namespace.route("default", "169.254.1.1");
      namespace.check(["ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0"]);
      this.router.address(cable, "169.254.1.1/32");
      this.router.address(cable, "fe80::1/64");
      this.router.check(["ip", "route", "add", `${ipv4}/32`, "dev", cable]);
      this.router.check(["ip", "-6", "route", "add", `${ipv6}/128`, "dev", cable]);
    } else {
      if (subnet !== null && subnet !== "subnet-3") {
        this.router.check(["ip", "link", "set", cable, "master", subnet === "subnet-1" ? "br1" : "br2"]);
      }
      namespace.address("eth0", `${ipv4}/24`);
      namespace.address("eth0", `${ipv6}/64`);
      namespace.route("default", ipv4.replace(/\d+$/, "1"));
      namespace.route("::/0", ipv6.replace(/[0-9a-f]+$/, "1"));
    }
    this.#hosts.set(name, new LabHost(`/run/netns/${namespace.name}`));
  }
}
