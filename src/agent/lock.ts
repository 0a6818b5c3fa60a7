/**
 * One agent for each network namespace: it listens on `/run/verdictd/<inode of the namespace>.sock`. The directory is
 * root's, so that nobody else can hold the place; a socket that nobody listens on is left from a process that was
 * killed, and replaced.
 */
import { chmodSync, mkdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { KernelError } from "../kernel/error.ts";

const DIRECTORY = "/run/verdictd";

export class NamespaceLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects with VERDICTD_ALREADY_RUNNING where another agent holds the namespace. */
  static async acquire(): Promise<NamespaceLock> {
    const path = join(DIRECTORY, `${statSync("/proc/self/ns/net").ino}.sock`);
    try {
      mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 });
    } catch (cause) {
      const { message, errno = 0 } = cause as NodeJS.ErrnoException;
      throw new KernelError("VERDICTD_LOCK", `make ${DIRECTORY}`, errno, `${message}; make it for this user first`, {
        cause,
      });
    }
    // To be answered at all is the answer; whoever asks may be gone already.
    const server = createServer((socket) => socket.on("error", () => {}).destroy());
    if (!(await listens(server, path))) {
      if (await isAnswered(path)) throw alreadyRunning();
      rmSync(path, { force: true });
      if (!(await listens(server, path))) throw alreadyRunning();
    }
    chmodSync(path, 0o600);
    server.unref();
    return new NamespaceLock(server);
  }

  /** Where nothing is in it any more, and the directory isn't a mount of a container's. */
  static removeDirectory(): void {
    try {
      rmdirSync(DIRECTORY);
    } catch {
      // Another namespace's agent has something there.
    }
  }

  release(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** False where the path is taken. */
function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(new KernelError("VERDICTD_LOCK", `lock ${path}`, error.errno ?? 0, error.message, { cause: error }));
    };
    server.once("error", onError);
    server.listen({ path }, () => {
      server.removeListener("error", onError);
      resolve(true);
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

function alreadyRunning(): KernelError {
  return new KernelError(
    "VERDICTD_ALREADY_RUNNING",
    "lock the network namespace",
    98,
    "another verdictd enforces in this network namespace; stop it first, or run this one in a namespace of its own",
  );
}
