/** All lint rules over one inventory. Findings about mistakes of form come with the inventory itself. */
import type { Finding } from "../../model/finding.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Program } from "../program.ts";
import { egressWithoutDns } from "./egress-without-dns.ts";
import { hostNetworkPod } from "./host-network-pod.ts";
import { icmpTypeLikePort } from "./icmp-type-like-port.ts";
import { ipBlockCoversPods } from "./ip-block-covers-pods.ts";
import { peerSelectsNothing } from "./peer-selects-nothing.ts";
import { policySelectsNothing } from "./policy-selects-nothing.ts";
import { refusedAnswers } from "./refused-answers.ts";
import type { LintRule } from "./rule.ts";
import { ruleWithoutMembers } from "./rule-without-members.ts";
import { shadowedEntry } from "./shadowed-entry.ts";
import { undefinedNamedPort } from "./undefined-named-port.ts";
import { unknownNamespace } from "./unknown-namespace.ts";
import { unusedGroup } from "./unused-group.ts";

const rules: readonly LintRule[] = [
  shadowedEntry,
  refusedAnswers,
  unusedGroup,
  ruleWithoutMembers,
  icmpTypeLikePort,
  policySelectsNothing,
  peerSelectsNothing,
  unknownNamespace,
  undefinedNamedPort,
  ipBlockCoversPods,
  hostNetworkPod,
  egressWithoutDns,
];

/** The inventory's own findings and those of every lint rule, in order of file and place. */
export function lint(inventory: Inventory, program: Program): readonly Finding[] {
  const findings: Finding[] = [...inventory.findings];
  for (const rule of rules) rule({ inventory, program }, (finding) => findings.push(finding));
  return findings.sort((a, b) => compareText(a.file, b.file) || compareText(a.path, b.path));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
