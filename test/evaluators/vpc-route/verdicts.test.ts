/** Route tables, one row each: the routes of subnet-1's table, a packet, and the answer of both directions. */
import { describe, expect, test } from "vitest";
import { vpcRouteEvaluator } from "../../../src/evaluators/vpc-route/evaluator.ts";
import { createFlowView, fillFlowView, PacketState } from "../../../src/model/flow.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { reasonNames } from "../../../src/model/reason.ts";
import { Direction, verdictNames } from "../../../src/model/verdict.ts";
import { instance, instances, vpc } from "../ec2/documents.ts";
import { ask, flow, load } from "../ec2/pipeline.ts";

type Json = Record<string, unknown>;

/** `0.0.0.0/0 igw-1`, `::/0 eigw-1`, `pl-1 pcx-1`, `10.9.0.0/16 pcx-1 blackhole`. */
function route(text: string): Json {
  const [to = "", target = "", state = "active"] = text.split(" ");
  const key = to.startsWith("pl-")
    ? "DestinationPrefixListId"
    : to.includes(":")
      ? "DestinationIpv6CidrBlock"
      : "DestinationCidrBlock";
  const kinds: Readonly<Record<string, string>> = {
    igw: "GatewayId",
    local: "GatewayId",
    nat: "NatGatewayId",
    eigw: "EgressOnlyInternetGatewayId",
    pcx: "VpcPeeringConnectionId",
    tgw: "TransitGatewayId",
  };
  return { [key]: to, [kinds[target.split("-")[0] ?? ""] ?? "GatewayId"]: target, State: state };
}

const table = (
  RouteTableId: string,
  VpcId: string,
  subnets: readonly string[],
  routes: readonly string[],
  Main = false,
) => ({
  RouteTableId,
  VpcId,
  Associations: [...subnets.map((SubnetId) => ({ SubnetId, Main: false })), ...(Main ? [{ Main: true }] : [])],
  Routes: routes.map(route),
});

const local = "10.0.0.0/16 local";
const hosts = instances(
  instance("a", { ips: ["10.0.1.5", "2001:db8:0:1::5"], subnet: "subnet-1" }),
  instance("a2", { ips: ["10.0.1.6"], subnet: "subnet-1" }),
  instance("b", { ips: ["10.0.2.5"], subnet: "subnet-2" }),
  instance("far", { ips: ["10.5.0.5"], subnet: "subnet-5", vpc: "vpc-5" }),
);
const peerings = (Code: string) => ({
  VpcPeeringConnections: [
    {
      VpcPeeringConnectionId: "pcx-1",
      Status: { Code },
      RequesterVpcInfo: { VpcId: "vpc-1", CidrBlock: "10.0.0.0/16" },
      AccepterVpcInfo: { VpcId: "vpc-5", CidrBlock: "10.5.0.0/16" },
    },
  ],
});

function files(routes: readonly string[], back: readonly string[] = ["10.5.0.0/16 local"], peering = "active") {
  return {
    "hosts.json": hosts,
    "vpc.json": vpc,
    "tables.json": {
      RouteTables: [
        table("rtb-1", "vpc-1", ["subnet-1"], routes),
        table("rtb-main", "vpc-1", [], [local], true),
        table("rtb-5", "vpc-5", [], back, true),
      ],
    },
    "peerings.json": peerings(peering),
    "pl-1.json": { Entries: [{ Cidr: "203.0.113.0/24" }] },
  };
}

