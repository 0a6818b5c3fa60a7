/** The matrix as JSON: groups with their members, and each flow with what `explain --json --no-trace` says of it. */

import { Family, formatAddress } from "../../net/address.ts";
import { formatProtocol, hasPorts, isIcmp } from "../../net/protocol.ts";
import { flowFamilies } from "./groups.ts";
import { cellOf, type Matrix, type MatrixColumn } from "./matrix.ts";
import { formatPorts, type Service } from "./services.ts";

/** Pieces of one JSON document; a large one is never a single string. */
export function* renderMatrixJson(matrix: Matrix): Generator<string> {
  const { groups } = matrix;
  yield '{"groups":[';
  for (const [i, { name, members }] of groups.entries()) {
    const listed = members.map((member) => ({
      name: member.name,
      kind: member.kind,
      addresses: member.addresses.map(formatAddress),
    }));
    yield `${i === 0 ? "\n" : ",\n"}${JSON.stringify({ name, members: listed })}`;
  }
  yield '\n],"flows":[';
  let isFirst = true;
  for (const column of matrix.columns) {
    for (let source = 0; source < groups.length; source++) {
      for (const flow of listFlows(matrix, column, source)) {
        yield `${isFirst ? "\n" : ",\n"}${flow}`;
        isFirst = false;
      }
    }
  }
  yield "\n]}\n";
}

/** Families that are decided alike are one flow; services of one column are one for each protocol. */
function* listFlows(matrix: Matrix, column: MatrixColumn, source: number): Generator<string> {
  const numbers = cellOf(column, source);
  for (const number of new Set(numbers.filter((n) => n >= 0))) {
    const decision = matrix.decisions[number];
    if (!decision) continue;
    const families = flowFamilies.filter((_, f) => numbers[f] === number);
    for (const [own, service] of servicesByProtocol(column.services, families)) {
      const flow = {
        from: matrix.groups[source]?.name,
        to: matrix.groups[column.destination]?.name,
        families: own.map(formatFamily),
        ...service,
        state: decision.state,
      };
      yield `${JSON.stringify(flow).slice(0, -1)},${decision.json.slice(1)}`;
    }
  }
}

/** As `explain` takes them, with the families they are of; `ports` says what the one `port` stands for. */
export function servicesByProtocol(
  services: readonly Service[],
  families: readonly Family[],
): readonly (readonly [readonly Family[], object])[] {
  const result: (readonly [readonly Family[], object])[] = [];
  for (const protocol of new Set(services.map((service) => service.protocol))) {
    const own = services.filter((service) => service.protocol === protocol);
    const name = formatProtocol(protocol);
    const known = /^\d/.test(name) ? protocol : name;
    const [first] = own;
    if (hasPorts(protocol) && first) {
      result.push([families, { protocol: known, port: first.port, ports: formatPorts(own) }]);
    } else if (!isIcmp(protocol)) result.push([families, { protocol: known }]);
    for (const { icmpType, icmpCode, isEcho } of isIcmp(protocol) ? own : []) {
      if (!isEcho) result.push([families, { protocol: known, icmpType, icmpCode }]);
      for (const family of isEcho ? families : []) result.push([[family], echoOf(family)]);
    }
  }
  return result;
}

function echoOf(family: Family): object {
  return family === Family.ipv6
    ? { protocol: "icmpv6", icmpType: 128, icmpCode: 0 }
    : { protocol: "icmp", icmpType: 8, icmpCode: 0 };
}

export function formatFamily(family: Family): string {
  return family === Family.ipv4 ? "ipv4" : "ipv6";
}
