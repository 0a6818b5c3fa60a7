/** deploy/kubernetes and deploy/helm: one meaning, flags that exist, few rights, and what a server says of them. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { removeCommand } from "../../src/cli/remove.ts";
import { runCommand } from "../../src/cli/run.ts";
import { listKnobs, parseKnobs } from "../../src/model/knobs.ts";
import { apiSkipReason, kubeconfigPath } from "../support/api-server.ts";
import {
  type Container,
  chart,
  helm,
  kustomize,
  kustomizeWithComponents,
  kustomizeWithSettings,
  type Manifest,
  missing,
  type PodSpec,
  podOf,
  read,
  rulesOf,
  run,
  template,
} from "./render.ts";

const noKubectl = missing("kubectl", "version", "--client");
const noHelm = missing(helm, "version");
for (const why of [noKubectl, noHelm]) if (why !== null) console.warn(`test/deploy/manifests: skipped in part: ${why}`);
if (apiSkipReason !== null) console.warn(`test/deploy/manifests: not applied: ${apiSkipReason}`);

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const agentPath = "/spec/template/spec/containers/0";
/** Everything that the chart can be told. */
const allOptions = [
  ...["--set", "listen=0.0.0.0:9472,podMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true"],
  ...["--set", "policyStatus=true,policyEvents=true,knpMetrics=true,workers=3,logLevel=debug,markMask=0x00ff0000"],
  ...["--set", "podRanges={10.244.0.0/16,fd00:10:244::/56},knobs.denyAction=reject,imagePullSecrets[0].name=secret"],
  ...["--set", `image.digest=sha256:${"0".repeat(64)},podLabels.a=b,podAnnotations.c=d,maxUnavailable=10%`],
  ...["--set", "seLinuxOptions.type=spc_t,seLinuxOptions.level=s0"],
];
const forms: readonly (readonly [name: string, why: string | null, render: () => Manifest[]])[] = [
  ["kustomize", noKubectl, () => kustomize(".")],
  ["kustomize, every component", noKubectl, () => kustomizeWithComponents()],
  ["kustomize, uninstall", noKubectl, () => kustomize("uninstall")],
  ["chart", noHelm, () => template()],
  ["chart, every option", noHelm, () => template(...allOptions)],
  ["chart, remove", noHelm, () => template("--set", "remove=true")],
];

test("chart, manifests and package have one version", () => {
  expect(load(read("helm/verdictd/Chart.yaml"))).toMatchObject({ version, appVersion: version });
  expect(load(read("kubernetes/settings/kustomization.yaml"))).toMatchObject({
    images: [{ name: "verdictd", newTag: version }],
  });
});

describe.each(forms)("%s", (name, why, render) => {
  test.skipIf(why !== null)("every flag and knob exists", () => {
    const { containers, initContainers } = podOf(render());
    let seen = 0;
    for (const { args } of [...containers, ...initContainers]) {
      if (args === undefined) continue;
      const command = args[0] === "run" ? runCommand() : removeCommand();
      expect(args[0]).toBe(command.name());
      for (const arg of args.slice(1)) {
        const [flag, ...value] = arg.split("=");
        const option = command.options.find(({ long }) => long === flag);
        expect(option, arg).toBeDefined();
        expect(option?.required === true, arg).toBe(value.length > 0);
        if (flag === "--set") expect(listKnobs().map((knob) => knob.name)).toContain(value[0]);
        seen += 1;
      }
    }
    expect(seen).toBeGreaterThan(name.includes("uninstall") ? -1 : 0);
  });

  test.skipIf(why !== null)("every container may do little", () => {
    const { containers, initContainers, securityContext } = podOf(render());
    expect(securityContext.runAsNonRoot).toBe(true);
    for (const { name, securityContext: own } of [...containers, ...initContainers]) {
      expect(own.readOnlyRootFilesystem, name).toBe(true);
      expect(own.capabilities.drop, name).toEqual(["ALL"]);
      expect(own.capabilities.add ?? []).toEqual(
        { verdictd: ["NET_ADMIN"], "own-run-directory": ["CHOWN"], remove: ["NET_ADMIN"] }[name] ?? [],
      );
    }
  });

  test.skipIf(why !== null)("it reads what policies are made of, and no more", () => {
    const writes = rulesOf(render()).filter(({ verbs }) => verbs.some((verb) => !["list", "watch"].includes(verb)));
    expect(writes.map(({ resources, verbs }) => [resources, verbs])).toEqual(
      name.includes("every")
        ? [
            [expect.arrayContaining(["clusternetworkpolicies/status"]), ["patch"]],
            [["events"], ["create"]],
          ]
        : [],
    );
    expect(rulesOf(render()).flatMap(({ resources }) => resources)).not.toContain("secrets");
  });

  test.skipIf(why !== null || apiSkipReason !== null || noKubectl !== null)("a server takes every field", () => {
    const unserved: string[] = [];
    const kinds = kindsOf();
    for (const manifest of render()) {
      if (!kinds.has(manifest.kind)) {
        unserved.push(manifest.kind);
        continue;
      }
      // A dry run makes no namespace that the others could be in.
      const { namespace, ...metadata } = manifest.metadata;
      const placed = {
        ...manifest,
        metadata: namespace === undefined ? metadata : { ...metadata, namespace: "default" },
      };
      const args = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
      const { status, output } = run("kubectl", kubectl(args), JSON.stringify(placed));
      expect(status, `${manifest.kind}: ${output}`).toBe(0);
    }
    if (unserved.length > 0) console.warn(`${name}: not served, so not checked: ${[...new Set(unserved)].join(", ")}`);
    expect(kinds).toContain("DaemonSet");
  });
});

