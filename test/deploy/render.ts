/** What users' tools make of deploy/, where they are here. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load, loadAll } from "js-yaml";

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly [key: string]: unknown;
}
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly [key: string]: unknown;
}
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
  readonly rules?: readonly Rule[];
}

const folder = fileURLToPath(new URL("../../deploy", import.meta.url));
export const chart = `${folder}/helm/verdictd`;

export function read(path: string): string {
  return readFileSync(`${folder}/${path}`, "utf8");
}

/** `status` is null where the command isn't there. */
export function run(command: string, args: readonly string[], input = ""): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { input, encoding: "utf8", timeout: 20_000 });
  return { status, output: `${stdout ?? ""}${stderr ?? ""}` };
}

/** Null where it's here; else what to say. */
export function missing(command: string, ...args: readonly string[]): string | null {
  return run(command, args).status === 0 ? null : `there is no ${command}`;
}

/** `go install` puts it where PATH needn't know it. */
export const helm =
  ["helm", join(homedir(), "go", "bin", "helm")].find((path) => missing(path, "version") === null) ?? "helm";

export function kustomize(path: string): Manifest[] {
  return parse(spawnSync("kubectl", ["kustomize", `${folder}/kubernetes/${path}`], { encoding: "utf8" }));
}

/** The manifests as users have them who switch on all components. */
export function kustomizeWithComponents(): Manifest[] {
  const names = readdirSync(`${folder}/kubernetes/components`).filter((name) => name !== "remove");
  const components = names.map((name) => `../components/${name}`);
  const settings = load(read("kubernetes/settings/kustomization.yaml")) as object;
  return kustomizeWithSettings({ ...settings, components }, ["."])[0] ?? [];
}

/** What `paths` are with other settings. */
export function kustomizeWithSettings(settings: object, paths: readonly string[]): Manifest[][] {
  const own = mkdtempSync(join(tmpdir(), `vd${process.pid}-kustomize-`));
  try {
    cpSync(`${folder}/kubernetes`, own, { recursive: true });
    writeFileSync(join(own, "settings/kustomization.yaml"), JSON.stringify(settings));
    return paths.map((path) => parse(spawnSync("kubectl", ["kustomize", join(own, path)], { encoding: "utf8" })));
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

export function template(...args: readonly string[]): Manifest[] {
  const all = ["template", "verdictd", chart, "-n", "verdictd-system", "--kube-version", "1.31.0", ...args];
  return parse(spawnSync(helm, all, { encoding: "utf8", maxBuffer: 8 << 20 }));
}

export function podOf(manifests: readonly Manifest[]): PodSpec {
  const spec = manifests.find(({ kind }) => kind === "DaemonSet")?.spec as { template: { spec: PodSpec } } | undefined;
  if (spec === undefined) throw new Error("no DaemonSet");
  return spec.template.spec;
}

export function rulesOf(manifests: readonly Manifest[]): Rule[] {
  return manifests.filter(({ kind }) => kind === "ClusterRole").flatMap(({ rules }) => rules ?? []);
}

function parse({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }): Manifest[] {
  if (status !== 0) throw new Error(stderr);
  return (loadAll(stdout) as (Manifest | null)[]).filter((object) => object !== null);
}
