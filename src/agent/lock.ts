/**
 * One agent for each network namespace: it listens on `/run/verdictd/<inode of the namespace>.sock`. The directory is
 * root's, so that nobody else can hold the place; a socket that nobody listens on is left from a process that was
 * killed, and replaced. Whoever connects is told which process it is.
 */
import { chmodSync, mkdirSync, readlinkSync, rmdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { KernelError } from "../kernel/error.ts";

const DIRECTORY = "/run/verdictd";
const ANSWER_MS = 500;

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
    // Whoever asks may be gone already.
    const server = createServer((socket) => socket.on("error", () => {}).end(describeSelf(), () => socket.destroy()));
    if (!(await listens(server, path))) {
      const holder = await askHolder(path);
      if (holder !== null) throw alreadyRunning(holder);
      rmSync(path, { force: true });
      if (!(await listens(server, path))) throw alreadyRunning((await askHolder(path)) ?? "");
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

/** In a container pids are others: they are of use only to who has the same. */
function describeSelf(): string {
  return `${process.pid} ${pidNamespace()}`;
}

function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid");
}

/** What it says of itself, which may be nothing: to be answered at all is the answer. Null where nobody listens. */
function askHolder(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    let said: string | null = null;
    const socket = connect({ path });
    socket.setEncoding("utf8").setTimeout(ANSWER_MS);
    socket.on("connect", () => {
      said = "";
    });
    socket.on("data", (text: string) => {
      said += text;
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(said));
  });
}

function alreadyRunning(holder: string): KernelError {
  const [, pid, namespace] = /^(\d+) (\S+)$/.exec(holder) ?? [];
  const place = namespace === pidNamespace() ? "" : " of a container";
  const who = pid === undefined ? "" : ` (pid ${pid}${place})`;
  return new KernelError(
    "VERDICTD_ALREADY_RUNNING",
    "lock the network namespace",
    98,
    `another verdictd enforces in this network namespace${who}; stop it first, or run this one in a namespace of its own`,
  );
}
