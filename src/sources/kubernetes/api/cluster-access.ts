/**
 * Where the API server is and who we are to it: kubeconfig or a pod's service account, through the official client.
 * Credentials change under us (tokens rotate, certificates and CAs are renewed), so they are read again every half minute,
 * and at once where the server refused them.
 */
import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { ClusterAccessError, type ClusterOptions, readConfig } from "./kubeconfig.ts";

/** Tokens and certificates are read again after this. */
const FRESH_MS = 30_000;

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
