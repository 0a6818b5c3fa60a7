/**
 * One agent for each network namespace. An abstract Unix socket belongs to the namespace it was made in and vanishes
 * with its process, so there is nothing to clean up after a crash.
 */
import { createServer, type Server } from "node:net";
import { KernelError } from "../kernel/error.ts";

const NAME = "\0verdictd-agent";

export class NamespaceLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects with VERDICTD_ALREADY_RUNNING where another agent holds the namespace. */
  static async acquire(): Promise<NamespaceLock> {
    const server = createServer((socket) => socket.end(`${process.pid}\n`));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        reject(
          cause.code === "EADDRINUSE"
            ? new KernelError(
                "VERDICTD_ALREADY_RUNNING",
                "lock the network namespace",
                98,
                "another verdictd enforces in this network namespace; stop it first, or run this one in a namespace of its own",
              )
            : cause,
        );
      });
      server.listen({ path: NAME }, resolve);
    });
    server.unref();
    return new NamespaceLock(server);
  }

  release(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
