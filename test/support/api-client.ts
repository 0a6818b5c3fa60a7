/**
 * A client of a Kubernetes API server for tests: one request at a time in plain JSON, with whatever credentials a
 * kubeconfig has. What a test makes through an `ApiScope` has names of its own and is deleted at its end, so that many
 * tests can share a server, and a user's own cluster isn't harmed.
 */
import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";

/** A Kubernetes object, as loosely as tests write them. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  /** Parsed where it's JSON, else the text. */
  readonly body: unknown;
}

const clusterScoped = new Set([
  "Namespace",
  "Node",
  "CustomResourceDefinition",
  "AdminNetworkPolicy",
  "BaselineAdminNetworkPolicy",
  "ClusterNetworkPolicy",
]);

/** The path of a collection: `/api/v1/namespaces/default/pods`; of all namespaces without one. */
export function collectionPath(apiVersion: string, kind: string, namespace?: string): string {
  const lower = kind.toLowerCase();
  const plural = lower.endsWith("y") ? `${lower.slice(0, -1)}ies` : lower.endsWith("s") ? lower : `${lower}s`;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`;
}

function objectPath({ apiVersion, kind, metadata }: ApiObject): string {
  const namespace = clusterScoped.has(kind) ? undefined : (metadata.namespace ?? "default");
  return `${collectionPath(apiVersion, kind, namespace)}/${metadata.name}`;
}

export class ApiClient {
  readonly #config = new KubeConfig();
  readonly #agent: Agent;
  readonly server: URL;

  constructor(kubeconfig: string) {
    this.#config.loadFromFile(kubeconfig);
    const server = this.#config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error(`${kubeconfig} names no server`);
    this.server = new URL(server);
    this.#agent = new Agent({ keepAlive: true, maxSockets: 16 });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Whatever the status, but for 429, after which it's asked again. `type`: the body's content type. */
  async request(method: string, path: string, body?: unknown, type = "application/json"): Promise<ApiAnswer> {
    const end = performance.now() + 20_000;
    for (;;) {
      const answer = await this.#requestOnce(method, path, body, type);
      if (answer.status !== 429 || performance.now() > end) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #requestOnce(method: string, path: string, body: unknown, type: string): Promise<ApiAnswer> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    const headers: Record<string, string | number> = { ...(options.headers as Record<string, string>) };
    headers.Accept = "application/json";
    if (text !== null) Object.assign(headers, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, this.server),
        { ...options, method, headers, agent: this.#agent, timeout: 60_000 },
        (response) => void readAnswer(response).then(resolve, reject),
      );
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer in a minute`)));
      sent.end(text ?? undefined);
    });
  }

  /** What is asked must succeed: the answer's body. */
  async must(method: string, path: string, body?: unknown, type?: string): Promise<unknown> {
    const answer = await this.request(method, path, body, type);
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** Creates it, its status too where it has one. */
  async create(object: ApiObject): Promise<void> {
    const path = objectPath(object);
    await this.must("POST", path.slice(0, path.lastIndexOf("/")), object);
    if (object.status !== undefined) await this.patch(object, { status: object.status }, "status");
  }

  /** A merge patch of the object, or of its subresource. */
  async patch(object: ApiObject, patch: object, subresource?: "status"): Promise<void> {
    const path = subresource === undefined ? objectPath(object) : `${objectPath(object)}/${subresource}`;
    await this.must("PATCH", path, patch, "application/merge-patch+json");
  }

  /** At once, without a pod's grace period; one that isn't there is none of our business. */
  async delete(object: ApiObject): Promise<void> {
    const answer = await this.request("DELETE", `${objectPath(object)}?gracePeriodSeconds=0`);
    if (answer.status > 299 && answer.status !== 404) {
      throw new Error(`DELETE ${objectPath(object)}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }

  /** All objects of a kind, as the server has them now; null where it doesn't serve the kind. */
  async list(apiVersion: string, kind: string, namespace?: string): Promise<ApiObject[] | null> {
    const path = collectionPath(apiVersion, kind, namespace);
    const answer = await this.request("GET", path);
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return (answer.body as { items: ApiObject[] }).items.map((item) => ({ ...item, apiVersion, kind }));
  }
}

let made = 0;

/** The objects of one test: with names that nobody else has, gone when it ends. */
export class ApiScope {
  readonly client: ApiClient;
  /** A prefix for names and a value for labels. */
  readonly name = `vd-test-${process.pid}-${++made}-${Math.random().toString(36).slice(2, 7)}`;
  readonly #objects: ApiObject[] = [];

  constructor(client: ApiClient) {
    this.client = client;
  }

  async create(...objects: readonly ApiObject[]): Promise<void> {
    for (const object of objects) {
      this.#objects.push(object);
      await this.client.create(object);
    }
  }

  /** A namespace of this test: `NAME-LABEL`. */
  async namespace(label: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `${this.name}-${label}`;
    await this.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    return name;
  }

  /** Deletes what was created, last first. */
  async remove(): Promise<void> {
    for (const object of this.#objects.splice(0).reverse()) await this.client.delete(object);
  }
}

async function readAnswer(response: IncomingMessage): Promise<ApiAnswer> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // what isn't JSON is shown as it is
  }
  return { status: response.statusCode ?? 0, body };
}
