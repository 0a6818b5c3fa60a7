/**
 * VPC routing as an evaluator: whether the route table of a subnet leads a packet out of it, or in. It judges packets,
 * so that a peering whose other side has no route back refuses the answer (VR-4).
 */
import { type BuiltinEvaluator, type CompiledEvaluator, type Explanation, Reads } from "../../model/evaluator.ts";
import { type FlowView, PacketState } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { formatAddress } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { listEndpointAddresses } from "../ec2/endpoints.ts";
import { judgeEnds, NO_SUBJECT, peerOf, subjectOf } from "../ec2/ends.ts";
import { commonExplanation, copyView } from "../ec2/packet-text.ts";
import { buildVpcRouteTables, MISSING_TABLE, Passage, type VpcRouteTables } from "./tables.ts";

export const vpcRouteEvaluator: BuiltinEvaluator<VpcRouteTables> = {
  name: "vpc-route",
  stage: "route",
  isStateful: false,
  build: buildVpcRouteTables,
  load: loadVpcRoutes,
  compile: (inventory, knobs) => loadVpcRoutes(buildVpcRouteTables(inventory, knobs)),
  capture({ ec2 }) {
    const vpcs = new Set(ec2.routeTables.map((t) => t.vpcId));
    const subjects = listEndpointAddresses(ec2).filter((e) => e.owner !== null && vpcs.has(e.owner.vpcId));
    return { subjects: subjects.map((e) => e.address), output: true };
  },
};

function loadVpcRoutes(tables: VpcRouteTables): CompiledEvaluator {
  return {
    reads: Reads.sourceClass | Reads.destinationClass,
    rules: tables.rules,
    classOf: (address) => classOfAddress(tables.classes, address),
    evaluateEgress: (view) => evaluate(tables, view, Direction.egress),
    evaluateIngress: (view) => evaluate(tables, view, Direction.ingress),
    isSubject: (classNumber) => tables.tableOf[classNumber] !== NO_SUBJECT,
    explain: (view, direction) => explain(tables, view, direction),
  };
}

function evaluate(tables: VpcRouteTables, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const subject = subjectOf(view, direction);
  const peer = peerOf(view, direction);
  const table = tables.tableOf[subject] as number;
  const early = judgeEnds(view, table, tables.tableOf[peer] as number);
  if (early !== null) return early;
  const subnet = tables.subnetOf[subject] as number;
  if (subnet >= 0 && tables.subnetOf[peer] === subnet) {
    view.reason = Reason["same-subnet"];
    return Verdict.next;
  }
  if (table === MISSING_TABLE) {
    view.reason = Reason["missing-configuration"];
    return tables.acceptsErrors ? Verdict.next : Verdict.deny;
  }
  const at = table * tables.classCount + peer;
  const passage = (isEgress ? tables.egress[at] : tables.ingress[at]) as Passage;
  if (passage === Passage.notRouted) {
    view.reason = Reason["not-managed"];
    return Verdict.next;
  }
  view.rule = tables.routeOf[at] as number;
  // VR-3: a NAT gateway or an egress-only gateway admits answers alone.
  if (passage === Passage.pass || (passage === Passage.answersOnly && view.state === PacketState.reply)) {
    view.reason = Reason.rule;
    return Verdict.next;
  }
  view.reason = passage === Passage.blackhole ? Reason.blackhole : Reason["no-route"];
  return Verdict.deny;
}

function explain(tables: VpcRouteTables, given: FlowView, direction: Direction): Explanation | null {
  const view = copyView(given, (address) => classOfAddress(tables.classes, address));
  const verdict = evaluate(tables, view, direction);
  const common = commonExplanation(view.reason);
  if (common !== undefined) return common;
  if (view.reason === Reason["missing-configuration"]) {
    const text =
      "the input doesn't say which route table the subnet has: neither an association nor the VPC's main one";
    return { text, remedy: "load the output of aws ec2 describe-route-tables" };
  }
  const isEgress = direction === Direction.egress;
  const ref = tables.rules[view.rule];
  const whom = `${isEgress ? "to" : "from"} ${formatAddress(isEgress ? view.destination : view.source)}`;
  if (verdict === Verdict.next) return { text: `${ref?.policy} routes it: ${ref?.rule}`, remedy: null };
  const route = ref?.rule ?? null;
  const text =
    route === null
      ? `${ref?.policy} has no route ${whom}`
      : view.reason === Reason.blackhole
        ? `the route ${route} is a black hole`
        : `the route ${route} doesn't let packets ${isEgress ? "out" : "in"} ${whom}`;
  return { text, remedy: `give ${ref?.policy} a route ${whom} (aws ec2 create-route --route-table-id ${ref?.policy})` };
}