describe("routes (VR-1 … VR-5)", () => {
  test.each<[string, readonly string[], string, "egress" | "ingress", string]>([
    ["VR-2 local", [local], "10.0.1.5 -> 10.0.2.5:22/tcp", "egress", "next rule rtb-1 10.0.0.0/16 via local"],
    ["VR-2 no route", [local], "10.0.1.5 -> 192.0.2.1:22/tcp", "egress", "deny no-route rtb-1"],
    [
      "VR-2 a black hole",
      [local, "192.0.2.0/24 pcx-9 blackhole"],
      "10.0.1.5 -> 192.0.2.1:22/tcp",
      "egress",
      "deny blackhole rtb-1 192.0.2.0/24 via pcx-9",
    ],
    [
      "VR-2 the longest prefix",
      [local, "0.0.0.0/0 igw-1", "192.0.2.0/24 pcx-9 blackhole"],
      "10.0.1.5 -> 192.0.3.1:22/tcp",
      "egress",
      "next rule rtb-1 0.0.0.0/0 via igw-1",
    ],
    [
      "VR-2 the packet's family",
      [local, "0.0.0.0/0 igw-1"],
      "2001:db8:0:1::5 -> [2001:db9::1]:22/tcp",
      "egress",
      "deny no-route rtb-1",
    ],
    ["VR-2 same subnet", [], "10.0.1.5 -> 10.0.1.6:22/tcp", "egress", "next same-subnet"],
    ["VR-1 the main table", [local], "10.0.2.5 -> 192.0.2.1:22/tcp", "egress", "deny no-route rtb-main"],
    [
      "VR-3 an internet gateway lets out",
      [local, "0.0.0.0/0 igw-1"],
      "10.0.1.5 -> 192.0.2.1:22/tcp",
      "egress",
      "next rule rtb-1 0.0.0.0/0 via igw-1",
    ],
    [
      "VR-3 and in",
      [local, "0.0.0.0/0 igw-1"],
      "192.0.2.1 -> 10.0.1.5:22/tcp",
      "ingress",
      "next rule rtb-1 0.0.0.0/0 via igw-1",
    ],
    [
      "VR-3 a NAT gateway lets out",
      [local, "0.0.0.0/0 nat-1"],
      "10.0.1.5 -> 192.0.2.1:22/tcp",
      "egress",
      "next rule rtb-1 0.0.0.0/0 via nat-1",
    ],
    [
      "VR-3 and not in",
      [local, "0.0.0.0/0 nat-1"],
      "192.0.2.1 -> 10.0.1.5:22/tcp",
      "ingress",
      "deny no-route rtb-1 0.0.0.0/0 via nat-1",
    ],
    [
      "VR-3 an egress-only gateway",
      [local, "::/0 eigw-1"],
      "2001:db9::1 -> [2001:db8:0:1::5]:22/tcp",
      "ingress",
      "deny no-route rtb-1 ::/0 via eigw-1",
    ],
    ["VR-3 no gateway", [local], "192.0.2.1 -> 10.0.1.5:22/tcp", "ingress", "deny no-route rtb-1"],
    [
      "VR-4 a peering",
      [local, "10.5.0.0/16 pcx-1"],
      "10.0.1.5 -> 10.5.0.5:22/tcp",
      "egress",
      "next rule rtb-1 10.5.0.0/16 via pcx-1",
    ],
    [
      "VR-4 an address of the other VPC that nobody owns",
      [local, "0.0.0.0/0 pcx-1"],
      "10.0.1.5 -> 10.5.9.9:22/tcp",
      "egress",
      "next rule rtb-1 0.0.0.0/0 via pcx-1",
    ],
    [
      "VR-4 not transitive",
      [local, "0.0.0.0/0 pcx-1"],
      "10.0.1.5 -> 192.0.2.1:22/tcp",
      "egress",
      "deny no-route rtb-1 0.0.0.0/0 via pcx-1",
    ],
    [
      "VR-4 no such peering",
      [local, "10.5.0.0/16 pcx-2"],
      "10.0.1.5 -> 10.5.0.5:22/tcp",
      "egress",
      "deny blackhole rtb-1 10.5.0.0/16 via pcx-2",
    ],
    [
      "VR-4 the way back is the answer's",
      [local, "10.5.0.0/16 pcx-1"],
      "10.5.0.5 -> 10.0.1.5:22/tcp",
      "egress",
      "deny no-route rtb-5",
    ],
    [
      "VR-5 another VPC isn't on the internet",
      [local, "0.0.0.0/0 igw-1"],
      "10.0.1.5 -> 10.5.0.5:22/tcp",
      "egress",
      "deny no-route rtb-1 0.0.0.0/0 via igw-1",
    ],
    [
      "VR-5 a target that isn't modelled",
      [local, "10.5.0.0/16 tgw-1"],
      "10.0.1.5 -> 10.5.0.5:22/tcp",
      "egress",
      "next rule rtb-1 10.5.0.0/16 via tgw-1",
    ],
    [
      "VR-5 a prefix list",
      [local, "pl-1 igw-1"],
      "10.0.1.5 -> 203.0.113.9:22/tcp",
      "egress",
      "next rule rtb-1 pl-1 via igw-1",
    ],
    [
      "VR-5 an unknown prefix list",
      [local, "pl-2 igw-1"],
      "10.0.1.5 -> 203.0.113.9:22/tcp",
      "egress",
      "deny no-route rtb-1",
    ],
    [
      "SG-81 link-local services aren't routed",
      [local],
      "10.0.1.5 -> 169.254.169.254:80/tcp",
      "egress",
      "next not-managed",
    ],
    [
      "DEF-7 a route without a target is a black hole",
      [local, "0.0.0.0/0 igw-1", "192.0.2.0/24 "],
      "10.0.1.5 -> 192.0.2.1:22/tcp",
      "egress",
      "deny blackhole rtb-1 192.0.2.0/24 via none",
    ],
  ])("%s", (_, routes, packet, direction, expected) => {
    const compiled = vpcRouteEvaluator.compile(load(files(routes)).inventory, defaultKnobs);
    const { verdict, reason, policy, rule } = ask(compiled, flow(packet), direction);
    expect([verdict, reason, policy, rule].filter((part) => part !== null).join(" ")).toBe(expected);
  });

  test("VR-4 an inactive peering", () => {
    const { inventory } = load(files([local, "10.5.0.0/16 pcx-1"], [], "deleted"));
    const compiled = vpcRouteEvaluator.compile(inventory, defaultKnobs);
    expect(ask(compiled, flow("10.0.1.5 -> 10.5.0.5:22/tcp"), "egress").reason).toBe("blackhole");
  });

  test("VR-3 an answer comes in through a NAT gateway", () => {
    const compiled = vpcRouteEvaluator.compile(load(files([local, "0.0.0.0/0 nat-1"])).inventory, defaultKnobs);
    const view = createFlowView();
    fillFlowView(view, flow("192.0.2.1:443 -> 10.0.1.5:40000/tcp"));
    view.state = PacketState.reply;
    view.sourceClass = compiled.classOf(view.source);
    view.destinationClass = compiled.classOf(view.destination);
    expect(verdictNames[compiled.evaluateIngress(view)]).toBe("next");
    expect(compiled.explain?.(view, Direction.ingress)?.text).toBe("rtb-1 routes it: 0.0.0.0/0 via nat-1");
  });

  test("VR-1 without route tables nothing is judged", () => {
    const { inventory } = load({ "hosts.json": hosts, "vpc.json": vpc });
    const compiled = vpcRouteEvaluator.compile(inventory, defaultKnobs);
    expect(ask(compiled, flow("10.0.1.5 -> 192.0.2.1:22/tcp"), "egress").reason).toBe("not-managed");
    expect(vpcRouteEvaluator.capture(inventory, defaultKnobs).subjects).toEqual([]);
  });

  test("VR-1 a subnet without a table is decided by errorVerdict", () => {
    const tables = { RouteTables: [table("rtb-1", "vpc-1", ["subnet-1"], [local])] };
    const { inventory } = load({ ...files([]), "tables.json": tables });
    const compiled = vpcRouteEvaluator.compile(inventory, defaultKnobs);
    const packet = flow("10.0.2.5 -> 10.0.1.5:22/tcp");
    expect(ask(compiled, packet, "egress")).toMatchObject({ verdict: "deny", reason: "missing-configuration" });
    expect(reasonNames).toContain("missing-configuration");
  });
});
