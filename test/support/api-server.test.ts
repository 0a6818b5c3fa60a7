/** What tests rely on of an API server, and of the tools that they reach it with. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApiClient, type ApiObject, ApiScope } from "./api-client.ts";
import { apiSkipReason, kubeconfigPath, OwnApiServer, ownServerSkipReason, provoke } from "./api-server.ts";

const pod = (namespace: string, name: string): ApiObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app: name } },
  spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] },
  status: { phase: "Running", podIP: "10.1.2.3", podIPs: [{ ip: "10.1.2.3" }] },
});

if (apiSkipReason !== null) console.warn(`test/support/api-server: skipped: ${apiSkipReason}`);
describe.skipIf(apiSkipReason !== null)(`a shared server (${apiSkipReason ?? "as given"})`, () => {
  it("objects are created with their status, patched, listed, and gone with their scope", async () => {
    const client = new ApiClient(kubeconfigPath ?? "");
    const scope = new ApiScope(client);
    try {
      const namespace = await scope.namespace("a", { team: scope.name });
      const object = pod(namespace, "web");
      await scope.create(object);
      await client.patch(object, { metadata: { labels: { tier: "front" } } });
      expect(await client.list("v1", "Pod", namespace)).toMatchObject([
        { metadata: { name: "web", labels: { app: "web", tier: "front" } }, status: { podIP: "10.1.2.3" } },
      ]);
      await scope.remove();
      expect(await client.list("v1", "Pod", namespace)).toEqual([]);
      expect(await client.list("example.org/v1", "Nothing")).toBeNull();
    } finally {
      await scope.remove();
      client.close();
    }
  });
});

if (ownServerSkipReason !== null) console.warn(`test/support/api-server: skipped: ${ownServerSkipReason}`);
describe.skipIf(ownServerSkipReason !== null)(`a server of one's own (${ownServerSkipReason ?? "as built"})`, () => {
  let server: OwnApiServer;
  let client: ApiClient;
  beforeAll(async () => {
    server = await OwnApiServer.start();
    client = server.client();
  });
  afterAll(async () => {
    client?.close();
    await server?.remove();
    expect(existsSync(server?.directory)).toBe(false);
  });

  it("killed and started again, it has the same data at the same address", async () => {
    await client.create(pod("default", "kept"));
    await server.stop("SIGKILL");
    await expect(client.list("v1", "Pod")).rejects.toThrow();
    await server.start();
    expect(await client.list("v1", "Pod", "default")).toMatchObject([{ metadata: { name: "kept" } }]);
  });

  it("does what is rare when asked to", async () => {
    expect(await provoke(client, "drop-watches")).toBe(0);
    expect(await provoke(client, "abort-watches")).toBe(0);
    await provoke(client, "compact");
    await provoke(client, "expire");
    expect(await client.list("v1", "Namespace")).not.toEqual([]);
  });
});