test.skipIf(apiSkipReason !== null || noKubectl !== null)("a server refuses a field that isn't there", () => {
  const pod = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "x", namespace: "default" }, bogus: 1 };
  const args = kubectl(["create", "--dry-run=server", "--validate=strict", "-f", "-"]);
  expect(run("kubectl", args, JSON.stringify(pod))).toEqual({ status: 1, output: expect.stringContaining("bogus") });
});

describe.skipIf(noKubectl !== null || noHelm !== null)("kustomize and chart mean the same", () => {
  /** Without what only one of them says; arguments as the kubelet completes them. */
  const essence = (spec: PodSpec): unknown => {
    const bare = ({ env = [], args, ...c }: Container) => {
      const settings = env.filter(({ value }) => value !== undefined);
      const expanded = args?.map((arg) =>
        settings.reduce((text, { name, value }) => text.replace(`$(${name})`, value ?? ""), arg),
      );
      const others = c.name === "remove" ? [] : env.filter((variable) => !settings.includes(variable));
      return { ...c, args: expanded, env: others, image: "", imagePullPolicy: undefined };
    };
    const { containers, initContainers } = spec;
    return { ...spec, containers: containers.map(bare), initContainers: initContainers.map(bare) };
  };

  test("the agent", () => {
    expect(essence(podOf(template()))).toEqual(essence(podOf(kustomize("."))));
    expect(rulesOf(template())).toEqual(rulesOf(kustomize(".")));
  });

  test("the uninstall", () => {
    expect(essence(podOf(template("--set", "remove=true")))).toEqual(essence(podOf(kustomize("uninstall"))));
  });

  test("the components", () => {
    const metrics = "listen=0.0.0.0:9472,podMonitor.enabled=true";
    const options = ["--set", `policyStatus=true,policyEvents=true,seLinuxOptions.type=spc_t,${metrics}`];
    expect(essence(podOf(template(...options)))).toEqual(essence(podOf(kustomizeWithComponents())));
    expect(rulesOf(template(...options))).toEqual(rulesOf(kustomizeWithComponents()));
  });
});

describe.skipIf(noHelm !== null)("the chart", () => {
  test("helm lint", () => {
    expect(run(helm, ["lint", "--strict", chart])).toEqual({ status: 0, output: expect.any(String) });
    expect(run(helm, ["lint", "--strict", chart, ...allOptions])).toEqual({ status: 0, output: expect.any(String) });
  });

  test.each([
    ["bogus=1", "bogus"],
    ["workers=65", "workers"],
    ["image.digest=latest", "digest"],
    ["podRanges={all}", "podRanges"],
    ["logLevel=loud", "logLevel"],
    ["seLinuxOptions.typ=spc_t", "typ"],
    ["knobs.onstop=keep", "onstop"],
    ["knobs.onStop=stay", "knobs"],
    ["knobs.unknownLocalIp=hold(0)", "unknownLocalIp"],
    ["knobs.awsExempt\\.nobody=off", "awsExempt.nobody"],
    ["podRanges={10.0.0.0/33}", "podRanges"],
    ["podRanges={fd00::/129}", "podRanges"],
    ["podRanges={10.0.0.0}", "podRanges"],
    ["podMonitor.enabled=true", "nobody else reaches 127.0.0.1"],
    ["podMonitor.enabled=true,listen=localhost:9472", "nobody else reaches localhost"],
    ["podMonitor.enabled=true,listen=[::1]:9472", "nobody else reaches ::1"],
  ])("--set %s is refused", (value, text) => {
    const { status, output } = run(helm, ["template", chart, "--kube-version", "1.31.0", "--set", value]);
    expect([status, output]).toEqual([1, expect.stringContaining(text)]);
  });

  test("knobs as YAML has them", () => {
    const values = "knobs: { onStop: keep, sourceDestCheck: off, awsExempt.dns: on, ipBlockMatchesPods: false }";
    const { status, output } = run(helm, ["template", chart, "--kube-version", "1.31.0", "-f", "-"], values);
    expect(status, output).toBe(0);
    const settings = [...output.matchAll(/"--set=(.*)"/g)].map((match) => match[1] ?? "");
    expect(settings).toEqual(["awsExempt.dns=on", "ipBlockMatchesPods=false", "onStop=keep", "sourceDestCheck=off"]);
    expect(parseKnobs(settings).issues).toEqual([]);
  });

  // The text for users is made too, and not printed.
  test("no knobs", () => {
    const { status, output } = run(helm, ["template", chart, "--kube-version", "1.31.0", "--set", "knobs=null"]);
    expect(status, output).toBe(0);
    expect(output).toContain("--node-name=");
    expect(output).not.toContain("--set=");
  });

  test("probes ask where the agent listens", () => {
    const [agent] = podOf(template("--set", "listen=[::]:1234")).containers;
    expect(agent?.args).toContain("--listen=[::]:1234");
    expect(agent?.livenessProbe).toMatchObject({ httpGet: { host: "::1", port: 1234, path: "/livez" } });
    expect(agent?.readinessProbe).toMatchObject({ httpGet: { host: "::1", port: 1234, path: "/readyz" } });
  });

  test("the dashboard and the rules are those of deploy/", () => {
    const manifests = template("--set", "prometheusRule.enabled=true,dashboard.enabled=true");
    const data = manifests.find(({ kind }) => kind === "ConfigMap") as unknown as { data: Record<string, string> };
    expect(JSON.parse(data.data["verdictd.json"] ?? "")).toEqual(JSON.parse(read("grafana/verdictd.json")));
    expect(manifests.find(({ kind }) => kind === "PrometheusRule")?.spec).toEqual(
      load(read("alerts/verdictd.rules.yaml")),
    );
  });
});

