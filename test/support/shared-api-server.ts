/**
 * Before all tests: where the binary of an API server is given (VERDICTD_TEST_APISERVER) and no running one
 * (VERDICTD_TEST_KUBECONFIG), one is started for all of them, with the CRDs of the policy API where these are beside
 * the checkout, and ended after the last test.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ApiClient } from "./api-client.ts";
import { OwnApiServer, ownServerSkipReason } from "./api-server.ts";

const crdDirectory = resolve(import.meta.dirname, "../../../shared/conformance/crds");

/** The files of the policy API's CRDs, as they are; none where they aren't there. */
export function readPolicyCrds(): string[] {
  if (!existsSync(crdDirectory)) return [];
  const names = readdirSync(crdDirectory).filter((name) => name.endsWith(".yaml"));
  return names.sort().map((name) => readFileSync(join(crdDirectory, name), "utf8"));
}

export async function createPolicyCrds(client: ApiClient): Promise<void> {
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const crd of readPolicyCrds()) await client.must("POST", path, crd, "application/yaml");
}

/** Vitest's; what it returns runs at the end. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.VERDICTD_TEST_KUBECONFIG || ownServerSkipReason !== null) return undefined;
  const server = await OwnApiServer.start();
  const client = server.client();
  await createPolicyCrds(client);
  client.close();
  process.env.VERDICTD_TEST_KUBECONFIG = server.kubeconfig;
  return () => server.remove();
}
