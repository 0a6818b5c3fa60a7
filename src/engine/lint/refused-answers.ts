/**
 * The ephemeral-port trap (NA-18): flows that everything admits, whose answers a network ACL refuses. Found by asking
 * for verdicts, from the two ends of Linux's range of client ports.
 */
import type { Origin } from "../../model/finding.ts";
import { directionNames } from "../../model/verdict.ts";
import { Family } from "../../net/address.ts";
import { hasPorts } from "../../net/protocol.ts";
import { listEndpoints } from "../matrix/endpoints.ts";
import { FlowJudge } from "../matrix/flow-judge.ts";
import { type EndpointGroup, flowFamilies, groupEndpoints, pairOf } from "../matrix/groups.ts";
import { listMentions } from "../matrix/mentions.ts";
import { formatServices, listServices, type Service } from "../matrix/services.ts";
import { type LintRule, listSome, warn } from "./rule.ts";

/** `net.ipv4.ip_local_port_range`, its default (NA-21). */
const clientPorts = [32768, 60999] as const;
/** More pairs than that are too many to ask about; the trap shows in fewer. */
const maxFlows = 4_000_000;

interface Trap {
  readonly origin: Origin;
  readonly policy: string;
  readonly direction: string;
  readonly rule: string | null;
  readonly family: Family;
  readonly flows: Map<string, Service[]>;
  all: boolean;
}

export const refusedAnswers: LintRule = ({ inventory, program }, report) => {
  const { ec2 } = inventory;
  if (ec2.networkAcls.length === 0) return;
  const origins = new Map(ec2.networkAcls.map((acl) => [acl.id, acl.origin]));
  const groups = groupEndpoints(listEndpoints(inventory, "apart"), program);
  // Ports that nobody mentions aren't offered by anybody.
  const services = listServices([listMentions(inventory)]).filter((s) => hasPorts(s.protocol) && !s.isRest);
  if (groups.length ** 2 * services.length > maxFlows) return;
  const judge = new FlowJudge(program);
  const traps = new Map<string, Trap>();
  for (const [from, to] of pairsOf(groups)) {
    const pair = pairOf(from, to);
    if (pair === null || (pair[0].kind === "outside" && pair[1].kind === "outside")) continue;
    for (const service of services) {
      for (const family of flowFamilies) {
        const refused = clientPorts
          .map((port) => judge.decisions[judge.judgeFrom(pair[0], pair[1], service, family, port)])
          .filter((decision) => decision?.state === "no-answer");
        const decision = refused[0];
        const origin = origins.get(decision?.policy ?? "");
        if (!decision || !origin) continue;
        const direction = directionNames[decision.direction] ?? "";
        const key = `${decision.policy} ${direction} ${decision.rule} ${family}`;
        const trap: Trap = traps.get(key) ?? {
          origin,
          policy: decision.policy ?? "",
          direction,
          rule: decision.rule,
          family,
          flows: new Map(),
          all: true,
        };
        traps.set(key, trap);
        const name = `${from.name} → ${to.name}`;
        trap.flows.set(name, [...(trap.flows.get(name) ?? []), service]);
        if (refused.length < clientPorts.length) trap.all = false;
      }
    }
  }
  for (const trap of traps.values()) {
    const flows = [...trap.flows].map(([name, own]) => `${name} ${formatServices(own, [])}`);
    const by = trap.rule === "*" || trap.rule === null ? "no entry allows them" : `entry ${trap.rule} denies them`;
    const some = trap.all ? "answers" : "answers to some client ports";
    const family = trap.family === Family.ipv6 ? "IPv6 " : "";
    warn(report, trap.origin, trap.direction, {
      code: "refused-answers",
      rule: "NA-18",
      message: `${family}connections are let through and their ${some} are refused, because ${by} on ${trap.direction}: ${listSome(flows)}`,
      remedy: `allow tcp and udp to ports 1024-65535 (Linux clients: 32768-60999) on ${trap.direction}, for the addresses that connect`,
    });
  }
};

function* pairsOf(groups: readonly EndpointGroup[]): Generator<readonly [EndpointGroup, EndpointGroup]> {
  for (const from of groups) for (const to of groups) yield [from, to];
}
