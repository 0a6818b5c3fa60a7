/** One path for both families: with every IPv4 address and prefix mapped into IPv6, TCP and UDP get the same verdicts. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Explainer } from "../../src/engine/explain.ts";
import { Family, formatAddress, fromBytes, parseAddress, toBytes } from "../../src/net/address.ts";
import { judge, programOf, viewOf, type World, world } from "./world.ts";

/** `fd77::a.b.c.d`; a prefix gets 96 bits more, but `0.0.0.0/0` becomes the other family's own anywhere (SG-21). */
function toIpv6(text: string): string {
  if (text === "0.0.0.0/0") return "::/0";
  const [, first = "", rest = ""] = /^([^/]*)(\/.*)?$/.exec(text) ?? [];
  const address = parseAddress(first);
  const length = /^\/\d{1,2}$/.test(rest) ? Number(rest.slice(1)) : -1;
  // What is no address or prefix stays what it is, and has no colon (SG-21).
  if (!address || address.family !== Family.ipv4 || (rest !== "" && (length < 0 || length > 32))) return text;
  const mapped = formatAddress(fromBytes([0xfd, 0x77, ...Array(10).fill(0), ...toBytes(address)]));
  return rest === "" ? mapped : `${mapped}/${length + 96}`;
}

/** The other family's place for the same fact, by the document's key. */
function mapped(value: unknown): unknown {
  if (typeof value === "string") return toIpv6(value);
  if (Array.isArray(value)) return value.map(mapped);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.fromEntries(Object.entries(value).map(([key, v]) => [key, mapped(v)]));
  const { CidrBlock, IpRanges, PrivateIpAddresses, DestinationCidrBlock, CidrIp, NatGatewayId, ...rest } = fields;
  return {
    ...rest,
    ...(CidrIp === undefined ? {} : { CidrIpv6: CidrIp }),
    ...(IpRanges === undefined ? {} : { Ipv6Ranges: IpRanges }),
    ...(NatGatewayId === undefined ? {} : { EgressOnlyInternetGatewayId: "eigw-1" }),
    ...(DestinationCidrBlock === undefined ? {} : { DestinationIpv6CidrBlock: DestinationCidrBlock }),
    ...(PrivateIpAddresses === undefined ? {} : { Ipv6Addresses: ipv6Addresses(PrivateIpAddresses) }),
    ...(CidrBlock === undefined ? {} : placeOf(fields, CidrBlock)),
  };
}

function ipv6Addresses(list: unknown): unknown {
  return (list as { PrivateIpAddress: string }[]).map(({ PrivateIpAddress }) => ({ Ipv6Address: PrivateIpAddress }));
}

function placeOf(fields: Readonly<Record<string, unknown>>, block: unknown): object {
  if ("RuleNumber" in fields) return { Ipv6CidrBlock: block };
  if ("SubnetId" in fields) return { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: block }] };
  return { Ipv6CidrBlockSet: [{ Ipv6CidrBlock: block }] };
}

test("DEF-4 SG-21 NA-7 NP-53: TCP and UDP get the same verdicts in both families", () => {
  let denials = 0;
  fc.assert(
    fc.property(world("ipv4", 60), (given) => {
      const aws = mapped(given.aws) as World["aws"];
      const other: World = {
        ...given,
        aws: Object.fromEntries(Object.entries(aws)),
        kubernetes: given.kubernetes.map(mapped),
        flows: given.flows.map((flow) => ({ ...flow, from: toIpv6(flow.from), to: toIpv6(flow.to) })),
      };
      const [explainer, explainer6] = [given, other].map((w) => new Explainer(programOf(w), { withTrace: false }));
      given.flows.forEach((flow, i) => {
        const verdict = judge(explainer as Explainer, viewOf(flow));
        if (verdict.startsWith("deny")) denials++;
        expect(judge(explainer6 as Explainer, viewOf(other.flows[i] as typeof flow))).toBe(verdict);
      });
    }),
    { numRuns: 120, seed: 3 },
  );
  expect(denials).toBeGreaterThan(500);
});
