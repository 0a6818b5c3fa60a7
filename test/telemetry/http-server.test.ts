/** The pages, and what each says where nothing is enforced. */
import { afterEach, expect, test } from "vitest";
import { type HttpServer, startHttpServer } from "../../src/telemetry/http-server.ts";
import type { Readiness } from "../../src/telemetry/readiness.ts";

let server: HttpServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

test.each([
  ["/livez", true, 200, "ok"],
  ["/livez", false, 200, "ok"],
  ["/readyz", true, 200, '"ready":true'],
  ["/readyz", false, 503, '"ready":false'],
  ["/metrics", false, 200, "some 1"],
  ["/", true, 404, "/livez"],
] as const)("%s, ready: %s", async (path, ready, status, text) => {
  const readiness: Readiness = { ready, epoch: 1, inventoryStale: false, reasons: [] };
  const pages = { contentType: "text/plain", metrics: async () => "some 1\n", readiness: () => readiness };
  server = await startHttpServer({ host: "127.0.0.1", port: 0 }, pages);
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(text)]);
});
