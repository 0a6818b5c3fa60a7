/** `/metrics`, `/readyz` and `/livez` on one address. Nothing here can change what is enforced. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Readiness } from "./readiness.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` with an IPv6 host in brackets; null for anything else. */
export function parseListenAddress(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host !== undefined && port <= 65535 ? { host, port } : null;
}

export interface TelemetryPages {
  readonly contentType: string;
  metrics(): Promise<string>;
  readiness(): Readiness;
}

/** An address that can't be bound: `127.0.0.1:9472: why; what to do instead`. */
export class ListenError extends Error {
  override readonly name = "ListenError";

  constructor({ host, port }: ListenAddress, cause: unknown) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = listenFailures[code] ?? (code || String(cause));
    const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    super(`${place}: ${why}; choose another with --listen HOST:PORT, or none with --listen none`, { cause });
  }
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there already",
  EADDRNOTAVAIL: "this host (in this network namespace) has no such address",
  EAFNOSUPPORT: "this host has no IPv6",
  EACCES: "this user may not listen on that port",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the host's name can't be resolved",
};

/** Rejects with ListenError when the address can't be bound. */
export async function startHttpServer(address: ListenAddress, pages: TelemetryPages): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else if (path === "/metrics") {
      pages.metrics().then(
        (body) => response.writeHead(200, { "content-type": pages.contentType }).end(body),
        (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
      );
    } else if (path === "/readyz") {
      const readiness = pages.readiness();
      response
        .writeHead(readiness.ready ? 200 : 503, { "content-type": "application/json" })
        .end(`${JSON.stringify(readiness)}\n`);
    } else if (path === "/livez") {
      // To answer is the answer: what is wrong elsewhere isn't mended by a restart.
      response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("there are /metrics, /readyz and /livez here\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ListenError(address, error)));
    server.listen(address.port, address.host, resolve);
  });
  return new HttpServer(server);
}

export class HttpServer {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** The port it got, where 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
