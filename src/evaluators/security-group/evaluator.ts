/**
 * EC2 security groups as an evaluator: every interface has one gate for each direction, open for what any rule of any
 * of its groups allows (SG-42), and a flow between two interfaces passes both (SG-48). It answers `next` or `deny`,
 * never `accept`: what a group allows, the stages inside may still refuse (PL-5).
 */
import { type BuiltinEvaluator, type CompiledEvaluator, Reads } from "../../model/evaluator.ts";
import { Direction } from "../../model/verdict.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { listEndpointAddresses } from "../ec2/endpoints.ts";
import { NO_SUBJECT } from "../ec2/ends.ts";
import { evaluateGate, isWithinInterface } from "./evaluate.ts";
import { explainGate } from "./explain.ts";
import { createGroupDirectory } from "./groups.ts";
import { buildSecurityGroupTables, type SecurityGroupTables } from "./tables.ts";

export const securityGroupEvaluator: BuiltinEvaluator<SecurityGroupTables> = {
  name: "security-group",
  stage: "sg",
  isStateful: true,
  build: buildSecurityGroupTables,
  load: loadSecurityGroups,
  compile: (inventory, knobs) => loadSecurityGroups(buildSecurityGroupTables(inventory, knobs)),
  capture({ ec2 }) {
    const directory = createGroupDirectory(ec2);
    const subjects = listEndpointAddresses(ec2).filter(
      (e) => e.isAmbiguous || (e.owner !== null && directory.namesOf(e.owner) !== null),
    );
    return { subjects: subjects.map((e) => e.address), output: true };
  },
};

function loadSecurityGroups(tables: SecurityGroupTables): CompiledEvaluator {
  return {
    reads:
      Reads.sourceClass |
      Reads.destinationClass |
      Reads.protocol |
      Reads.destinationPort |
      Reads.icmp |
      Reads.passage |
      Reads.addresses,
    rules: tables.rules,
    portBounds: tables.portBounds,
    relationOf: (view) => (isWithinInterface(tables, view) ? 1 : 0),
    classOf: (address) => classOfAddress(tables.classes, address),
    evaluateEgress: (view) => evaluateGate(tables, view, Direction.egress),
    evaluateIngress: (view) => evaluateGate(tables, view, Direction.ingress),
    isSubject: (classNumber) => tables.profileOf[classNumber] !== NO_SUBJECT,
    explain: (view, direction) => explainGate(tables, view, direction),
  };
}
