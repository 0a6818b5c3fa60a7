/**
 * The lab as data: who is in it, where, under which addresses, and what they serve. The addresses are those of
 * `examples/`, which is what makes the policies there apply; a test compares the two.
 */
import type { Service } from "../lab/lab-host.ts";

export interface Endpoint {
  /** Short name: label of its row and column, and of its namespace. */
  readonly name: string;
  /** How users would name it to `explain`. */
  readonly ref: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** The router's device towards it: a cable of its own, or a bridge that it shares. */
  readonly device: string;
  /** `subnet`: the router holds base + 1; `pod`: host routes; `outside`: a network that no policy owns. */
  readonly kind: "subnet" | "pod" | "outside";
  /** The first one is shown in the matrix. */
  readonly services: readonly [Service, ...Service[]];
}

/** Shared by two instances, so that their traffic never leaves the subnet: the engine is asked to enforce it. */
export const bridgeName = "br-app";

export const endpoints: readonly Endpoint[] = [
  {
    name: "internet",
    ref: "198.51.100.10",
    ipv4: "198.51.100.10",
    ipv6: "2001:db8:ffff::10",
    device: "to-internet",
    kind: "outside",
    services: [{ protocol: "tcp", port: 443 }],
  },
  instance("web", "10.20.1.10", "2001:db8:20:1::10", "to-web", 80),
  instance("app", "10.20.2.10", "2001:db8:20:2::10", bridgeName, 8080),
  instance("batch", "10.20.2.11", "2001:db8:20:2::11", bridgeName, 9000),
  instance("db", "10.20.3.10", "2001:db8:20:3::10", "to-db", 5432),
  pod("gateway", "openfaas/gateway", 10, [{ protocol: "tcp", port: 8080 }]),
  pod("nginx", "nginx/nginx", 11, [{ protocol: "tcp", port: 80 }]),
  pod("dns", "kube-system/coredns", 12, [
    { protocol: "udp", port: 53 },
    { protocol: "tcp", port: 53 },
  ]),
  pod("figlet", "openfaas-fn/figlet", 13, [{ protocol: "tcp", port: 8080 }]),
  pod("monitor", "monitoring/prometheus", 14, [
    { protocol: "tcp", port: 9090 },
    { protocol: "udp", port: 8125 },
  ]),
];

/** The endpoint of that name. Throws for a name that isn't in the lab. */
export function endpointNamed(name: string): Endpoint {
  const found = endpoints.find((e) => e.name === name);
  if (!found) throw new Error(`no endpoint ${name} in the lab`);
  return found;
}

function instance(name: string, ipv4: string, ipv6: string, device: string, port: number): Endpoint {
  return { name, ref: `i-${name}`, ipv4, ipv6, device, kind: "subnet", services: [{ protocol: "tcp", port }] };
}

function pod(name: string, ref: string, host: number, services: Endpoint["services"]): Endpoint {
  const [ipv4, ipv6] = [`10.42.0.${host}`, `2001:db8:42::${host}`];
  return { name, ref, ipv4, ipv6, device: `to-${name}`, kind: "pod", services };
}
