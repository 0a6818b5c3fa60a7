/**
 * Whatever a server does, what is known stays right: lists that are cut off, stalled or nonsense, watches that break in
 * every way, refusals. Each row ends with the server's objects, without one of them having been missing meanwhile.
 */
import { describe, expect, it } from "vitest";
import { ApiDouble, doubleSkipReason } from "../../../support/api-double.ts";
import {
  halfAndEnd,
  halfAndHangUp,
  halfAndSilence,
  hangUp,
  refusal,
  silence,
  silenceAfterHeaders,
  type Trick,
  text,
} from "../../../support/api-tricks.ts";
import { adminPolicy, namespace, networkPolicy, node, pod, service } from "./objects.ts";
import { patiently, WatchedCluster } from "./watched-cluster.ts";

if (doubleSkipReason !== null) console.warn(`test/sources/kubernetes/api/double: skipped: ${doubleSkipReason}`);

const PODS = 10;

interface Scene {
  readonly double: ApiDouble;
  /** In sync with the double. */
  readonly start: () => Promise<WatchedCluster>;
}

/** With ten pods, so that they come in four pages. Leaves nothing open. */
async function play(act: (scene: Scene) => Promise<void>): Promise<void> {
  const double = await ApiDouble.start();
  const clusters: WatchedCluster[] = [];
  const close = (): void => {
    for (const cluster of clusters) cluster.close();
  };
  try {
    double.apply(namespace("a", { team: "red" }));
    double.apply(node("node-1", "192.0.2.1"));
    double.apply(service("a", "web", "10.96.0.10"));
    double.apply(networkPolicy("a", "web"));
    double.apply(adminPolicy("red", 5));
    for (let i = 1; i <= PODS; i++) double.apply(pod("a", i));
    const start = async (): Promise<WatchedCluster> => {
      const cluster = new WatchedCluster(double.kubeconfig);
      clusters.push(cluster);
      await cluster.source.start();
      await patiently("watches", () => double.isWatched);
      return cluster;
    };
    await act({ double, start });
    close();
    await patiently("the connections to be closed", () => double.connections === 0);
  } finally {
    close();
    await double.remove();
  }
}

/** One pod more, one less, one different, and so for policies; the names of those that went. */
function changeObjects(double: ApiDouble): string[] {
  double.apply(pod("a", 100));
  double.apply(pod("a", 2, { tier: "front" }));
  double.delete(pod("a", 3));
  double.apply(networkPolicy("a", "db"));
  double.delete(networkPolicy("a", "web"));
  return ["NetworkPolicy a/web", "Pod a/pod-3"];
}

// Most of each is waiting, so they wait together.
describe.skipIf(doubleSkipReason !== null)(
  `a server that misbehaves (${doubleSkipReason ?? "the double"})`,
  { concurrent: true, timeout: 150_000 },
  () => {
    const lists: readonly (readonly [string, Trick])[] = [
      ["says nothing", silence],
      ["stops after the headers", silenceAfterHeaders],
      ["stops in the middle", halfAndSilence],
      ["hangs up", hangUp],
      ["hangs up in the middle", halfAndHangUp],
      ["ends in the middle", halfAndEnd],
      ["is nonsense", text("<html>please log in</html>")],
      ["is empty", text("")],
      ["is an empty object", text("{}")],
      ["is a list of something else", text('{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":{"a":1}}')],
      ["has no version", text('{"kind":"PodList","metadata":{},"items":[]}')],
      ["is 401", refusal(401)],
      ["is 403", refusal(403)],
      ["is 404", refusal(404)],
      ["is 410", refusal(410)],
      ["is 429 with Retry-After", refusal(429, { "Retry-After": "1" })],
      ["is 500", refusal(500)],
      ["is 503", refusal(503)],
    ];

    it.each(lists)("the first list %s", async (_, trick) => {
      await play(async ({ double, start }) => {
        double.play("Pod", "list", trick, 2);
        double.play("AdminNetworkPolicy", "list", trick, 1);
        const cluster = await start();
        await cluster.holds(() => double.objects());
        expect(double.tricksLeft).toBe(0);
        expect(cluster.removed).toEqual([]);
      });
    });

    it.each(lists)("a list after 410 %s, from its second page on", async (_, trick) => {
      await play(async ({ double, start }) => {
        const cluster = await start();
        const onSecondPage: Trick = (answer, asked, serve) => {
          if (asked.url.searchParams.has("continue")) trick(answer, asked, serve);
          else {
            double.play("Pod", "list", onSecondPage);
            serve();
          }
        };
        double.play("Pod", "list", onSecondPage);
        for (const kind of ["Pod", "NetworkPolicy"]) double.cutWatches(kind);
        const removed = changeObjects(double);
        double.expire();
        await cluster.holds(() => double.objects());
        expect(double.tricksLeft).toBe(0);
        expect(cluster.removed.sort()).toEqual(removed);
      });
    });

    const watches: readonly (readonly [string, Trick])[] = [
      ["says nothing", silence],
      ["stays silent after the headers", silenceAfterHeaders],
      ["hangs up", hangUp],
      ["is empty", text("")],
      ["is nonsense", text("<html>please log in</html>\n")],
      [
        "has a line of nonsense among others",
        text('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}\n}{\n'),
      ],
      ["ends within an object", text('{"type":"DELETED","object":{"kind":"Pod","metadata":{"name":"pod-1","names')],
      ["is a list", (answer, { page }) => text(page())(answer, never, () => {})],
      ["has an event without an object", text('{"type":"DELETED"}\n')],
      ["has an event of a list", text('{"type":"ADDED","object":[]}\n')],
      ["has null", text("null\n")],
      ["has an unknown event", text('{"type":"RESET","object":{"metadata":{"resourceVersion":"99999"}}}\n')],
      ["has an ERROR of nothing", text('{"type":"ERROR","object":null}\n')],
      ["has an ERROR 500", text('{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError"}}\n')],
      ["has an ERROR 410", text('{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n')],
      ["is 401", refusal(401)],
      ["is 403", refusal(403)],
      ["is 404", refusal(404)],
      ["is 410", refusal(410)],
      ["is 429 with Retry-After", refusal(429, { "Retry-After": "1" })],
      ["is 500", refusal(500)],
      ["is 503", refusal(503)],
    ];

    it.each(watches)("a watch %s", async (_, trick) => {
      await play(async ({ double, start }) => {
        const cluster = await start();
        for (const kind of ["Pod", "NetworkPolicy", "AdminNetworkPolicy"]) {
          double.play(kind, "watch", trick, 2);
          double.cutWatches(kind);
        }
        const removed = changeObjects(double);
        double.delete(adminPolicy("red", 5));
        await cluster.holds(() => double.objects());
        await patiently("the tricks", () => double.tricksLeft === 0);
        double.apply(pod("a", 101));
        await cluster.holds(() => double.objects());
        expect(cluster.removed.sort()).toEqual(["AdminNetworkPolicy red", ...removed]);
      });
    });
  },
);

const never = { verb: "watch", kind: "", url: new URL("https://double"), page: () => "" } as const;
