/** The test's hand on a peer process in a namespace: conversations that speak when told to. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import type { Namespace } from "./namespace.ts";

interface Answer {
  readonly conversation?: number;
  readonly localPort?: number;
  readonly text?: string;
  readonly results?: readonly string[];
  /** `timeout`, `closed`, or the system's code (`ECONNRESET`, `ECONNREFUSED`). */
  readonly error?: string;
}

export class Conversation {
  readonly #peer: Peer;
  readonly number: number;
  readonly localPort: number;

  constructor(peer: Peer, number: number, localPort: number) {
    this.#peer = peer;
    this.number = number;
    this.localPort = localPort;
  }

  async send(text: string): Promise<void> {
    await this.#peer.ask("send", { conversation: this.number, text });
  }

  /** `received`, or why not. */
  async receives(text: string, timeoutMs = 2000): Promise<string> {
    const answer = await this.#peer.ask("receive", { conversation: this.number, text, timeoutMs });
    return answer.error ?? "received";
  }

  async close(): Promise<void> {
    await this.#peer.ask("close", { conversation: this.number });
  }
}

export interface Target {
  readonly protocol: "TCP" | "UDP";
  readonly host: string;
  readonly port: number;
}

export class Peer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 1;

  constructor(namespace: Namespace) {
    this.#child = namespace.spawn([process.execPath, new URL("peer-process.mjs", import.meta.url).pathname]);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line) as Answer & { id: number };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  ask(op: string, fields: object): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    });
  }

  async listenTcp(port: number, host = "::"): Promise<void> {
    await this.#must("listenTcp", { host, port });
  }

  async accept(port: number, remotePort: number, timeoutMs = 2000): Promise<Conversation> {
    return this.#conversation(await this.#must("accept", { port, remotePort, timeoutMs }));
  }

  /** The conversation, or why there is none: `timeout`, `ECONNREFUSED`, … */
  async connectTcp(
    host: string,
    port: number,
    timeoutMs = 2000,
    localPort?: number,
    localHost?: string,
  ): Promise<Conversation | string> {
    const answer = await this.ask("connectTcp", { host, port, timeoutMs, localPort, localHost });
    return answer.error ?? this.#conversation(answer);
  }

  /** Both ends of a new connection. Throws where it fails. */
  async converse(server: Peer, host: string, port: number): Promise<{ client: Conversation; server: Conversation }> {
    const client = await this.connectTcp(host, port);
    if (typeof client === "string") throw new Error(`connect to ${host}:${port}: ${client}`);
    return { client, server: await server.accept(port, client.localPort) };
  }

  /** Accepts on these ports by TCP, and answers by UDP. */
  async serve(ports: readonly number[]): Promise<void> {
    await this.#must("serve", { ports });
  }

  /** Tries all of them at once: for each `open` or why not. A target must `serve`. */
  async probe(targets: readonly Target[], timeoutMs: number): Promise<readonly string[]> {
    return (await this.#must("probe", { targets, timeoutMs })).results ?? [];
  }

  async openUdp(options: { family?: 4 | 6; localPort?: number; host?: string; port?: number }): Promise<Conversation> {
    return this.#conversation(await this.#must("openUdp", { family: 4, ...options }));
  }

  async #must(op: string, fields: object): Promise<Answer> {
    const answer = await this.ask(op, fields);
    if (answer.error !== undefined) throw new Error(`${op} ${JSON.stringify(fields)}: ${answer.error}`);
    return answer;
  }

  #conversation(answer: Answer): Conversation {
    return new Conversation(this, answer.conversation ?? 0, answer.localPort ?? 0);
  }
}
