/**
 * Which cluster is meant: files as kubectl takes them, or a pod's service account. Each file is read by the official
 * client; of several, the first one that has a name, or the current context, says what it is, and files of KUBECONFIG that
 * aren't there are passed over.
 */
import { accessSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
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

const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** With a current context, whose cluster can be asked. Throws ClusterAccessError. */
export function readConfig({ kubeconfig, context }: ClusterOptions): KubeConfig {
  const variable = process.env.KUBECONFIG ?? "";
  if (kubeconfig === null && variable === "" && isInPod()) {
    const config = new KubeConfig();
    config.loadFromCluster();
    return chooseContext(config, context, "the pod's service account");
  }
  if (kubeconfig !== null) return chooseContext(mergeConfigs([readFile(kubeconfig)]), context, kubeconfig);
  const files = variable === "" ? [join(homedir(), ".kube", "config")] : variable.split(delimiter).filter(Boolean);
  const found = files.filter(exists);
  if (found.length === 0) {
    const missing = variable === "" ? "no cluster to talk to" : `KUBECONFIG=${variable}: there is no such file`;
    throw new ClusterAccessError(
      `${missing}: name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod with a service account`,
    );
  }
  return chooseContext(mergeConfigs(found.map(readFile)), context, found.join(delimiter));
}

/** `where` is what people know it by. */
function chooseContext(config: KubeConfig, context: string | null, where: string): KubeConfig {
  const names = config.getContexts().map(({ name }) => name);
  const there = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  if (context !== null) {
    if (!names.includes(context)) throw new ClusterAccessError(`--context ${context}: not in ${where}; ${there}`);
    config.setCurrentContext(context);
  }
  const current = config.getCurrentContext() ?? "";
  if (current === "")
    throw new ClusterAccessError(`${where} has no current context: choose one by --context; ${there}`);
  if (!names.includes(current)) {
    throw new ClusterAccessError(
      `${where}: its current context ${current} isn't there: choose another by --context; ${there}`,
    );
  }
  const cluster = config.getCurrentCluster();
  const of = `${where}: the cluster of context ${current}`;
  if (cluster === null) throw new ClusterAccessError(`${of} isn't there: choose another by --context; ${there}`);
  const { server, skipTLSVerify, proxyUrl } = cluster;
  if (!/^https?:\/\//.test(server)) throw new ClusterAccessError(`${of} has no https:// address as its server`);
  if (server.startsWith("http:") && !skipTLSVerify && !proxyUrl) {
    throw new ClusterAccessError(
      `${of} is ${server}, where everybody on the way could write policies: give an https:// address or, if the way is ` +
        "safe, insecure-skip-tls-verify: true",
    );
  }
  return config;
}

/** The first one counts. */
function mergeConfigs(configs: readonly KubeConfig[]): KubeConfig {
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEach(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEach(configs.flatMap(({ users }) => users)),
    contexts: firstOfEach(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map((config) => config.getCurrentContext()).find(Boolean) ?? "",
  });
  return merged;
}

function firstOfEach<T extends { readonly name: string }>(all: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const one of all) if (!byName.has(one.name)) byName.set(one.name, one);
  return [...byName.values()];
}

function readFile(file: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
    useTokenFiles(config, file);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ClusterAccessError(`${file}: no usable kubeconfig (${message.split("\n")[0]})`);
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

function exists(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch (error) {
    // Whatever else is wrong with it is told where it's read.
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}
