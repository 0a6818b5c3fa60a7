/** A server behind a proxy: the kubeconfig's is used for lists and watches, the environment's isn't. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiDouble, doubleSkipReason } from "../../../support/api-double.ts";
import { pod } from "./objects.ts";
import { patiently, WatchedCluster } from "./watched-cluster.ts";

/** An HTTP proxy that tunnels (CONNECT). */
class TunnelProxy {
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  /** Whom its clients asked for. */
  readonly asked: string[] = [];

  static async start(): Promise<TunnelProxy> {
    const proxy = new TunnelProxy();
    proxy.#server.on("connect", (request, client: Socket) => {
      proxy.asked.push(request.url ?? "");
      const [host, port] = (request.url ?? "").split(":");
      const server = connect(Number(port), host, () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      client.pipe(server).pipe(client);
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        proxy.#sockets.add(one);
        one.on("error", () => {}).on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe.skipIf(doubleSkipReason !== null)(`a proxy (${doubleSkipReason ?? "the double"})`, () => {
  let double: ApiDouble;
  let proxy: TunnelProxy;
  let cluster: WatchedCluster;
  afterEach(async () => {
    vi.unstubAllEnvs();
    cluster.close();
    proxy.close();
    await double.remove();
  });

  const start = async (prepare: () => void): Promise<void> => {
    double = await ApiDouble.start();
    proxy = await TunnelProxy.start();
    double.apply(pod("a", 1));
    prepare();
    cluster = await WatchedCluster.start(double.kubeconfig);
    await patiently("watches", () => double.isWatched);
    double.apply(pod("a", 2));
    await cluster.holds(() => double.objects());
  };

  it("of the kubeconfig (proxy-url) is used", async () => {
    await start(() => {
      const config = JSON.parse(readFileSync(double.kubeconfig, "utf8"));
      config.clusters[0].cluster["proxy-url"] = proxy.url;
      writeFileSync(double.kubeconfig, JSON.stringify(config));
    });
    expect(double.connections).toBeGreaterThan(0);
    expect(proxy.asked.length).toBeGreaterThanOrEqual(double.connections);
  });

  it("of the environment isn't", async () => {
    await start(() => {
      for (const name of ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) vi.stubEnv(name, proxy.url);
      for (const name of ["NO_PROXY", "no_proxy"]) vi.stubEnv(name, "");
    });
    expect(proxy.asked).toEqual([]);
  });
});
