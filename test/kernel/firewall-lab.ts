/**
 * The network of the traffic tests: a client, a router that runs the firewall and a table-driven engine, and a server,
 * which is the managed address; a neighbour shares a bridge with it.
 *
 *     client 10.7.1.2 ── router ── br0 10.7.2.1 ─┬─ server 10.7.2.2   (managed)
 *     fd07:1::2                    fd07:2::1     └─ neighbour 10.7.2.3
 */
import { createLab, type Lab, type Namespace, waitFor } from "../support/namespace.ts";
import { type Conversation, Peer } from "../support/peer.ts";
import { type Command, FirewallDriver, type FirewallText } from "./firewall-driver.ts";

export const server4 = "10.7.2.2";
export const server6 = "fd07:2::2";
export const managed = [server4, server6];
/** An answer: the packet is dropped where it is. */
export const DROP = 0;
/** Nothing came for this long: for what must not arrive. */
export const SILENCE_MS = 150;

type Host = "client" | "server" | "neighbour";

export class FirewallLab {
  readonly #lab: Lab = createLab();
  readonly #seen: number[] = [];
  readonly router: Namespace;
  readonly hosts: Readonly<Record<Host, Namespace>>;
  readonly peers: Readonly<Record<Host | "router", Peer>>;
  firewall: FirewallDriver;
  /** Another one for each test. */
  port = 5000;
  /** The epoch in force, as it is in the mark. */
  nibble = 0;
  #answer = DROP;

  constructor() {
    const router = this.#lab.namespace("router");
    this.router = router;
    this.hosts = {
      client: this.#lab.namespace("client"),
      server: this.#lab.namespace("server"),
      neighbour: this.#lab.namespace("neighbour"),
    };
    for (const [name, namespace] of Object.entries(this.hosts)) this.#lab.link(router, name, namespace, "eth0");
    router.sysctl("net/ipv4/ip_forward", "1");
    router.sysctl("net/ipv6/conf/all/forwarding", "1");
    router.bridge("br0", ["server", "neighbour"]);
    const wire = (namespace: Namespace, net: number, last: number): void => {
      namespace.address("eth0", `10.7.${net}.${last}/24`);
      namespace.address("eth0", `fd07:${net}::${last}/64`);
      namespace.route("default", `10.7.${net}.1`);
      namespace.check(["ip", "-6", "route", "add", "default", "via", `fd07:${net}::1`]);
    };
    router.address("client", "10.7.1.1/24");
    router.address("client", "fd07:1::1/64");
    router.address("br0", "10.7.2.1/24");
    router.address("br0", "fd07:2::1/64");
    wire(this.hosts.client, 1, 2);
    wire(this.hosts.server, 2, 2);
    wire(this.hosts.neighbour, 2, 3);
    const { client, server, neighbour } = this.hosts;
    this.peers = {
      client: new Peer(client),
      server: new Peer(server),
      neighbour: new Peer(neighbour),
      router: new Peer(router),
    };
    this.firewall = new FirewallDriver(router);
  }

  destroy(): void {
    this.#lab.destroy();
  }

  /** Before each test: nothing in the router's kernel, a new port. */
  async reset(): Promise<void> {
    this.port += 1;
    this.router.run(["nft", "delete", "table", "inet", "foreign"]);
    await this.firewall.ask({ op: "remove" });
    await this.firewall.ask({ op: "stopQueue" });
    await this.states();
  }

  /** A new process in place of the firewall's, which is killed: the kernel keeps what it had. */
  async restart(): Promise<void> {
    await this.firewall.kill();
    this.firewall = new FirewallDriver(this.router);
  }

  /** The queue, the table, an epoch. */
  async start(change: Partial<FirewallText> = {}): Promise<void> {
    await this.firewall.ask({ op: "startQueue" });
    await this.firewall.install({ managed, ...change });
    await this.publish();
  }

  /** Another epoch: every flow is asked about again. */
  async publish(): Promise<void> {
    this.nibble = await this.firewall.ask<number>({ op: "takeEpoch" });
    await this.firewall.ask({ op: "publishEpoch", epoch: this.nibble });
  }

  /** A change, with what isn't said left as it is; returns how many entries the search for flows has changed. */
  async change(change: Omit<Extract<Command, { op: "change" }>, "op" | "epoch">): Promise<number> {
    this.nibble = await this.firewall.ask<number>({ op: "takeEpoch" });
    await this.answer(this.#answer);
    return this.firewall.ask({ op: "change", epoch: this.nibble, ...change });
  }

  /** What every packet is answered from now on: `DROP`, or a byte, to which the epoch is added. */
  async answer(byte: number): Promise<void> {
    this.#answer = byte;
    await this.firewall.ask({ op: "answer", byte: byte === DROP ? DROP : byte | this.nibble });
  }

  /** Another owner's table. */
  foreign(rules: string): void {
    this.router.check(["nft", "-f", "-"], { input: `table inet foreign {\n${rules}\n}\n` });
  }

  /** Our bytes of the marks that this test's packets came to the queue with, since the last call. */
  async states(): Promise<number[]> {
    await this.#collect();
    return this.#seen.splice(0);
  }

  /** Waits until the queue has had so many of this test's packets since the last `states`. */
  async asked(count: number): Promise<void> {
    await waitFor(`${count} packets in the queue`, async () => {
      await this.#collect();
      return this.#seen.length >= count;
    });
  }

  /** TCP of other ports is left over from earlier tests, whose ends still try to reach each other. */
  async #collect(): Promise<void> {
    for (const { byte, protocol, sourcePort, destinationPort } of await this.firewall.takeSeen()) {
      if (protocol !== 6 || sourcePort === this.port || destinationPort === this.port) this.#seen.push(byte);
    }
  }

  /** The ct marks of this test's port, in hex. */
  marks(): string[] {
    return this.router
      .check(["cat", "/proc/net/nf_conntrack"])
      .split("\n")
      .filter((line) => line.includes(`port=${this.port} `))
      .map((line) => Number(/mark=(\d+)/.exec(line)?.[1] ?? 0).toString(16));
  }

  /** The ct mark of a flow that was decided in the epoch in force, in hex. */
  decided(bits: number): string {
    return `${(bits | this.nibble).toString(16)}000000`;
  }

  /** A UDP server on the managed address, and a client's socket that speaks to it. */
  async udp(family: 4 | 6 = 4): Promise<{ from: Conversation; to: Conversation }> {
    const { port } = this;
    const to = await this.peers.server.openUdp({ family, localPort: port });
    const from = await this.peers.client.openUdp({ family, host: family === 4 ? server4 : server6, port });
    return { from, to };
  }

  /** Whether one echo request is answered; `no` is known sooner than `yes` would be late. */
  pings(from: Namespace, to: string): "yes" | "no" {
    return from.run(["ping", "-c1", "-W0.3", to]).status === 0 ? "yes" : "no";
  }
}
