/** Two pods on bridges of a node, one of which takes tcp 80 alone from the other, and the objects that say so. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const addresses = { client: "10.9.1.2", server: "10.9.2.2" };

export class PodNetwork {
  #client;
  #server;
  /** The objects' directory. */
  folder;

  constructor(lab, node, folder) {
    this.folder = folder;
    node.sysctl("net/ipv4/ip_forward", "1");
    const pods = Object.entries(addresses).map(([name, address]) => {
      const gateway = address.replace(/2$/, "1");
      const pod = lab.namespace(name);
      lab.link(node, `v-${name}`, pod, "eth0");
      // On a bridge of its own: its frames are filtered too, which needs a switch below /proc/sys.
      node.bridge(`br-${name}`, [`v-${name}`]);
      node.address(`br-${name}`, `${gateway}/24`);
      pod.address("eth0", `${address}/24`);
      pod.route("default", gateway);
      return pod;
    });
    [this.#client, this.#server] = pods;
    mkdirSync(folder);
    writeFileSync(this.file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  }

  get file() {
    return join(this.folder, "cluster.json");
  }

  async listen() {
    for (const port of [80, 81]) {
      const program = `require("net").createServer((s)=>s.end()).listen(${port},()=>console.log("listening"))`;
      const server = this.#server.spawn([process.execPath, "-e", program]);
      await new Promise((resolve) => server.stdout.once("data", resolve));
    }
  }

  /** `open`, or what a connection from the client to the server meets. */
  connect(port) {
    const program = `const say=(word)=>{console.log(word);process.exit()};
      require("net").connect({host:"${addresses.server}",port:${port}},()=>say("open")).on("error",(e)=>say(e.code));
      setTimeout(()=>say("timeout"),1000)`;
    return this.#client.check([process.execPath, "-e", program]).trim();
  }
}

const pod = (name) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", labels: { app: name } },
  spec: { nodeName: "here", containers: [{ name: "c" }] },
  status: { phase: "Running", podIP: addresses[name], podIPs: [{ ip: addresses[name] }] },
});
const selectorOf = (app) => ({ podSelector: { matchLabels: { app } } });
const objects = [
  { apiVersion: "v1", kind: "Node", metadata: { name: "here" } },
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
  pod("client"),
  pod("server"),
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "server", namespace: "shop" },
    spec: {
      ...selectorOf("server"),
      policyTypes: ["Ingress"],
      ingress: [{ from: [selectorOf("client")], ports: [{ port: 80 }] }],
    },
  },
];
