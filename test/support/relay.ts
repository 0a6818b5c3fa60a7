/**
 * Makes a server of the test's own namespace reachable on the loopback of another, at the same address, so that one
 * kubeconfig does for both: through a UNIX socket, which belongs to no network namespace.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Namespace } from "./namespace.ts";

const code = `
const { createServer, connect } = require("net");
const [port, path] = process.argv.slice(1);
createServer((inner) => {
  const outer = connect(path);
  for (const [one, other] of [[inner, outer], [outer, inner]]) {
    one.setNoDelay?.(true);
    one.pipe(other);
    one.on("error", () => other.destroy());
    one.on("close", (failed) => failed ? other.destroy() : other.end());
  }
}).listen(Number(port), "127.0.0.1", () => console.log("listening"));`;

export class Relay {
  readonly #directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-relay-`));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #child: ChildProcess | null = null;

  private constructor(port: number) {
    this.#server = createServer((inner) => {
      const outer = connect(port, "127.0.0.1");
      outer.setNoDelay(true);
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", (failed) => {
          this.#sockets.delete(one);
          // What the other side hasn't read yet is on its way.
          if (failed) other.destroy();
          else other.end();
        });
      }
    });
  }

  /** `port` of 127.0.0.1, here and there. */
  static async start(namespace: Pick<Namespace, "spawn">, port: number): Promise<Relay> {
    const relay = new Relay(port);
    const path = join(relay.#directory, "socket");
    await new Promise<void>((resolve) => relay.#server.listen(path, resolve));
    const child = namespace.spawn([process.execPath, "-e", code, String(port), path]);
    relay.#child = child;
    await new Promise((resolve) => child.stdout.once("data", resolve));
    return relay;
  }

  close(): void {
    this.#child?.kill();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
