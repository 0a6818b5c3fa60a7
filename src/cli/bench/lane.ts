/**
 * One variant's own network: client – router – server, each in a namespace. All lanes are alike to the last address, so
 * that variants take turns without anything being set up in between. Neighbours are known from the start.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { runCommand } from "../lab/command.ts";
import { LabHost } from "../lab/lab-host.ts";
import { onLines } from "../lab/lines.ts";
import { type Namespaces, namespaceName } from "../lab/namespaces.ts";
import { type Cpus, pinned, trafficProgram } from "./placement.ts";
import { RunningTraffic } from "./running-traffic.ts";
import {
  clientAddress,
  clientNetwork,
  macs,
  pairCount,
  ports,
  serverAddress,
  serverNetwork,
  visitorAddress,
} from "./topology.ts";

const pairs = Array.from({ length: pairCount }, (_, i) => i);

export class Lane {
  readonly name: string;
  readonly clientPath: string;
  readonly routerPath: string;
  readonly serverPath: string;
  /** Keeps the router's namespace readable through /proc. */
  readonly #router: LabHost;
  readonly #close: (() => Promise<void> | void)[] = [];
  #serverPid = 0;

  /** The namespaces belong to the caller, who removes them. */
  static async create(name: string, namespaces: Namespaces, signal: AbortSignal): Promise<Lane> {
    const [client, router, server] = ["client", "router", "server"].map((role) => `${name}-${role}`) as [
      string,
      string,
      string,
    ];
    const paths = [await namespaces.add(client), await namespaces.add(router), await namespaces.add(server)] as const;
    const lane = new Lane(name, paths);
    try {
      await lane.#build(client, router, server, signal);
    } catch (error) {
      await lane.close();
      throw error;
    }
    return lane;
  }

  private constructor(name: string, [client, router, server]: readonly [string, string, string]) {
    this.name = name;
    this.clientPath = client;
    this.routerPath = router;
    this.serverPath = server;
    this.#router = new LabHost(router);
    this.#close.push(() => this.#router.close());
  }

  /** The process that answers, which is to run where the traffic does. */
  get serverPid(): number {
    return this.#serverPid;
  }

  /** Runs the traffic program among the clients, and returns what it printed. Throws where it fails. */
  traffic(
    command: string,
    values: Readonly<Record<string, string | number>>,
    cpus: Cpus,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#run(this.clientPath, [command, ...wordsOf(values)], cpus, signal);
  }

  /** Starts it, for what prints line after line. */
  startTraffic(
    command: string,
    values: Readonly<Record<string, string | number>>,
    cpus: Cpus,
    signal: AbortSignal,
  ): RunningTraffic {
    return new RunningTraffic(argvOf(this.clientPath, [command, ...wordsOf(values)], cpus), signal);
  }

  /** The same in the router's namespace. */
  inRouter(
    command: string,
    values: Readonly<Record<string, string | number>>,
    cpus: Cpus,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#run(this.routerPath, [command, ...wordsOf(values)], cpus, signal);
  }

  /** A file below /proc/net, of the router's namespace. */
  readProcNet(path: string): string {
    try {
      return readFileSync(`/proc/${this.#router.pid}/net/${path}`, "latin1");
    } catch {
      return "";
    }
  }

  /** May be called twice. */
  async close(): Promise<void> {
    for (const close of this.#close.splice(0)) await close();
  }

  #run(path: string, words: readonly string[], cpus: Cpus, signal: AbortSignal): Promise<string> {
    return runCommand("nsenter", argvOf(path, words, cpus), { signal });
  }

  async #build(client: string, router: string, server: string, signal: AbortSignal): Promise<void> {
    const ip = (label: string, lines: readonly string[]) =>
      runCommand("ip", ["-n", namespaceName(label), "-batch", "-"], { input: `${lines.join("\n")}\n`, signal });
    await this.#router.sysctl("net/ipv4/ip_forward", "1");
    await this.#router.sysctl("net/ipv4/conf/all/rp_filter", "0");
    await this.#router.sysctl("net/ipv4/conf/default/rp_filter", "0");
    const cable = (device: string, mac: string, otherMac: string, other: string) =>
      `link add ${device} address ${mac} type veth peer name eth0 address ${otherMac} netns ${namespaceName(other)}`;
    const neighbour = (address: string, mac: string, device: string) =>
      `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`;
    const clients = [visitorAddress, ...pairs.map(clientAddress)];
    const servers = pairs.map(serverAddress);
    await ip(router, [
      "link set lo up",
      cable("clients", macs.clientRouter, macs.client, client),
      cable("servers", macs.serverRouter, macs.server, server),
      "link set clients up",
      "link set servers up",
      `address add ${clientNetwork.router}/24 dev clients`,
      `address add ${serverNetwork.router}/24 dev servers`,
      ...clients.map((address) => neighbour(address, macs.client, "clients")),
      ...servers.map((address) => neighbour(address, macs.server, "servers")),
    ]);
    const side = (addresses: readonly string[], gateway: string, mac: string) => [
      "link set lo up",
      "link set eth0 up",
      ...addresses.map((address) => `address add ${address}/24 dev eth0`),
      `route add default via ${gateway}`,
      neighbour(gateway, mac, "eth0"),
    ];
    // The clients' first pair is the primary address.
    await ip(client, side([...clients.slice(1), ...clients.slice(0, 1)], clientNetwork.router, macs.clientRouter));
    await ip(server, side(servers, serverNetwork.router, macs.serverRouter));
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const roles = [
      ...[ports.echo, ports.policyChange, ports.podChange].map((port) => `udp:${port}`),
      ...[ports.sink].map((port) => `sink:${port}`),
      `tcp:${ports.accept}`,
      `bulk:${ports.bulk}`,
    ];
    const child = spawn("nsenter", [`--net=${this.serverPath}`, "--", trafficProgram, "serve", ...roles], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    const exited = new Promise<void>((resolve) => child.on("close", () => resolve()));
    this.#close.push(() => {
      child.kill("SIGKILL");
      return exited;
    });
    this.#serverPid = child.pid ?? 0;
    await new Promise<void>((resolve, reject) => {
      onLines(child.stdout, (line) => line === "ready" && resolve());
      child.on("error", reject);
      child.on("close", () => reject(new Error("the lab's server ended early")));
    });
  }
}

function argvOf(path: string, words: readonly string[], cpus: Cpus): string[] {
  return [`--net=${path}`, "--", ...pinned(cpus), trafficProgram, ...words];
}

function wordsOf(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).map(([key, value]) => `${key}=${value}`);
}
