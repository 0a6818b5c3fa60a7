/** A Docker daemon of our own, in a network namespace: it makes no bridge and no rules. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../test/support/namespace.ts";
import { run } from "./bases.mjs";

// Debian's own client is of the daemon's age; another one may be first in PATH.
const client = existsSync("/usr/bin/docker") ? "/usr/bin/docker" : "docker";

export class Docker {
  #daemon;
  #env;

  constructor(daemon, env) {
    this.#daemon = daemon;
    this.#env = env;
  }

  /** All that it writes is below `folder`. */
  static async start(namespace, folder) {
    const socket = `unix://${join(folder, "docker.sock")}`;
    const configuration = join(folder, "daemon.json");
    writeFileSync(configuration, "{}");
    const daemon = namespace.spawn([
      ...["dockerd", "--config-file", configuration, "--host", socket, "--pidfile", join(folder, "pid")],
      ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
      ...["--bridge=none", "--iptables=false", "--ip6tables=false"],
    ]);
    let log = "";
    for (const stream of [daemon.stdout, daemon.stderr]) {
      stream.on("data", (text) => {
        log += text;
      });
    }
    const docker = new Docker(daemon, { ...process.env, DOCKER_HOST: socket, DOCKER_BUILDKIT: "0" });
    try {
      await waitFor("dockerd", () => docker.try("version").status === 0, 60_000);
    } catch (error) {
      await docker.stop();
      throw new Error(`${error.message}\n${log.slice(-3000)}`);
    }
    return docker;
  }

  /** Its standard output. Throws where it fails. */
  do(...args) {
    return run(client, args, { env: this.#env });
  }

  try(...args) {
    return spawnSync(client, args, { env: this.#env, encoding: "utf8", timeout: 60_000 });
  }

  async stop() {
    if (this.#daemon.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#daemon.once("exit", resolve));
    this.#daemon.kill("SIGTERM");
    const timer = setTimeout(() => this.#daemon.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }
}
