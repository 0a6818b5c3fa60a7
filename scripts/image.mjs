#!/usr/bin/env node
/**
 * Builds the image of deploy/docker for real and has it enforce, without a registry: base images are made by
 * debootstrap and given this machine's Node, Docker runs in a network namespace of its own. Then runc starts the pod of
 * deploy/kubernetes as a node would; the API server is VERDICTD_TEST_APISERVER's, without one a directory stands for it. As
 * root, on Debian with docker.io, debootstrap and kubectl: `node scripts/image.mjs [--keep FOLDER]`; --keep keeps the base
 * images.
 *
 * Prints one line for each check and the figures as JSON; 1 where a check failed, 3 where this machine can't do it.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { register } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadAll } from "js-yaml";
import { findCommand, isRoot, refuse } from "./host.mjs";

register("../test/support/typescript-hooks.mjs", import.meta.url);
const { ownServerSkipReason } = await import("../test/support/api-server.ts");
const { createLab, waitFor } = await import("../test/support/namespace.ts");
const { makeBases, run } = await import("./image/bases.mjs");
const { Docker } = await import("./image/docker.mjs");
const { Cluster } = await import("./image/cluster.mjs");
const { Pod, podSpecOf } = await import("./image/pod.mjs");
const { PodNetwork } = await import("./image/network.mjs");

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({ options: { keep: { type: "string" } } });
const needed = ["dockerd", "runc", "debootstrap", "kubectl", "nft", "ip", "nsenter", "npm"];
const missing = needed.filter((command) => !findCommand(command));
if (missing.length > 0) refuse(`Missing on this machine: ${missing.join(", ")} (Debian: docker.io debootstrap)`);
if (!isRoot()) refuse("This check makes network namespaces: run it as root");

const IMAGE = "verdictd:check";
const UID = 65532;
const lab = createLab();
const work = mkdtempSync(join(tmpdir(), `vd${process.pid}-image-`));
const figures = {};
let failures = 0;
let docker = null;

function check(what, isRight, seen = "") {
  if (!isRight) failures += 1;
  process.stdout.write(`${isRight ? "ok  " : "FAIL"} ${what}${isRight || seen === "" ? "" : `: ${seen}`}\n`);
}
const isSame = (what, seen, wanted) => check(what, seen === wanted, `${seen}, not ${wanted}`);
const sinceMs = (start) => Math.round(performance.now() - start);

function build(bases) {
  const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  docker.do("import", bases.base, "verdictd-base");
  docker.do("import", "--change", path, bases.build, "verdictd-build");
  const start = performance.now();
  const args = ["--build-arg", "BUILD=verdictd-build", "--build-arg", "BASE=verdictd-base", "--network", "host"];
  docker.do("build", ...args, "-f", join(root, "deploy/docker/Dockerfile"), "-t", IMAGE, root);
  figures.buildSeconds = Math.round(sinceMs(start) / 1000);
  const sizeOf = (name) => Number(docker.do("image", "inspect", "-f", "{{.Size}}", name));
  figures.imageMegabytes = Math.round(sizeOf(IMAGE) / 1e6);
  figures.imageWithoutBaseMegabytes = Math.round((sizeOf(IMAGE) - sizeOf("verdictd-base")) / 1e6);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  isSame(
    "it says its version",
    docker.do("run", "--rm", "--cap-drop=ALL", "--cap-add=NET_ADMIN", IMAGE, "-v"),
    version,
  );
  const found = docker.try("run", "--rm", "--entrypoint", "sh", IMAGE, "-c", "command -v npm npx g++ setcap");
  isSame("it holds no npm, compiler or setcap", found.stdout, "");
}

/** Who it is, and what it may. */
function checkStatus(title, status) {
  const of = (key) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  isSame(`${title}: it isn't root`, of("Uid"), Array(4).fill(UID).join("\t"));
  isSame(
    `${title}: CAP_NET_ADMIN and nothing else`,
    `${of("CapEff")} of ${of("CapBnd")}`,
    "0000000000001000 of 0000000000001000",
  );
  figures.rssMegabytes ??= Math.round(Number(/\d+/.exec(of("VmRSS"))?.[0]) / 1024);
}

function checkEnforced(title, network) {
  isSame(`${title}: the allowed port`, network.connect(80), "open");
  isSame(`${title}: the other one`, network.connect(81), "timeout");
}

const writes = ["sh", "-c", "touch /x || touch /usr/lib/verdictd/x || touch /tmp/x"];

