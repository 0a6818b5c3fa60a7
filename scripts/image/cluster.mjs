/** What a pod finds of its cluster, with a real API server in the node's network namespace. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { OwnApiServer } from "../../test/support/api-server.ts";

export class Cluster {
  #server;
  /** For the pod: its environment and mounts. */
  env;
  mounts;

  /** Has the objects of the file `objects`; `folder` gets the service account. */
  static async start(node, objects, folder) {
    const wrapper = ["nsenter", `--net=/run/netns/${node.name}`, "--"];
    const cluster = new Cluster();
    cluster.#server = await OwnApiServer.start({ wrapper, flags: ["--keep-status"] });
    const { kubeconfig } = cluster.#server;
    node.check(["kubectl", "--kubeconfig", kubeconfig, "create", "-f", objects]);
    const { clusters, users } = load(readFileSync(kubeconfig, "utf8"));
    const { server, "certificate-authority-data": authority } = clusters[0].cluster;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.crt"), Buffer.from(authority, "base64"));
    writeFileSync(join(folder, "token"), users[0].user.token);
    const { hostname, port } = new URL(server);
    cluster.env = [`KUBERNETES_SERVICE_HOST=${hostname}`, `KUBERNETES_SERVICE_PORT=${port}`];
    cluster.mounts = { [folder]: "/var/run/secrets/kubernetes.io/serviceaccount" };
    return cluster;
  }

  stop() {
    return this.#server.remove();
  }
}
