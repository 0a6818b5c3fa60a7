/**
 * Pods, and workloads as stand-ins for theirs, from untrusted objects. There may be a hundred thousand: fields are
 * checked one by one, and a place is only made for what is wrong.
 */
import {
  at,
  isObject,
  isPort,
  type JsonObject,
  note,
  type Place,
  readList,
  refuse,
  wrongType,
} from "../../evaluators/kubernetes/reading.ts";
import type { ContainerPort, Pod } from "../../model/kubernetes.ts";
import { type Address, equalAddresses, parseAddress } from "../../net/address.ts";
import { Protocol } from "../../net/protocol.ts";
import { field, type Metadata, readLabels } from "./metadata.ts";
import { readContainers } from "./read-containers.ts";

const noAddresses: readonly Address[] = [];
const noPorts: readonly ContainerPort[] = [];

/** Addresses as claimed: none for a pod that has ended (NP-60) or has none yet. Who keeps a shared one comes later. */
export function readPod(object: JsonObject, { namespace, name, labels, createdAt, owner, place }: Metadata): Pod {
  const spec = field(object, "spec", place);
  const status = field(object, "status", place);
  const phase = typeof status.phase === "string" ? status.phase : "Pending";
  const hasEnded = hasPodEnded(phase);
  const hostNetwork = readHostNetwork(spec, place, "spec");
  return {
    kind: "Pod",
    namespace,
    name,
    labels,
    addresses: hasEnded ? noAddresses : readAddresses(status, "podIPs", "podIP", place, true),
    nodeName: typeof spec.nodeName === "string" && spec.nodeName !== "" ? spec.nodeName : null,
    hostAddresses: hasEnded ? noAddresses : readAddresses(status, "hostIPs", "hostIP", place, false),
    hostNetwork,
    phase,
    createdAt,
    ports: readPorts(spec, place, "spec"),
    owner,
    ...(hostNetwork && !hasEnded && owner?.kind === "DaemonSet" ? { containers: readContainers(spec) } : {}),
    origin: place.origin,
  };
}

/** NP-60. A terminating pod isn't one (NP-61). */
export function hasPodEnded(phase: string): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** A workload, with its template's labels and ports in the place of its own. */
export function readWorkload(
  object: JsonObject,
  kind: Pod["kind"],
  { namespace, name, createdAt, owner, place }: Metadata,
): Pod {
  const path = kind === "CronJob" ? "spec.jobTemplate.spec.template" : "spec.template";
  const template = path.split(".").reduce((outer, key) => field(outer, key, place), object);
  const spec = field(template, "spec", place);
  const metadata = field(template, "metadata", place);
  const hostNetwork = readHostNetwork(spec, place, `${path}.spec`);
  return {
    kind,
    namespace,
    name,
    labels: readLabels(metadata.labels, place, `${path}.metadata.labels`),
    addresses: noAddresses,
    nodeName: null,
    hostAddresses: noAddresses,
    hostNetwork,
    phase: "Running",
    createdAt,
    ports: readPorts(spec, place, `${path}.spec`),
    owner,
    ...(hostNetwork && kind === "DaemonSet" ? { containers: readContainers(spec) } : {}),
    origin: place.origin,
  };
}

/** Anything but true leaves the pod under its policies. */
function readHostNetwork(spec: JsonObject, place: Place, path: string): boolean {
  const value = spec.hostNetwork;
  if (value === undefined || value === null || typeof value === "boolean") return value === true;
  const message = "hostNetwork is true or false, so it counts as false; write it without quotes";
  refuse(at(place, `${path}.hostNetwork`), "wrong-type", "NP-59", message);
  return false;
}

/** `podIPs: [{ip}]`, or `podIP` where that list is empty (NP-53). A pod has at most one address of a family. */
function readAddresses(
  status: JsonObject,
  listKey: string,
  singleKey: string,
  place: Place,
  oneOfEach: boolean,
): readonly Address[] {
  const list = status[listKey];
  let texts: readonly unknown[] = [];
  if (Array.isArray(list)) texts = list.map((element) => (isObject(element) ? element.ip : element));
  else if (list !== undefined && list !== null) wrongType(list, at(place, `status.${listKey}`), "a list", "NP-53");
  if (texts.length === 0 && status[singleKey]) texts = [status[singleKey]];
  if (texts.length === 0) return noAddresses;
  const addresses: Address[] = [];
  texts.forEach((text, i) => {
    const address = typeof text === "string" ? parseAddress(text) : null;
    const where = () => at(at(place, `status.${listKey}`), i);
    if (!address) refuse(where(), "bad-address", "NP-53", `${JSON.stringify(text)} is no IP address; it is ignored`);
    else if (addresses.some((other) => equalAddresses(other, address))) return;
    else if (oneOfEach && addresses.some(({ family }) => family === address.family)) {
      note(where(), "warning", "second-address", "NP-53", "a pod has one address of each family; this one is ignored");
    } else addresses.push(address);
  });
  return addresses;
}

/** Of all containers, and of the init containers that keep running (NP-46). */
function readPorts(spec: JsonObject, place: Place, path: string): readonly ContainerPort[] {
  const found: ContainerPort[] = [];
  for (const key of ["containers", "initContainers"]) {
    const list = spec[key];
    if (list === undefined || list === null) continue;
    const containers = Array.isArray(list) ? list : readList(list, at(place, `${path}.${key}`), "AN-64");
    containers?.forEach((container: unknown, i) => {
      if (!isObject(container) || !Array.isArray(container.ports)) return;
      if (key === "initContainers" && container.restartPolicy !== "Always") return;
      container.ports.forEach((port: unknown, j) => {
        const read = readPort(port, () => at(at(at(at(place, `${path}.${key}`), i), "ports"), j));
        if (read) found.push(read);
      });
    });
  }
  return found.length === 0 ? noPorts : found;
}

const protocols = new Map<unknown, number>([
  [undefined, Protocol.tcp],
  [null, Protocol.tcp],
  ["TCP", Protocol.tcp],
  ["UDP", Protocol.udp],
  ["SCTP", Protocol.sctp],
]);

function readPort(value: unknown, place: () => Place): ContainerPort | null {
  if (!isObject(value)) return wrongType(value, place(), "an object", "NP-43");
  const protocol = protocols.get(value.protocol);
  const port = value.containerPort;
  if (protocol === undefined || !isPort(port)) {
    const message = `no port of TCP, UDP or SCTP from 1 to 65535, so no name can mean it: ${JSON.stringify(value)}`;
    return refuse(place(), "bad-container-port", "NP-43", message);
  }
  const name = value.name;
  return { name: typeof name === "string" && name !== "" ? name : null, port, protocol };
}
