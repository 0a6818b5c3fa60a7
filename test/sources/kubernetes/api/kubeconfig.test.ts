/** Files as kubectl takes them: several, missing ones, the same name twice, and contexts that aren't there. */
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { readConfig } from "../../../../src/sources/kubernetes/api/kubeconfig.ts";
import { makeDirectory } from "../../files/temporary-directory.ts";

interface ConfigFields {
  readonly context?: string;
  readonly cluster?: object;
  readonly user?: object;
  readonly current?: string | null;
}

/** One cluster, user and context, all of them called `same` where nothing else is said. */
function configText(server: string, { context = "same", cluster, user, current = context }: ConfigFields = {}): string {
  return JSON.stringify({
    clusters: [{ name: "same", cluster: { server, ...cluster } }],
    users: [{ name: "same", user: { token: `token of ${server}`, ...user } }],
    contexts: [{ name: context, context: { cluster: "same", user: "same" } }],
    ...(current === null ? {} : { "current-context": current }),
  });
}

const one = "https://one.test:6443";
const two = "https://two.test:6443";
const files = {
  one: configText(one),
  two: configText(two, { context: "other" }),
  "without-current": configText(one, { current: null }),
  "gone-current": configText(one, { current: "gone" }),
  "gone-cluster": JSON.stringify({
    contexts: [{ name: "a", context: { cluster: "b", user: "c" } }],
    "current-context": "a",
  }),
  plain: configText("http://one.test:8080"),
  "plain-allowed": configText("http://one.test:8080", { cluster: { "insecure-skip-tls-verify": true } }),
  "token-file": configText(two, { user: { token: undefined, tokenFile: "token" } }),
  broken: "clusters: [",
  ".kube/config": configText(two),
};

afterEach(() => vi.unstubAllEnvs());

/** The server and the user's token; `names` are of files, those of KUBECONFIG apart by colons. */
function read(names: string, context: string | null = null, byVariable = true): string {
  const root = makeDirectory(files);
  const path = names
    .split(":")
    .map((name) => name && join(root, name))
    .join(":");
  vi.stubEnv("HOME", root);
  vi.stubEnv("KUBERNETES_SERVICE_HOST", undefined);
  vi.stubEnv("KUBECONFIG", byVariable ? path : "");
  try {
    const config = readConfig({ kubeconfig: byVariable ? null : path, context });
    const user = config.getCurrentUser();
    const token = user?.token ?? user?.authProvider?.config.tokenFile?.replace(root, "");
    return `${config.getCurrentCluster()?.server} ${token}`;
  } catch (error) {
    return `${error}`.replaceAll(root, "");
  }
}

test.each([
  ["one file", "one", null, `${one} token of ${one}`],
  ["missing ones are passed over", "gone:one:gone-too", null, `${one} token of ${one}`],
  ["the first says what a name means, and which context is current", "one:two", null, `${one} token of ${one}`],
  ["a context of a later one, by the first one's names", "one:two", "other", `${one} token of ${one}`],
  ["in another order", "two:one", null, `${two} token of ${two}`],
  ["a later one's current context", "without-current:two", null, `${one} token of ${one}`],
  ["a token's file, beside its kubeconfig", "token-file:one", null, `${two} /token`],
  ["no TLS, on demand", "plain-allowed", null, `http://one.test:8080 token of http://one.test:8080`],
  ["none of KUBECONFIG's", "", null, `${two} token of ${two}`],
])("%s: %s", (_, names, context, expected) => {
  expect(read(names, context)).toBe(expected);
});

test.each([
  ["none is there", "gone:gone-too", null, /^ClusterAccessError: KUBECONFIG=.*no such file: name a kubeconfig/],
  ["no current context", "without-current", null, /without-current has no current context: .*--context; it has same$/],
  ["one that isn't there", "gone-current", null, /its current context gone isn't there: .*--context; it has same$/],
  ["its cluster isn't there", "gone-cluster", null, /the cluster of context a isn't there/],
  ["another one that isn't there", "one:two", "third", /--context third: not in .*; it has same, other$/],
  ["no TLS", "plain", null, /is http:\/\/one\.test:8080, .*give an https:\/\/ address or.*insecure-skip-tls-verify/],
  ["a broken one, whatever the others say", "one:broken", null, /^ClusterAccessError: \/broken: no usable kubeconfig/],
])("%s: %s", (_, names, context, message) => {
  expect(read(names, context)).toMatch(message);
});

test("a file that is named must be there", () => {
  expect(read("one", null, false)).toBe(`${one} token of ${one}`);
  expect(read("gone", null, false)).toMatch(/^ClusterAccessError: \/gone: no usable kubeconfig \(ENOENT/);
});