test.skipIf(noKubectl !== null)("agents and uninstall have one image, one mark mask and one set of rights", () => {
  const settings = {
    apiVersion: "kustomize.config.k8s.io/v1alpha1",
    kind: "Component",
    images: [{ name: "verdictd", newName: "registry.example/verdictd", newTag: "9.9.9" }],
    components: ["../components/metrics", "../components/policy-status"],
    patches: [
      {
        target: { kind: "DaemonSet", name: "verdictd" },
        patch: JSON.stringify([
          { op: "add", path: "/spec/template/spec/containers/0/args/-", value: "--pod-range=10.244.0.0/16" },
          { op: "replace", path: `${agentPath}/securityContext/allowPrivilegeEscalation`, value: true },
        ]),
      },
      {
        patch: JSON.stringify({
          apiVersion: "apps/v1",
          kind: "DaemonSet",
          metadata: { name: "verdictd" },
          spec: {
            template: {
              spec: { containers: [{ name: "verdictd", env: [{ name: "MARK_MASK", value: "0x00ff0000" }] }] },
            },
          },
        }),
      },
    ],
  };
  const [agents, uninstall] = kustomizeWithSettings(settings, [".", "uninstall"]);
  const { containers, initContainers } = podOf(agents ?? []);
  const removing = podOf(uninstall ?? []);
  const image = "registry.example/verdictd:9.9.9";
  for (const container of [...containers, ...initContainers, ...removing.containers, ...removing.initContainers]) {
    expect(container.image, container.name).toBe(image);
  }
  const [, remove] = removing.initContainers;
  expect(containers[0]?.args).toContain("--pod-range=10.244.0.0/16");
  expect(containers[0]?.env).toContainEqual({ name: "LISTEN", value: "0.0.0.0:9472" });
  expect(containers[0]?.env).toContainEqual({ name: "MARK_MASK", value: "0x00ff0000" });
  expect(remove).toMatchObject({
    name: "remove",
    args: ["remove", "--mark-mask=$(MARK_MASK)"],
    env: containers[0]?.env,
    securityContext: containers[0]?.securityContext,
  });
  expect(removing.containers.map(({ name }) => name)).toEqual(["done"]);
  // What a kubelet refuses of an init container that ends.
  expect(Object.keys(remove ?? {}).filter((key) => /Probe|ports/.test(key))).toEqual([]);
  expect(rulesOf(uninstall ?? [])).toEqual(rulesOf(agents ?? []));
});

test.skipIf(noKubectl !== null).each([".", "uninstall"])("kubectl kustomize %s", (path) => {
  const kinds = kustomize(path).map(({ kind }) => kind);
  expect(kinds).toEqual(["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "DaemonSet"]);
});

function kubectl(args: readonly string[]): string[] {
  return ["--kubeconfig", kubeconfigPath ?? "", "--request-timeout=10s", ...args];
}

function kindsOf(): Set<string> {
  const { output } = run("kubectl", kubectl(["api-resources", "--no-headers"]));
  return new Set(output.split("\n").map((line) => line.trim().split(/\s+/).at(-1) ?? ""));
}
