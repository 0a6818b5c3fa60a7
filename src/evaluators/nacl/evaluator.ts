/**
 * EC2 network ACLs as an evaluator. It is stateless: every packet that crosses a subnet's boundary is judged on its
 * own, the answers of a connection too (NA-11), so it never looks at a flow's state. It answers `next` or `deny`.
 */
import { type BuiltinEvaluator, type CompiledEvaluator, Reads } from "../../model/evaluator.ts";
import { Direction } from "../../model/verdict.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { listSubjectAddresses } from "../ec2/endpoints.ts";
import { NO_SUBJECT } from "../ec2/ends.ts";
import { evaluateBoundary } from "./evaluate.ts";
import { explainBoundary } from "./explain.ts";
import { buildNetworkAclTables, type NetworkAclTables } from "./tables.ts";

export const networkAclEvaluator: BuiltinEvaluator<NetworkAclTables> = {
  name: "network-acl",
  stage: "nacl",
  isStateful: false,
  build: buildNetworkAclTables,
  load: loadNetworkAcls,
  compile: (inventory, knobs) => loadNetworkAcls(buildNetworkAclTables(inventory, knobs)),
  capture: ({ ec2 }) => ({ subjects: ec2.networkAcls.length === 0 ? [] : listSubjectAddresses(ec2), output: true }),
};

function loadNetworkAcls(tables: NetworkAclTables): CompiledEvaluator {
  return {
    reads:
      Reads.sourceClass | Reads.destinationClass | Reads.protocol | Reads.destinationPort | Reads.icmp | Reads.passage,
    rules: tables.rules,
    portBounds: tables.portBounds,
    classOf: (address) => classOfAddress(tables.classes, address),
    evaluateEgress: (view) => evaluateBoundary(tables, view, Direction.egress),
    evaluateIngress: (view) => evaluateBoundary(tables, view, Direction.ingress),
    isSubject: (classNumber) => tables.vpcOf[classNumber] !== NO_SUBJECT,
    explain: (view, direction) => explainBoundary(tables, view, direction),
  };
}
