/**
 * A small data centre out of network namespaces: a router, where the engine is to run, and one namespace for each
 * endpoint of the topology, with a process that serves and probes. Nothing of the machine's own network is touched:
 * every device is born inside a namespace. All of it goes with `close`, and with this process.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { runCommand } from "./command.ts";
import { LabHost } from "./lab-host.ts";
import { bridgeName, type Endpoint, endpoints } from "./topology.ts";

const directory = "/run/netns";

/** The pods' next hop: an address that every cable may carry. */
const podGateway = { ipv4: "169.254.1.1", ipv6: "fe80::1" };

/** Settings of a new namespace, before it has devices: addresses are usable at once, its bridges keep to themselves. */
const quiet = [
  ["net/ipv6/conf/all/accept_dad", "0"],
  ["net/ipv6/conf/default/accept_dad", "0"],
  ["net/bridge/bridge-nf-call-iptables", "0"],
  ["net/bridge/bridge-nf-call-ip6tables", "0"],
] as const;

export class Lab {
  readonly #hosts = new Map<string, LabHost>();
  readonly #namespaces: string[] = [];
  readonly #onExit = (): void => this.#removeNow();

  /** Builds the lab; leaves nothing behind where that fails, or is interrupted. */
  static async create(signal: AbortSignal): Promise<Lab> {
    const lab = new Lab();
    process.on("exit", lab.#onExit);
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
    return `${directory}/${nameOf("router")}`;
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
    this.#removeNow();
    process.off("exit", this.#onExit);
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
    const name = nameOf(label);
    this.#namespaces.push(name);
    await runCommand("ip", ["netns", "add", name]);
    const host = new LabHost(`${directory}/${name}`);
    this.#hosts.set(label, host);
    for (const [path, value] of quiet) await host.sysctl(path, value);
  }

  async #connect(endpoint: Endpoint): Promise<void> {
    const name = nameOf(endpoint.name);
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

  #removeNow(): void {
    for (const name of this.#namespaces.splice(0)) removeNamespace(name);
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
  return runCommand("ip", ["-n", nameOf("router"), ...args]);
}

function nameOf(label: string): string {
  return `vd${process.pid}-${label}`;
}

/** `10.20.1.10` → `10.20.1.1`, `2001:db8:20:1::10` → `2001:db8:20:1::1`. */
function firstOf(address: string): string {
  return address.replace(/[0-9a-f]+$/, "1");
}

/** Removes what a lab that was killed left: namespaces of our naming whose process is gone. Returns how many. */
export function removeLeftovers(): number {
  const leftovers = (existsSync(directory) ? readdirSync(directory) : []).filter((name) => {
    const pid = /^vd(\d+)-/.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
  for (const name of leftovers) removeNamespace(name);
  return leftovers.length;
}

function removeNamespace(name: string): void {
  if (existsSync(`${directory}/${name}`)) spawnSync("ip", ["netns", "delete", name], { stdio: "ignore" });
}
