/** `--protocol` and `--port` → services. */
import { type Service, singleService } from "../../engine/matrix/services.ts";
import { hasPorts, Protocol, parseProtocol } from "../../net/protocol.ts";

/**
 * Each port with each protocol that has ports (TCP where none is named); null where nothing is named. Adds to
 * `problems`.
 */
export function readServices(
  protocols: readonly string[],
  ports: readonly string[],
  problems: string[],
): readonly Service[] | null {
  const found: number[] = [];
  for (const text of protocols) {
    const protocol = parseProtocol(text);
    if (protocol === null) problems.push(`--protocol ${text}: tcp, udp, sctp, icmp, icmpv6 or a number up to 255`);
    else if (!found.includes(protocol)) found.push(protocol);
  }
  const numbers: number[] = [];
  for (const text of ports) {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65535) problems.push(`--port ${text}: a number from 1 to 65535`);
    else if (!numbers.includes(port)) numbers.push(port);
  }
  if (protocols.length === 0 && ports.length === 0) return null;
  if (protocols.length === 0) found.push(Protocol.tcp);
  const needPorts = found.filter(hasPorts);
  if (needPorts.length > 0 && ports.length === 0) problems.push("--protocol tcp, udp and sctp need a --port");
  if (needPorts.length === 0 && ports.length > 0) problems.push("--port needs a --protocol that has ports");
  return found.flatMap((protocol) =>
    hasPorts(protocol) ? numbers.map((port) => singleService(protocol, port)) : [singleService(protocol, 0)],
  );
}
