/** `ports` of v1alpha1 and `protocols` of v1alpha2. One invalid element makes the whole rule invalid (AN-27). */
import type { AdminPort } from "../../model/admin-policy.ts";
import { Protocol } from "../../net/protocol.ts";
import { readProtocol } from "../kubernetes/read-values.ts";
import {
  at,
  hasOnly,
  isObject,
  isPort,
  isPortName,
  type Place,
  present,
  readList,
  refuse,
  wrongType,
} from "../kubernetes/reading.ts";
import type { Dialect } from "./dialect.ts";
import { checkLimit } from "./limit.ts";

/** Null for all traffic: absent or empty (AN-62). Undefined, and reported, where any element is invalid. */
export function readPorts(value: unknown, dialect: Dialect, place: Place): readonly AdminPort[] | null | undefined {
  const list = readList(value, place, "AN-64");
  if (!list) return undefined;
  if (list.length === 0) return null;
  checkLimit(list, dialect.elementLimit, place);
  const read = dialect.portsKey === "ports" ? readPort : readProtocolPort;
  const ports = list.map((element, i) => read(element, at(place, i)));
  return ports.includes(null) ? undefined : (ports as AdminPort[]);
}

/** AN-40. */
function readPort(value: unknown, place: Place): AdminPort | null {
  const known = ["portNumber", "portRange", "namedPort"];
  const field = oneOf(value, known, place);
  if (field === null) return null;
  const content = (value as Record<string, unknown>)[field];
  const fieldPlace = at(place, field);
  if (field === "namedPort") return readName(content, fieldPlace);
  if (!isObject(content)) return wrongType(content, fieldPlace, "an object", "AN-40");
  const isNumber = field === "portNumber";
  if (!hasOnly(content, isNumber ? ["protocol", "port"] : ["protocol", "start", "end"], fieldPlace, "AN-40"))
    return null;
  const protocol = readProtocol(content.protocol, at(fieldPlace, "protocol"), "AN-40");
  if (protocol === null) return null;
  const [from, to] = isNumber ? [content.port, content.port] : [content.start, content.end];
  if (isPort(from) && isPort(to) && from <= to) return { protocol, range: { from, to }, name: null };
  return refuse(fieldPlace, "port-out-of-range", "AN-40", `${JSON.stringify(content)} is no port from 1 to 65535`);
}

const byName = { tcp: Protocol.tcp, udp: Protocol.udp, sctp: Protocol.sctp } as const;

/** AN-41, AN-44, AN-62. */
function readProtocolPort(value: unknown, place: Place): AdminPort | null {
  const field = oneOf(value, [...Object.keys(byName), "destinationNamedPort"], place);
  if (field === null) return null;
  const content = (value as Record<string, unknown>)[field];
  const fieldPlace = at(place, field);
  if (field === "destinationNamedPort") return readName(content, fieldPlace);
  const protocol = byName[field as keyof typeof byName];
  if (!isObject(content)) return wrongType(content, fieldPlace, "an object", "AN-41");
  if (!hasOnly(content, ["destinationPort"], fieldPlace, "AN-41")) return null;
  const port = content.destinationPort ?? {};
  const portPlace = at(fieldPlace, "destinationPort");
  if (!isObject(port)) return wrongType(port, portPlace, "an object", "AN-41");
  if (!hasOnly(port, ["number", "range"], portPlace, "AN-41")) return null;
  const [form, second] = present(port, ["number", "range"]);
  if (form === undefined) return { protocol, range: null, name: null };
  const { number, range } = port;
  if (second === undefined && isPort(number)) return { protocol, range: { from: number, to: number }, name: null };
  if (second === undefined && isObject(range) && hasOnly(range, ["start", "end"], at(portPlace, "range"), "AN-44")) {
    const { start: from, end: to } = range;
    if (isPort(from) && isPort(to) && from < to) return { protocol, range: { from, to }, name: null };
  }
  const message = `${JSON.stringify(port)} is neither a number from 1 to 65535 nor a range of them with start < end`;
  return refuse(portPlace, "port-out-of-range", "AN-44", message);
}

/** AN-42: it has no protocol of its own. */
function readName(value: unknown, place: Place): AdminPort | null {
  if (isPortName(value)) return { protocol: null, range: null, name: value };
  return refuse(
    place,
    "bad-port-name",
    "AN-42",
    `${JSON.stringify(value)} is no port name; up to 15 of a-z, 0-9 and -`,
  );
}

/** The one field that is present. */
function oneOf(value: unknown, known: readonly string[], place: Place): string | null {
  if (!isObject(value)) return wrongType(value, place, "an object", "AN-27");
  const isKnown = hasOnly(value, known, place, "AN-27");
  const [field, second] = present(value, known);
  if (isKnown && field !== undefined && second === undefined) return field;
  return refuse(place, "bad-port", "AN-27", `an element has exactly one of ${known.join(", ")}; give one`);
}
