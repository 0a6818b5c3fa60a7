/**
 * Network namespaces for kernel tests: `createLab()` makes namespaces named `vd<pid>-NAME`, wires them and destroys
 * all of them at the end, also when a test fails or the process exits. Leftovers of processes that were killed are
 * swept by the next lab. Nothing here changes the root namespace: veth pairs are born inside their namespaces.
 *
 *     const lab = createLab();
 *     afterAll(() => lab.destroy());
 *     const router = lab.namespace("router");
 *     lab.link(router, "lan0", lab.namespace("client"), "eth0");
 */
import { type ChildProcessWithoutNullStreams, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const hooksPath = fileURLToPath(new URL("register-typescript.mjs", import.meta.url));
const NETNS_DIRECTORY = "/run/netns";

/** How many times longer everything may take: emulated machines are slow. */
export const patience = Number(process.env.VERDICTD_TEST_PATIENCE ?? 1);

/** Why kernel tests can't run here, or null: for `describe.skipIf(skipReason !== null)` and the test's name. */
export const skipReason: string | null = findSkipReason();

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** What a command printed. */
export interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Namespace {
  /** The whole name, `vd123-router`, as `ip netns` knows it. */
  readonly name: string;
  /** Runs a command to its end, whatever its status. */
  run(argv: readonly string[], options?: RunOptions): Output;
  /** Runs a command that must succeed and returns its standard output. Throws with both outputs where it doesn't. */
  check(argv: readonly string[], options?: RunOptions): string;
  /** Starts a command; it is killed when the lab is destroyed, at the latest. */
  spawn(argv: readonly string[]): ChildProcessWithoutNullStreams;
  /** Starts Node on a file of the checkout, TypeScript or not, inside the namespace. */
  node(file: string | URL, args?: readonly string[]): ChildProcessWithoutNullStreams;
  /** Runs Node on a file of the checkout to its end. */
  runNode(file: string | URL, args?: readonly string[], options?: RunOptions): Output;
  /** Adds an address with its prefix length to an interface; IPv6 without duplicate detection. */
  address(device: string, cidr: string): void;
  /** Adds a route. */
  route(destination: string, via: string): void;
  /** Sets a sysctl by its path below /proc/sys; nothing happens where this kernel hasn't got it. */
  sysctl(path: string, value: string): void;
  /** Makes a bridge, up, and puts devices on it. */
  bridge(name: string, ports?: readonly string[]): void;
}

export interface Lab {
  /** A new namespace with loopback up, bridged packets kept from netfilter, and no IPv6 duplicate detection. */
  namespace(name: string): Namespace;
  /** A veth pair between two namespaces, both ends up. */
  link(a: Namespace, deviceA: string, b: Namespace, deviceB: string): void;
  /** Kills what runs in the namespaces and deletes them. May be called twice. */
  destroy(): void;
}

export function createLab(): Lab {
  sweepLeftovers();
  const made: string[] = [];
  const destroy = (): void => {
    for (const name of made.splice(0)) deleteNamespace(name);
    process.removeListener("exit", destroy);
  };
  process.on("exit", destroy);
  return {
    namespace(label) {
      const name = `vd${process.pid}-${label}`;
      mustRun(["ip", "netns", "add", name]);
      made.push(name);
      return openNamespace(name);
    },
    link(a, deviceA, b, deviceB) {
      a.check(["ip", "link", "add", deviceA, "type", "veth", "peer", "name", deviceB, "netns", b.name]);
      a.check(["ip", "link", "set", deviceA, "up"]);
      b.check(["ip", "link", "set", deviceB, "up"]);
    },
    destroy,
  };
}

/** Waits until `condition` is true, asking again each `everyMs`; throws with `what` after `timeoutMs`. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 5000,
  everyMs = 10,
): Promise<void> {
  const end = performance.now() + timeoutMs * patience;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

function openNamespace(name: string): Namespace {
  const enter = (argv: readonly string[]): string[] => ["nsenter", `--net=${NETNS_DIRECTORY}/${name}`, "--", ...argv];
  const nodeArgv = (file: string | URL, args: readonly string[]): string[] => [
    process.execPath,
    "--import",
    hooksPath,
    typeof file === "string" ? file : fileURLToPath(file),
    ...args,
  ];
  const namespace: Namespace = {
    name,
    run: (argv, options) => output(run(enter(argv), options)),
    check: (argv, options) => mustRun(enter(argv), options),
    spawn(argv) {
      const [command = "", ...args] = enter(argv);
      return spawn(command, args, { stdio: "pipe" });
    },
    node: (file, args = []) => namespace.spawn(nodeArgv(file, args)),
    runNode: (file, args = [], options) => namespace.run(nodeArgv(file, args), options),
    address(device, cidr) {
      namespace.check(["ip", "address", "add", cidr, "dev", device, ...(cidr.includes(":") ? ["nodad"] : [])]);
    },
    route(destination, via) {
      namespace.check(["ip", "route", "add", destination, "via", via]);
    },
    sysctl(path, value) {
      const file = `/proc/sys/${path}`;
      if (existsSync(file)) namespace.check(["tee", file], { input: value });
    },
    bridge(device, ports = []) {
      namespace.check(["ip", "link", "add", device, "type", "bridge"]);
      namespace.check(["ip", "link", "set", device, "up"]);
      for (const port of ports) namespace.check(["ip", "link", "set", port, "master", device]);
    },
  };
  namespace.check(["ip", "link", "set", "lo", "up"]);
  // A new namespace starts with these at 1, whatever the others have.
  for (const family of ["iptables", "ip6tables", "arptables"]) {
    namespace.sysctl(`net/bridge/bridge-nf-call-${family}`, "0");
  }
  for (const scope of ["all", "default"]) namespace.sysctl(`net/ipv6/conf/${scope}/accept_dad`, "0");
  return namespace;
}

function findSkipReason(): string | null {
  if (process.getuid?.() !== 0) return "kernel tests need root (sudo npm test)";
  for (const [command, ...args] of [
    ["ip", "netns", "list"],
    ["nft", "--version"],
    ["nsenter", "--version"],
  ] as const) {
    const result = run([command, ...args]);
    if (result.status !== 0) return `kernel tests need ${command}: ${result.error?.message ?? result.stderr.trim()}`;
  }
  return null;
}

/** Deletes namespaces of this helper whose process is gone. */
export function sweepLeftovers(): void {
  if (!existsSync(NETNS_DIRECTORY)) return;
  for (const name of readdirSync(NETNS_DIRECTORY)) {
    const pid = /^vd(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) deleteNamespace(name);
  }
}

function deleteNamespace(name: string): void {
  const pids = run(["ip", "netns", "pids", name]).stdout.split("\n").filter(Boolean);
  for (const pid of pids) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself in between.
    }
  }
  run(["ip", "netns", "delete", name]);
}

function mustRun(argv: readonly string[], options?: RunOptions): string {
  const result = run(argv, options);
  if (result.status !== 0) {
    const why = result.error?.message ?? `status ${result.status}`;
    throw new Error(`${argv.join(" ")}: ${why}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

function run(argv: readonly string[], options: RunOptions = {}): SpawnSyncReturns<string> {
  const [command = "", ...args] = argv;
  return spawnSync(command, args, {
    encoding: "utf8",
    timeout: (options.timeoutMs ?? 20_000) * patience,
    maxBuffer: 64 << 20,
    ...(options.input === undefined ? {} : { input: options.input }),
  });
}

function output(result: SpawnSyncReturns<string>): Output {
  return { status: result.status, stdout: result.stdout, stderr: result.error?.message ?? result.stderr };
}
