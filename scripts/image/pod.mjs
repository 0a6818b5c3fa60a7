/**
 * A pod's containers by runc, as a node's runtime starts them: user, capabilities, privilege escalation, read-only root,
 * environment and hostPath volumes are those of the manifest; capabilities as containerd and CRI-O give them, bounding,
 * permitted and effective. The node's own directories are below a folder.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./bases.mjs";

export class Pod {
  #folder;
  #spec;
  #namespace;
  #image;
  #count = 0;

  /** `spec` is a pod's; `image` the unpacked image, its environment and entry point. */
  constructor(folder, namespace, spec, image) {
    this.#folder = folder;
    this.#namespace = namespace;
    this.#spec = spec;
    this.#image = image;
    mkdirSync(folder, { recursive: true });
  }

  /** Where a path of the node is. What the kernel shows is the kernel's. */
  hostPath(path) {
    return path.startsWith("/proc/") ? path : join(this.#folder, "node", path);
  }

  /** Runs an init container to its end; returns what it printed. Throws where it fails. */
  init(name) {
    const container = this.#spec.initContainers.find((candidate) => candidate.name === name);
    return run("runc", this.#runcArgs("run", this.#bundle(container, {})));
  }

  /** Starts the first container. `change`: other arguments, more mounts and environment. */
  start(change) {
    const id = `vd${process.pid}-${++this.#count}`;
    const bundle = this.#bundle(this.#spec.containers[0], change);
    const child = spawn("runc", ["--root", this.#root, "run", "--bundle", bundle, id], { stdio: "pipe" });
    const container = { child, log: "", status: "", exitCode: null };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        container.log += text;
      });
    }
    container.ended = new Promise((resolve) => {
      child.on("exit", (code) => {
        container.exitCode = code;
        resolve(code);
      });
    });
    container.readStatus = () => readFileSync(`/proc/${this.#state(id).pid}/status`, "utf8");
    container.exec = (...argv) => spawnSync("runc", ["--root", this.#root, "exec", id, ...argv], { encoding: "utf8" });
    container.stop = async () => {
      spawnSync("runc", ["--root", this.#root, "kill", id, "TERM"]);
      return container.ended;
    };
    return container;
  }

  get #root() {
    return join(this.#folder, "runc");
  }

  #runcArgs(verb, bundle) {
    return ["--root", this.#root, verb, "--bundle", bundle, `vd${process.pid}-${++this.#count}`];
  }

  #state(id) {
    return JSON.parse(run("runc", ["--root", this.#root, "state", id]));
  }

  #bundle(container, { args = container.args, mounts = {}, env: added = [] }) {
    const bundle = mkdtempSync(join(this.#folder, `${container.name}-`));
    run("runc", ["spec", "--bundle", bundle]);
    const path = join(bundle, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    const security = { ...this.#spec.securityContext, ...container.securityContext };
    const capabilities = (security.capabilities.add ?? []).map((name) => `CAP_${name}`);
    const env = (container.env ?? []).map(({ name, value = "here" }) => `${name}=${value}`);
    config.process = {
      ...config.process,
      terminal: false,
      user: { uid: security.runAsUser, gid: security.runAsGroup },
      args: container.command ?? [...this.#image.entrypoint, ...args.map((arg) => expand(arg, env))],
      env: [...this.#image.env, ...env, ...added],
      capabilities: { bounding: capabilities, permitted: capabilities, effective: capabilities },
      noNewPrivileges: security.allowPrivilegeEscalation === false,
    };
    config.root = { path: this.#image.rootfs, readonly: security.readOnlyRootFilesystem };
    const network = { type: "network", path: `/run/netns/${this.#namespace.name}` };
    config.linux.namespaces = [...config.linux.namespaces.filter(({ type }) => type !== "network"), network];
    const volumes = new Map(this.#spec.volumes.map(({ name, hostPath }) => [name, this.hostPath(hostPath.path)]));
    const ours = Object.entries(mounts).map(([source, target]) => [source, target]);
    const theirs = container.volumeMounts.map(({ name, mountPath }) => [volumes.get(name), mountPath]);
    for (const [source, destination] of [...theirs, ...ours]) {
      if (!source.startsWith("/proc/")) mkdirSync(source, { recursive: true });
      config.mounts.push({ destination, source, type: "none", options: ["rbind", "rw"] });
    }
    writeFileSync(path, JSON.stringify(config));
    return bundle;
  }
}

/** As the kubelet does: $(NAME) is the variable. */
function expand(arg, env) {
  const values = new Map(env.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
  return arg.replace(/\$\((\w+)\)/g, (text, name) => values.get(name) ?? text);
}

/** The parts of a DaemonSet's pod that matter here, as kustomize renders it. */
export function podSpecOf(objects) {
  return objects.find(({ kind }) => kind === "DaemonSet").spec.template.spec;
}
