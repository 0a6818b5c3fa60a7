/**
 * The API server that tests are given: one that is running, by the kubeconfig VERDICTD_TEST_KUBECONFIG, which may be a
 * user's own cluster; and servers of a test's own from the binary VERDICTD_TEST_APISERVER (`node scripts/api-server.mjs`
 * builds it), to be restarted, starved and expired at will. The binary alone is enough: test/support/shared-api-server.ts
 * starts the former from it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "./api-client.ts";
import { lastingPort } from "./lasting-port.ts";
import { waitFor } from "./namespace.ts";

/** Of the server that is shared, or null. */
export const kubeconfigPath: string | null = process.env.VERDICTD_TEST_KUBECONFIG || null;
export const apiSkipReason: string | null =
  kubeconfigPath === null
    ? "VERDICTD_TEST_KUBECONFIG names no server"
    : existsSync(kubeconfigPath)
      ? null
      : `there is no ${kubeconfigPath}`;

const binary = process.env.VERDICTD_TEST_APISERVER || null;
/** Why no server of a test's own can be started, or null. */
export const ownServerSkipReason: string | null =
  binary === null ? "VERDICTD_TEST_APISERVER names no binary" : existsSync(binary) ? null : `there is no ${binary}`;

export type AdminAction = "compact" | "expire" | "drop-watches" | "abort-watches";

export interface OwnServerOptions {
  readonly flags?: readonly string[];
  /** A prefix that runs the server: in a network namespace, say. */
  readonly wrapper?: readonly string[];
}

/** A server of a test's own: stopped and started again, it has the same data and the same address. */
export class OwnApiServer {
  readonly directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-apiserver-`));
  readonly kubeconfig = join(this.directory, "kubeconfig");
  readonly #options: OwnServerOptions;
  #child: ChildProcess | null = null;
  #log = "";
  #port = 0;

  private constructor(options: OwnServerOptions) {
    this.#options = options;
    process.once("exit", this.#onExit);
  }

  static async start(options: OwnServerOptions = {}): Promise<OwnApiServer> {
    const server = new OwnApiServer(options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Ready when it resolves. `flags` of this start alone come after the others. */
  async start(flags: readonly string[] = []): Promise<void> {
    if (binary === null) throw new Error(ownServerSkipReason ?? "");
    rmSync(this.kubeconfig, { force: true });
    if (this.#port === 0) this.#port = await lastingPort();
    const own = ["--port", String(this.#port), "--data-dir", this.directory, "--kubeconfig-out", this.kubeconfig];
    const [command = "", ...args] = [
      ...(this.#options.wrapper ?? []),
      binary,
      ...own,
      ...(this.#options.flags ?? []),
      ...flags,
    ];
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-4000);
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = null;
    });
    await waitFor(
      "the API server",
      () => {
        if (this.#child === null) throw new Error(`the API server ended:\n${this.#log}`);
        return existsSync(this.kubeconfig) && readFileSync(this.kubeconfig, "utf8").includes("users:");
      },
      30_000,
    );
  }

  client(): ApiClient {
    return new ApiClient(this.kubeconfig);
  }

  /** Ends it: in order, or as a crash does. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.kill(signal);
    await waitFor("the API server's end", () => child.exitCode !== null || child.signalCode !== null, 20_000);
  }

  /** Ends it and forgets its data. */
  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    process.removeListener("exit", this.#onExit);
    rmSync(this.directory, { recursive: true, force: true });
  }

  readonly #onExit = (): void => {
    this.#child?.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  };
}

/** Makes a server do what is rare; only a server that was made for tests has these. */
export async function provoke(client: ApiClient, action: AdminAction): Promise<unknown> {
  return client.must("POST", `/admin/${action}`);
}