/** As a user of Docker would start it. */
async function inDocker(node, network) {
  const title = "docker";
  const name = `verdictd-${process.pid}`;
  const start = performance.now();
  docker.do(
    ...["run", "-d", "--name", name, "--network", "host", "--read-only", "--cap-drop=ALL", "--cap-add=NET_ADMIN"],
    ...["--tmpfs", `/run/verdictd:uid=${UID},gid=${UID},mode=0755`, "-v", "/proc/sys/net:/host/proc/sys/net"],
    ...["-v", `${network.folder}:/policies:ro`, IMAGE, "run", "--dir", "/policies"],
  );
  const log = () => Object.values(docker.try("logs", name)).join("");
  const state = (path) => docker.do("inspect", "-f", `{{json .${path}}}`, name);
  try {
    await waitFor("ready", () => log().includes('"event":"ready"') || state("State.Running") === "false", 30_000);
    figures.startMs = sinceMs(start);
    checkEnforced(title, network);
    checkStatus(title, readFileSync(`/proc/${state("State.Pid")}/status`, "utf8"));
    check(`${title}: nothing can be written but /run/verdictd`, docker.try("exec", name, ...writes).status !== 0);
    const [, ...probe] = JSON.parse(state("Config.Healthcheck.Test"));
    isSame(`${title}: the health check`, docker.try("exec", name, ...probe).status, 0);
  } catch (error) {
    check(title, false, `${error.message}\n${log().slice(-2000)}`);
  }
  docker.do("stop", "-t", "20", name);
  isSame(`${title}: a clean stop`, state("State.ExitCode"), "0");
  isSame(`${title}: what it leaves`, node.check(["nft", "list", "tables"]).trim(), "");
  docker.do("rm", name);
}

/** The image's files, with their capabilities, and its environment. */
function unpack() {
  const rootfs = join(work, "rootfs");
  mkdirSync(rootfs);
  const id = docker.do("create", IMAGE);
  docker.do("export", "-o", join(work, "image.tar"), id);
  docker.do("rm", id);
  run("tar", ["-C", rootfs, "--xattrs", "--xattrs-include=security.capability", "-xf", join(work, "image.tar")]);
  const { Env, Entrypoint } = JSON.parse(docker.do("image", "inspect", "-f", "{{json .Config}}", IMAGE));
  return { rootfs, env: Env, entrypoint: Entrypoint };
}

const renderPod = (folder) =>
  podSpecOf(loadAll(run("kubectl", ["kustomize", join(root, "deploy/kubernetes", folder)])));

/** The DaemonSet's pod, updated once, then its uninstall. */
async function inPod(node, network, image) {
  const spec = renderPod(".");
  const folder = join(work, "pod");
  const pod = new Pod(folder, node, spec, image);
  const cluster = ownServerSkipReason === null ? await Cluster.start(node, network.file, join(work, "account")) : null;
  const args = spec.containers[0].args.flatMap((arg) => (arg === "--kubernetes" ? ["--dir", "/policies"] : [arg]));
  if (cluster === null) process.stdout.write(`note a directory instead of an API server: ${ownServerSkipReason}\n`);
  for (const title of ["pod", "pod after an update"]) {
    pod.init("own-run-directory");
    const container = pod.start(cluster ?? { args, mounts: { [network.folder]: "/policies" } });
    try {
      await waitFor("ready", () => container.log.includes('"event":"ready"') || container.exitCode !== null, 30_000);
      checkEnforced(title, network);
      checkStatus(title, container.readStatus());
      check(`${title}: nothing can be written but /run/verdictd`, container.exec(...writes).status !== 0);
    } catch (error) {
      check(title, false, `${error.message}\n${container.log.slice(-2000)}`);
    }
    isSame(`${title}: a clean stop`, await container.stop(), 0);
    isSame(`${title}: new flows while no agent is there`, network.connect(81), "timeout");
  }
  await cluster?.stop();
  const before = () => node.check(["cat", "/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged"]).trim();
  isSame("uninstall: the switch before", before(), "1");
  const uninstall = new Pod(folder, node, renderPod("uninstall"), image);
  uninstall.init("own-run-directory");
  check("uninstall: it says what it did", /^removed: the rules, /.test(uninstall.init("remove")));
  isSame("uninstall: rules", node.check(["nft", "list", "tables"]).trim(), "");
  isSame("uninstall: the switch", before(), "0");
  isSame("uninstall: files", readdirSync(pod.hostPath("/run/verdictd")).join(), "");
  isSame("uninstall: flows", network.connect(81), "open");
}

try {
  const bases = makeBases(root, options.keep ?? join(work, "bases"));
  const node = lab.namespace("node");
  docker = await Docker.start(node, work);
  build(bases);
  const network = new PodNetwork(lab, node, join(work, "policies"));
  await network.listen();
  isSame("without verdictd: the other port", network.connect(81), "open");
  await inDocker(node, network);
  const image = unpack();
  await docker.stop();
  await inPod(node, network, image);
} catch (error) {
  check("to the end", false, error.stack);
} finally {
  await docker?.stop();
  lab.destroy();
  // Docker leaves the network namespace that it ran in mounted.
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  const ours = mounts.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(`${work}/`));
  for (const path of ours.reverse()) run("umount", [path]);
  if (existsSync(work)) rmSync(work, { recursive: true, force: true });
}
process.stdout.write(`${JSON.stringify({ ...figures, failures })}\n`);
process.exitCode = failures > 0 ? 1 : 0;
