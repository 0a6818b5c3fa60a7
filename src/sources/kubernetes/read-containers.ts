/**
 * What an agent of a node is started with. It's kept of pods on the host's network that a DaemonSet made, and of such
 * DaemonSets: a few for each node, which say the same. Nothing but the words about other engines depends on it, so that
 * what is broken there is left out.
 */
import { isObject, type JsonObject } from "../../evaluators/kubernetes/reading.ts";
import type { Container } from "../../model/kubernetes.ts";

export function readContainers(spec: JsonObject): readonly Container[] {
  const containers: unknown[] = Array.isArray(spec.containers) ? spec.containers : [];
  return containers.filter(isObject).map(({ name, image, command, args }) => ({
    name: typeof name === "string" ? name : "",
    image: typeof image === "string" ? image : "",
    args: [command, args].flatMap((list: unknown) =>
      Array.isArray(list) ? list.filter((element: unknown) => typeof element === "string") : [],
    ),
  }));
}
