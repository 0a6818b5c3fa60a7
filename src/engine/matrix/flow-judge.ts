/**
 * Flows between endpoints, judged by the one pipeline, with their decisions numbered: most of many flows are decided by
 * few rules.
 */
import { copyAddress, createFlowView, type FlowView, PacketState } from "../../model/flow.ts";
import type { Reason } from "../../model/reason.ts";
import { type Address, Family } from "../../net/address.ts";
import { hasPorts, Protocol } from "../../net/protocol.ts";
import { Explainer } from "../explain.ts";
import { defaultSourcePort } from "../flow-request.ts";
import type { Program } from "../program.ts";
import { renderExplanation } from "../render-explain.ts";
import { ExplainJson } from "../render-explain-json.ts";
import type { EndpointNames } from "../render-explain-names.ts";
import type { Endpoint } from "./endpoints.ts";
import { addressesOf } from "./groups.ts";
import type { Service } from "./services.ts";

/** `no-answer`: the flow passes, and its answering packets are refused (NA-18). */
export type FlowState = "open" | "no-answer" | "closed";

/** What many flows have in common. */
export interface NumberedDecision {
  readonly state: FlowState;
  /** As `explain --json --no-trace` prints it. */
  readonly json: string;
  /** Who closed it, or refused the answer; who let it pass otherwise. Null for nobody. */
  readonly evaluator: string | null;
  readonly stage: string | null;
  readonly policy: string | null;
  readonly rule: string | null;
  readonly direction: number;
  readonly reason: Reason;
}

const plain = (text: string): string => text;
const plainStyle = { bold: plain, dim: plain, good: plain, bad: plain };

export class FlowJudge {
  readonly decisions: NumberedDecision[] = [];
  readonly #program: Program;
  readonly #explainer: Explainer;
  readonly #json: ExplainJson;
  readonly #numbers = new Map<string, number>();
  readonly #view = createFlowView();

  constructor(program: Program) {
    this.#program = program;
    this.#explainer = new Explainer(program, { withTrace: false });
    this.#json = new ExplainJson(program);
  }

  /** The number of the decision, or -1 where the flow can't exist. */
  judge(source: Endpoint, destination: Endpoint, service: Service, family: Family): number {
    const pair = addressesOf(source, destination, family);
    if (pair === null || !fits(service, pair)) return -1;
    fill(this.#view, pair, service, defaultSourcePort);
    return this.#decide();
  }

  /** With a client's port of its own. */
  judgeFrom(source: Endpoint, destination: Endpoint, service: Service, family: Family, sourcePort: number): number {
    const pair = addressesOf(source, destination, family);
    if (pair === null || !fits(service, pair)) return -1;
    fill(this.#view, pair, service, sourcePort);
    return this.#decide();
  }

  /** `explain`'s words for a flow that can exist, without its title; one line each, without indentation. */
  describe(
    source: Endpoint,
    destination: Endpoint,
    service: Service,
    family: Family,
    names: EndpointNames,
  ): readonly string[] {
    const pair = addressesOf(source, destination, family);
    if (pair === null) return [];
    fill(this.#view, pair, service, defaultSourcePort);
    this.#explainer.explain(this.#view);
    // An evaluator that failed may have left the record in any state.
    fill(this.#view, pair, service, defaultSourcePort);
    const asked = { from: source.reference, to: destination.reference, view: this.#view };
    const lines = renderExplanation(this.#explainer, asked, names, plainStyle).trimEnd().split("\n");
    return lines.slice(1).map((line) => line.replace(/^ {2}/, ""));
  }

  #decide(): number {
    this.#explainer.explain(this.#view);
    const json = this.#json.render(this.#explainer, false);
    let number = this.#numbers.get(json);
    if (number === undefined) {
      number = this.decisions.push(this.#number(json)) - 1;
      this.#numbers.set(json, number);
    }
    return number;
  }

  #number(json: string): NumberedDecision {
    const { decision: d } = this.#explainer;
    const refusesReply = d.isFlowAccepted && !d.isReplyAccepted;
    const stage = refusesReply ? d.replyStage : d.stage;
    const evaluator = this.#program.evaluators[refusesReply ? d.replyEvaluator : d.evaluator];
    const rule = refusesReply ? d.replyRule : d.rule;
    const ref = rule < 0 ? undefined : evaluator?.compiled.rules[rule];
    return {
      state: !d.isFlowAccepted ? "closed" : d.isReplyAccepted ? "open" : "no-answer",
      json,
      evaluator: evaluator?.name ?? null,
      stage: this.#program.stages[stage]?.name ?? null,
      policy: ref?.policy ?? null,
      rule: ref?.rule ?? null,
      direction: refusesReply ? d.replyDirection : d.direction,
      reason: refusesReply ? this.#explainer.replyReason() : d.reason,
    };
  }
}

/** ICMP is IPv4's, ICMPv6 IPv6's (SG-11). */
function fits({ protocol, isEcho }: Service, [source, destination]: readonly [Address, Address]): boolean {
  if (isEcho) return true;
  const own = protocol === Protocol.icmp ? Family.ipv4 : protocol === Protocol.icmpv6 ? Family.ipv6 : Family.none;
  if (own === Family.none) return true;
  const family = source.family === Family.none ? destination.family : source.family;
  return family === own || (family === Family.none && own === Family.ipv4);
}

function fill(
  view: FlowView,
  [source, destination]: readonly [Address, Address],
  { protocol, port, icmpType, icmpCode, isEcho }: Service,
  sourcePort: number,
): void {
  const isEcho6 = isEcho && (source.family === Family.ipv6 || destination.family === Family.ipv6);
  copyAddress(view.source, source);
  copyAddress(view.destination, destination);
  view.protocol = isEcho6 ? Protocol.icmpv6 : protocol;
  view.sourcePort = hasPorts(protocol) ? sourcePort : 0;
  view.destinationPort = port;
  view.icmpType = isEcho6 ? 128 : icmpType;
  view.icmpCode = icmpCode;
  view.viaService = false;
  view.isFragment = false;
  view.state = PacketState.original;
}
