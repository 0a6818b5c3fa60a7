/**
 * A small data centre out of network namespaces: a router, where the engine is to run, and one namespace for each
 * endpoint of the topology, with a process that serves and probes. Nothing of the machine's own network is touched:
 * every device is born inside a namespace. All of it goes with `close`, and with this process.
 */
import { runCommand } from "../lab/command.ts";
import { LabHost } from "../lab/lab-host.ts";
import { Namespaces, namespaceName, quiet } from "../lab/namespaces.ts";
import { bridgeName, type Endpoint, endpoints } from "./topology.ts";

/** The pods' next hop: an address that every cable may carry. */
const podGateway = { ipv4: "169.254.1.1", ipv6: "fe80::1" };

export class Lab {
  readonly #hosts = new Map<string, LabHost>();
  readonly #namespaces = new Namespaces();

  /** Builds the lab; leaves nothing behind where that fails, or is interrupted. */
  static async create(signal: AbortSignal): Promise<Lab> {
    const lab = new Lab();
    try {
      await lab.#build(signal);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** Path of the router's namespace, as `nsenter --net=` takes it. */
  get routerPath(): string {
    return this.#namespaces.pathOf("router");
  }

  host(endpoint: Endpoint): LabHost {
    const host = this.#hosts.get(endpoint.name);
    if (!host) throw new Error(`no host ${endpoint.name} in the lab`);
    return host;
  }

  /** Ends the processes and removes the namespaces. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
    this.#hosts.clear();
    this.#namespaces.remove();
  }

  async #build(signal: AbortSignal): Promise<void> {
    await this.#addNamespace("router");
    const router = this.#hosts.get("router")!;
    await router.sysctl("net/ipv4/ip_forward", "1");
    await router.sysctl("net/ipv6/conf/all/forwarding", "1");
    await router.sysctl("net/ipv4/conf/all/rp_filter", "0");
    await router.sysctl("net/ipv4/conf/default/rp_filter", "0");
    await inRouter(["link", "set", "lo", "up"]);
    await inRouter(["link", "add", bridgeName, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"]);
    await inRouter(["link", "set", bridgeName, "up"]);
    await Promise.all(endpoints.map((endpoint) => this.#addNamespace(endpoint.name)));
    signal.throwIfAborted();
    await Promise.all(endpoints.map((endpoint) => this.#connect(endpoint)));
    signal.throwIfAborted();
    const networks = new Map(endpoints.filter((e) => e.kind !== "pod").map((e) => [e.device, e]));
    await Promise.all([...networks.values()].map(addressRouter));
    await Promise.all(
      endpoints.flatMap((endpoint) => endpoint.services.map((service) => this.host(endpoint).listen(service))),
    );
  }

  async #addNamespace(label: string): Promise<void> {
    const host = new LabHost(await this.#namespaces.add(label));
    this.#hosts.set(label, host);
    for (const [path, value] of quiet) await host.sysctl(path, value);
  }

  async #connect(endpoint: Endpoint): Promise<void> {
    const name = namespaceName(endpoint.name);
    const inside = (args: readonly string[]) => runCommand("ip", ["-n", name, ...args]);
    const cable = `to-${endpoint.name}`;
    await inRouter(["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name]);
    await inside(["link", "set", "lo", "up"]);
    await inside(["link", "set", "eth0", "up"]);
    if (endpoint.device !== cable) await inRouter(["link", "set", cable, "master", endpoint.device]);
    await inRouter(["link", "set", cable, "up"]);
    if (endpoint.kind === "pod") return connectPod(endpoint, cable, inside);
    await inside(["address", "add", `${endpoint.ipv4}/24`, "dev", "eth0"]);
    await inside(["address", "add", `${endpoint.ipv6}/64`, "dev", "eth0", "nodad"]);
    await inside(["route", "add", "default", "via", firstOf(endpoint.ipv4)]);
    await inside(["-6", "route", "add", "default", "via", firstOf(endpoint.ipv6)]);
  }
}

/** A pod has a host address, and the router a route to it: no two pods share a link. */
async function connectPod(
  endpoint: Endpoint,
  cable: string,
  inside: (args: readonly string[]) => Promise<unknown>,
): Promise<void> {
  await inside(["address", "add", `${endpoint.ipv4}/32`, "dev", "eth0"]);
  await inside(["address", "add", `${endpoint.ipv6}/128`, "dev", "eth0", "nodad"]);
  await inside(["route", "add", podGateway.ipv4, "dev", "eth0"]);
  await inside(["route", "add", "default", "via", podGateway.ipv4]);
  await inside(["-6", "route", "add", "default", "via", podGateway.ipv6, "dev", "eth0"]);
  await inRouter(["address", "add", `${podGateway.ipv4}/32`, "dev", cable]);
  await inRouter(["address", "add", `${podGateway.ipv6}/64`, "dev", cable, "nodad"]);
  await inRouter(["route", "add", `${endpoint.ipv4}/32`, "dev", cable]);
  await inRouter(["-6", "route", "add", `${endpoint.ipv6}/128`, "dev", cable]);
}

/** The router is base + 1 of a subnet, as in a VPC (SG-81). */
async function addressRouter(endpoint: Endpoint): Promise<void> {
  await inRouter(["address", "add", `${firstOf(endpoint.ipv4)}/24`, "dev", endpoint.device]);
  await inRouter(["address", "add", `${firstOf(endpoint.ipv6)}/64`, "dev", endpoint.device, "nodad"]);
}

function inRouter(args: readonly string[]): Promise<string> {
  return runCommand("ip", ["-n", namespaceName("router"), ...args]);
}

/** `10.20.1.10` → `10.20.1.1`, `2001:db8:20:1::10` → `2001:db8:20:1::1`. */
function firstOf(address: string): string {
  return address.replace(/[0-9a-f]+$/, "1");
}
