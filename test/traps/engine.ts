/**
 * Documents as users write them through the whole engine: text → files' parser → inventory → program → the pipeline that
 * judges live packets. Verdicts as short sentences.
 */
import { compileProgram } from "../../src/engine/compiler.ts";
import { createDecision, type Decision } from "../../src/engine/decision.ts";
import { readFlow } from "../../src/engine/flow-request.ts";
import { type Memory, Pipeline } from "../../src/engine/pipeline.ts";
import type { Program } from "../../src/engine/program.ts";
import { References } from "../../src/engine/reference.ts";
import type { Finding } from "../../src/model/finding.ts";
import { createFlowView, type FlowView, PacketState } from "../../src/model/flow.ts";
import { parseKnobs } from "../../src/model/knobs.ts";
import { reasonNames } from "../../src/model/reason.ts";
import { directionNames } from "../../src/model/verdict.ts";
import { parseFile } from "../../src/sources/files/parse-file.ts";
import { readParts } from "../../src/sources/files/read-parts.ts";
import { assembleInventory } from "../../src/sources/inventory-store.ts";

export interface Engine {
  readonly program: Program;
  readonly findings: readonly Finding[];
  /**
   * `i-a -> i-b tcp 22`, `shop/web -> 8.8.8.8 icmp 8/0`, `… protocol 50`, with ` via service`, ` fragment` or the name
   * of a packet's state behind it. The answer: `accept`, `accept, reply deny nacl egress`, `deny sg ingress no-rule-matches`.
   */
  ask(flow: string): string;
  /** The whole decision, for flows that are remembered. */
  decide(flow: string, memory?: Partial<Memory>): Decision;
}

/** One file: YAML text, or documents that are written as JSON. */
export function engineOf(documents: string | readonly unknown[], ...settings: readonly string[]): Engine {
  const { knobs, issues } = parseKnobs(settings);
  if (issues[0]) throw new Error(issues[0].message);
  const files: [string, string][] =
    typeof documents === "string"
      ? [["all.yaml", documents]]
      : documents.map((document, i) => [nameOf(document, i), JSON.stringify(document)]);
  const parts = files.map(([file, text]) => {
    const parsed = parseFile(file, text);
    if (parsed.documents === null) throw new Error(`${file}: ${parsed.failure}`);
    return readParts(file, parsed.documents);
  });
  const inventory = assembleInventory(parts, []);
  const program = compileProgram(inventory, knobs);
  const references = new References(inventory);
  const pipeline = new Pipeline();
  const decide = (flow: string, memory: Partial<Memory> = {}) => {
    const decision = createDecision();
    const fresh = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
    pipeline.decide(program, viewOf(flow, references), { ...fresh, ...memory }, decision);
    return decision;
  };
  return { program, findings: inventory.findings, ask: (flow) => textOf(decide(flow), program), decide };
}

/** A prefix list's entries are in a file named after it. */
function nameOf(document: unknown, index: number): string {
  const isList = typeof document === "object" && document !== null && "Entries" in document;
  return isList ? "pl-1.json" : `${String(index).padStart(3, "0")}.json`;
}

function viewOf(text: string, references: References): FlowView {
  const match = /^(\S+) -> (\S+) (\S+)(?: (\d+)(?:\/(\d+))?)?((?: via service| fragment| \w+)*)$/.exec(text);
  if (!match) throw new Error(`no flow: ${text}`);
  const [, from, to, name = "", first, second, rest = ""] = match;
  const isIcmp = name.startsWith("icmp");
  const number = first === undefined ? undefined : Number(first);
  const request = {
    from,
    to,
    protocol: name === "protocol" ? number : name,
    ...(isIcmp ? { icmpType: number, icmpCode: Number(second ?? 0) } : name === "protocol" ? {} : { port: number }),
    ...(rest.includes("via service") ? { via: "service" } : {}),
  };
  const view = createFlowView();
  const error = readFlow(request, references, view);
  if (error) throw new Error(`${text}: ${error.message}`);
  if (rest.includes("fragment")) Object.assign(view, { isFragment: true, destinationPort: 0, sourcePort: 0 });
  for (const [state, value] of Object.entries(PacketState)) if (rest.endsWith(` ${state}`)) view.state = value;
  return view;
}

function textOf(d: Decision, { stages }: Program): string {
  if (!d.isFlowAccepted) {
    return `deny ${stages[d.stage]?.name} ${directionNames[d.direction as 0]} ${reasonNames[d.reason]}`;
  }
  if (d.isReplyAccepted) return "accept";
  return `accept, reply deny ${stages[d.replyStage]?.name} ${directionNames[d.replyDirection as 0]}`;
}

/** A row: documents, and for each flow the verdict. */
export interface Trap {
  readonly name: string;
  readonly documents: string | readonly unknown[];
  readonly settings?: readonly string[];
  readonly flows: Readonly<Record<string, string>>;
}

/** The verdicts that the engine gives for a trap's flows, to compare with its own. */
export function verdictsOf({ documents, settings = [], flows }: Trap): Record<string, string> {
  const engine = engineOf(documents, ...settings);
  return Object.fromEntries(Object.keys(flows).map((flow) => [flow, engine.ask(flow)]));
}
