/**
 * Where the API server is and who we are to it: kubeconfig or a pod's service account, through the official client.
 * Credentials change under us (tokens rotate, certificates and CAs are renewed), so they are read again every half minute,
 * and at once where the server refused them.
 */
import { accessSync, readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { dirname, resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { load } from "js-yaml";

export interface ClusterOptions {
  /** Null: `$KUBECONFIG`, else the pod's service account, else `~/.kube/config`. */
  readonly kubeconfig: string | null;
  /** Null: the current one. */
  readonly context: string | null;
}

/** What can't be used, and what helps. */
export class ClusterAccessError extends Error {
  override readonly name = "ClusterAccessError";
}

/** Tokens and certificates are read again after this. */
const FRESH_MS = 30_000;
const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

export class ClusterAccess {
  readonly #options: ClusterOptions;
  #config: KubeConfig;
  #request: { readonly options: RequestOptions; readonly untilMs: number } | null = null;
  #wantsConfig = false;

  /** Throws ClusterAccessError for a kubeconfig that names no server. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#config = readConfig(options);
  }

  /** `https://10.96.0.1:443`, without a slash at its end. */
  get server(): string {
    return (this.#config.getCurrentCluster()?.server ?? "").replace(/\/+$/, "");
  }

  /** Agent, headers and TLS of the next request. Throws what reading tokens and certificates throws. */
  async requestOptions(): Promise<RequestOptions> {
    if (this.#request !== null && performance.now() < this.#request.untilMs) return this.#request.options;
    if (this.#wantsConfig) this.#readAgain();
    const options: RequestOptions = { headers: {} };
    await this.#config.applyToHTTPSOptions(options as Parameters<KubeConfig["applyToHTTPSOptions"]>[0]);
    const { agent, auth, headers } = options;
    const { servername, rejectUnauthorized } = options;
    const request: RequestOptions = {
      ...(agent === undefined ? {} : { agent }),
      ...(auth === undefined ? {} : { auth }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      headers: headers ?? {},
    };
    this.#request = { options: request, untilMs: performance.now() + FRESH_MS };
    return request;
  }

  /** The server doesn't take us, or we don't trust it: everything is read again before the next request. */
  renew(): void {
    this.#request = null;
    this.#wantsConfig = true;
  }

  /** Who is in the middle of writing it: what we have is as good as anything. */
  #readAgain(): void {
    this.#wantsConfig = false;
    try {
      this.#config = readConfig(this.#options);
    } catch (error) {
      if (!(error instanceof ClusterAccessError)) throw error;
      this.#wantsConfig = true;
    }
  }
}

function readConfig({ kubeconfig, context }: ClusterOptions): KubeConfig {
  const config = new KubeConfig();
  const where = kubeconfig ?? process.env.KUBECONFIG ?? "";
  try {
    if (kubeconfig !== null) {
      config.loadFromFile(kubeconfig);
      useTokenFiles(config, kubeconfig);
    } else if (where === "" && isInPod()) config.loadFromCluster();
    else config.loadFromDefault();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ClusterAccessError(`${where || "~/.kube/config"}: no usable kubeconfig (${message.split("\n")[0]})`);
  }
  if (context !== null) {
    const names = config.getContexts().map(({ name }) => name);
    if (!names.includes(context)) {
      throw new ClusterAccessError(
        `--context ${context}: ${where || "the kubeconfig"} has ${names.join(", ") || "none"}`,
      );
    }
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null || (where === "" && cluster.server === "http://localhost:8080")) {
    throw new ClusterAccessError(
      "no cluster to talk to: name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod with a service account",
    );
  }
  if (!/^https?:\/\//.test(cluster.server)) {
    throw new ClusterAccessError(
      `${where}: the server of context ${config.getCurrentContext()} is no https:// address`,
    );
  }
  return config;
}

/** `users[].user.tokenFile`, which the client doesn't read: kept as what it reads again each minute. */
function useTokenFiles(config: KubeConfig, file: string): void {
  const { users = [] } = load(readFileSync(file, "utf8")) as {
    users?: { name: string; user?: { tokenFile?: string } }[];
  };
  for (const { name, user } of users) {
    const known = config.getUser(name);
    if (known === null || user?.tokenFile === undefined || known.token) continue;
    const tokenFile = resolve(dirname(file), user.tokenFile);
    Object.assign(known, { authProvider: { name: "tokenFile", config: { tokenFile } } });
  }
}

function isInPod(): boolean {
  if (process.env.KUBERNETES_SERVICE_HOST === undefined) return false;
  try {
    accessSync(SERVICE_ACCOUNT_TOKEN);
    return readFileSync(SERVICE_ACCOUNT_TOKEN).length > 0;
  } catch {
    return false;
  }
}
