/** Why a network ACL answered as it did, in a sentence, and the AWS CLI command that would change it. */
import type { Explanation } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import type { NetworkAclEntry } from "../../model/network-acl.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { type Address, Family, formatAddress } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { containsAddress } from "../../net/prefix.ts";
import { isIcmp, Protocol } from "../../net/protocol.ts";
import { commonExplanation, copyView, hostText, packetText } from "../ec2/packet-text.ts";
import { coversPacket, keyRanges } from "../ec2/port-key.ts";
import { evaluateBoundary } from "./evaluate.ts";
import type { AclDirection, NetworkAclTables } from "./tables.ts";

/** Where answers go: Linux asks from 32768, Windows from 49152, gateways and functions from 1024 (NA-21). */
const FIRST_EPHEMERAL_PORT = 32768;
const EPHEMERAL = { from: 1024, to: 65535 };
const LAST_USER_NUMBER = 32766;

export function explainBoundary(tables: NetworkAclTables, given: FlowView, direction: Direction): Explanation | null {
  const view = copyView(given, (address) => classOfAddress(tables.classes, address));
  const verdict = evaluateBoundary(tables, view, direction);
  const common = commonExplanation(view.reason);
  if (common !== undefined) return common;
  const isEgress = direction === Direction.egress;
  if (view.reason === Reason["missing-configuration"]) {
    const text = "the input doesn't say which network ACL the subnet has: neither an association nor the VPC's default";
    return { text, remedy: "load the output of aws ec2 describe-network-acls and describe-subnets" };
  }
  const ref = tables.rules[view.rule];
  const acl = tables.acls.find((a) => a.id === ref?.policy);
  if (!ref || !acl) return null;
  const name = `entry ${ref.rule} of its ${isEgress ? "egress" : "ingress"} list`;
  if (verdict === Verdict.next) return { text: `${name} is the first that matches, and allows it`, remedy: null };
  const side = isEgress ? acl.egress : acl.ingress;
  const address = isEgress ? view.destination : view.source;
  const isAnswer = isPortProtocol(view) && view.destinationPort >= FIRST_EPHEMERAL_PORT;
  const packet = `${packetText(view)} ${isEgress ? "to" : "from"} ${formatAddress(address)}`;
  const word = isEgress ? "egress" : "ingress";
  const count = side.entries.length;
  const fails = count === 1 ? `its only ${word} entry doesn't match` : `none of its ${count} ${word} entries matches`;
  const rest =
    count === 0
      ? `it has no ${word} entry but the last one, *, which denies everything`
      : `${fails} ${packet}, so the last one, *, denies it`;
  const text = [
    view.rule === side.rest ? rest : `${name} denies ${packet} before any other entry matches`,
    laterAllow(side, view, address),
    isAnswer ? `; port ${view.destinationPort} is one that clients ask from, and a network ACL judges answers too` : "",
  ].join("");
  return { text, remedy: view.isFragment ? null : remedyFor(acl.id, side, view, isEgress, address, isAnswer) };
}

function isPortProtocol({ protocol, isFragment }: FlowView): boolean {
  return !isFragment && (protocol === Protocol.tcp || protocol === Protocol.udp);
}

function matches(entry: NetworkAclEntry, view: FlowView, address: Address): boolean {
  return (
    containsAddress(entry.prefix, address) && coversPacket(entry.protocol, keyRanges(entry.ports, entry.icmp), view)
  );
}

function laterAllow({ entries }: AclDirection, view: FlowView, address: Address): string {
  const found = entries.find((e) => e.isAllow && matches(e, view, address));
  return found ? ` (entry ${found.number} would allow it, but comes later)` : "";
}

/** A command with the highest free number in front of the entry that denies; a change in words where none is free. */
function remedyFor(
  aclId: string,
  side: AclDirection,
  view: FlowView,
  isEgress: boolean,
  address: Address,
  isAnswer: boolean,
): string {
  const taken = new Set(side.entries.map((e) => e.number));
  const denying = side.entries[view.rule - side.firstRule]?.number ?? LAST_USER_NUMBER + 1;
  let number = Math.min(denying, LAST_USER_NUMBER + 1) - 1;
  if (number === LAST_USER_NUMBER) {
    // Behind the entries there are, with room between, as people number them.
    const last = Math.max(0, ...side.entries.map((e) => e.number).filter((n) => n <= LAST_USER_NUMBER));
    number = last + 10 - (last % 10) <= LAST_USER_NUMBER ? last + 10 - (last % 10) : number;
  }
  while (taken.has(number)) number--;
  if (number < 1) return `renumber the entries of ${aclId}, so that one that allows it comes before entry ${denying}`;
  const cidr = `${address.family === Family.ipv4 ? "--cidr-block" : "--ipv6-cidr-block"} ${hostText(address)}`;
  const range = isAnswer ? EPHEMERAL : { from: view.destinationPort, to: view.destinationPort };
  const ports = isPortProtocol(view) ? ` --port-range From=${range.from},To=${range.to}` : "";
  const types = isIcmp(view.protocol) ? ` --icmp-type-code Type=${view.icmpType},Code=${view.icmpCode}` : "";
  const verb = `aws ec2 create-network-acl-entry --network-acl-id ${aclId} --${isEgress ? "egress" : "ingress"}`;
  return `${verb} --rule-number ${number} --protocol ${view.protocol}${ports}${types} ${cidr} --rule-action allow`;
}
