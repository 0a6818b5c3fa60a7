/** The cluster of a node lab as one file of objects, so that every change of it is one change of the engine's input. */
import { Engine, PolicyDirectory } from "./engine.ts";
import { list, namespaceObject, node, type PodFields, pod } from "./kubernetes.ts";
import type { Namespace } from "./namespace.ts";
import { isFar, nodeAddress, otherNodeAddress, type PodName, podAddress, podNames } from "./node-lab.ts";

type Labels = Readonly<Record<string, string>>;

/** What is otherwise than usual. */
export interface ClusterState {
  readonly policies?: readonly object[];
  /** Of pods, besides `app` and `site`. Null: there is no such pod. */
  readonly pods?: Partial<Record<PodName, (PodFields & { readonly labels?: Labels }) | null>>;
  /** Of the namespace `blog`. */
  readonly blog?: Labels;
  readonly more?: readonly object[];
}

/**
 * `db` and `web` are in the namespace `shop` and `stranger` in `blog`; those behind the other node likewise, and have the
 * same `app`, and the label `site=far`.
 */
export function clusterObjects({ policies = [], pods = {}, blog = {}, more = [] }: ClusterState): object {
  return list([
    node(nodeAddress),
    node(otherNodeAddress, "node-2"),
    namespaceObject("shop", { team: "shop" }),
    namespaceObject("blog", { team: "blog", ...blog }),
    ...podNames.flatMap((name) => {
      const fields = pods[name];
      if (fields === null) return [];
      const app = name.replace("far-", "");
      const labels = { app, site: isFar(name) ? "far" : "here", ...fields?.labels };
      const place = { namespace: app === "stranger" ? "blog" : "shop", nodeName: isFar(name) ? "node-2" : "node-1" };
      return [pod(name, labels, podAddress[name], { ...place, ...fields })];
    }),
    ...more,
    ...policies,
  ]);
}

/** The engine of a node, and what it's fed with. */
export class NodeEngine {
  readonly #directory: PolicyDirectory;
  readonly #start: () => Promise<Engine>;
  #engine: Engine;
  #text: string;

  private constructor(directory: PolicyDirectory, start: () => Promise<Engine>, engine: Engine, text: string) {
    this.#directory = directory;
    this.#start = start;
    this.#engine = engine;
    this.#text = text;
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** `args` besides the node's name, `node-1`. */
  static async start(namespace: Namespace, state: ClusterState, args: readonly string[] = []): Promise<NodeEngine> {
    return NodeEngine.startWith(namespace, clusterObjects(state), args);
  }

  static async startWith(namespace: Namespace, objects: object, args: readonly string[]): Promise<NodeEngine> {
    const directory = new PolicyDirectory();
    const text = JSON.stringify(objects);
    directory.write("cluster.json", text);
    const begin = () => Engine.start(namespace, [directory.path], ["--node-name", "node-1", ...args]);
    try {
      return new NodeEngine(directory, begin, await begin(), text);
    } catch (error) {
      directory.remove();
      throw error;
    }
  }

  /** Enforces this state; nothing is done where it is already. */
  async set(state: ClusterState): Promise<void> {
    await this.setObjects(clusterObjects(state));
  }

  /** In the place of all objects. */
  async setObjects(objects: object): Promise<void> {
    const text = JSON.stringify(objects);
    if (text === this.#text) return;
    await this.engine.applies(() => this.#directory.write("cluster.json", text));
    this.#text = text;
  }

  /** Begins again with the same; where it hasn't ended, it's killed. */
  async restart(): Promise<void> {
    await this.#engine.kill();
    this.#engine = await this.#start();
  }

  async stop(): Promise<number> {
    this.#directory.remove();
    return this.engine.stop();
  }
}
