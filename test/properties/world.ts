/** A random world: documents, knobs and flows; and how the engine and the reference engine judge it. */
import fc from "fast-check";
import { expect } from "vitest";
import { Compiler } from "../../src/engine/compiler.ts";
import type { Explainer } from "../../src/engine/explain.ts";
import type { Program, ProgramEvaluator } from "../../src/engine/program.ts";
import { ProgramReader } from "../../src/engine/program-reader.ts";
import type { Finding } from "../../src/model/finding.ts";
import { createFlowView, type FlowView, PacketState } from "../../src/model/flow.ts";
import type { Inventory } from "../../src/model/inventory.ts";
import { changeFromNothing } from "../../src/model/inventory-change.ts";
import { type Knobs, parseKnobs } from "../../src/model/knobs.ts";
import { directionNames } from "../../src/model/verdict.ts";
import { parseAddress } from "../../src/net/address.ts";
import { assembleEc2, convertAwsDocument, type Ec2Part } from "../../src/sources/ec2/convert.ts";
import { assembleKubernetes, convertKubernetesDocument } from "../../src/sources/kubernetes/convert.ts";
import type { Documents } from "../reference/engine.ts";
import { type Ip, ipOf } from "../reference/ip.ts";
import type { Packet } from "../reference/packet.ts";
import { ec2Documents } from "./ec2-arbitrary.ts";
import { kubernetesObjects } from "./kubernetes-arbitrary.ts";
import { endsOf, type Families, flowPort, seldom } from "./universe.ts";

export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly port: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly viaService: boolean;
  readonly isFragment: boolean;
}

export interface World extends Documents {
  /** `NAME=VALUE`, as users write them. */
  readonly knobs: readonly string[];
  readonly flows: readonly Flow[];
}

/** Those that change much come twice. */
const settings = [
  "ipBlockMatchesPods=false",
  "npEgressToOwnNode=evaluate",
  "errorVerdict=accept",
  "errorVerdict=accept",
  "ipBlockMatchesPods=false",
  "npNonL4=allow",
  "npNonL4=deny",
  "npEgressToOwnNode=evaluate",
  "defaultVerdict.k8s=deny",
  "defaultVerdict.sg=deny",
  "defaultVerdict.nacl=deny",
  "defaultVerdict.route=deny",
  "awsExempt.dns=off",
  "awsExempt.dhcp=off",
  "awsExempt.imds=off",
  "awsExempt.router=off",
  "awsExempt.time=off",
  "awsExempt.kms=off",
  "awsExempt.ecs-metadata=off",
];

export function flow(families: Families): fc.Arbitrary<Flow> {
  const pair = (family: 4 | 6) => {
    const end = fc.constantFrom(...endsOf(family, families));
    return fc.tuple(end, end);
  };
  return fc
    .record({
      ends: families === "dual" ? fc.oneof(pair(4), pair(6)) : pair(4),
      protocol:
        families === "dual"
          ? fc.constantFrom(6, 6, 6, 6, 17, 17, 17, 132, 1, 1, 58, 58, 50, 0, 255)
          : fc.constantFrom(6, 17),
      sourcePort: flowPort,
      port: flowPort,
      icmpType: fc.constantFrom(0, 3, 8, 11, 128, 129, 1, 4, 13, 133, 137, 138, 255),
      icmpCode: fc.constantFrom(0, 1, 4, 255),
      viaService: seldom(fc.constant(false), fc.constant(true)),
      isFragment: seldom(fc.constant(false), fc.constant(true)),
    })
    .map(({ ends: [from, to], protocol, isFragment, ...rest }) => {
      const hasPorts = [6, 17, 132].includes(protocol) && !isFragment;
      const isIcmp = [1, 58].includes(protocol) && !isFragment;
      return {
        from,
        to,
        protocol,
        sourcePort: hasPorts ? rest.sourcePort : 0,
        port: hasPorts ? rest.port : 0,
        icmpType: isIcmp ? rest.icmpType : 0,
        icmpCode: isIcmp ? rest.icmpCode : 0,
        viaService: rest.viaService,
        isFragment,
      };
    });
}

/** `only` leaves out the other half. */
export function world(
  families: Families,
  flowCount: number,
  only: "both" | "ec2" | "kubernetes" = "both",
): fc.Arbitrary<World> {
  // Without a bias for the smallest and the first: rules and flows would seldom meet in the middle.
  return fc.noBias(
    fc.record({
      aws:
        only === "kubernetes"
          ? fc.constant({})
          : fc.oneof({ weight: 8, arbitrary: ec2Documents(families) }, fc.constant({})),
      kubernetes:
        only === "ec2"
          ? fc.constant([])
          : fc.oneof({ weight: 8, arbitrary: kubernetesObjects(families) }, fc.constant([])),
      knobs: fc.oneof(
        { weight: 1, arbitrary: fc.constant([]) },
        fc.uniqueArray(fc.constantFrom(...settings), { maxLength: 3 }),
      ),
      flows: fc.array(flow(families), { minLength: flowCount, maxLength: flowCount }),
    }),
  );
}

export function knobsOf({ knobs: given }: Pick<World, "knobs">): Knobs {
  const { knobs, issues } = parseKnobs(given);
  if (issues.length > 0) throw new Error(`${issues[0]?.message}`);
  return knobs;
}

export function inventoryOf({ aws, kubernetes }: Documents): Inventory {
  const findings: Finding[] = [];
  const report = (finding: Finding) => {
    findings.push(finding);
  };
  const parts = Object.entries(aws).map(([file, document]): Ec2Part => {
    const part = convertAwsDocument(document, file, report);
    if (!part) throw new Error(`${file} is no AWS document`);
    return part;
  });
  const list = { apiVersion: "v1", kind: "List", items: kubernetes };
  const objects = convertKubernetesDocument(list, "objects.yaml", report);
  return {
    ec2: assembleEc2(parts, report),
    kubernetes: assembleKubernetes(objects ? [objects] : [], report),
    findings,
  };
}

/** Through the clone that carries tables to worker threads, so that the tables are what is judged by. */
export function programOf(given: Pick<World, "knobs"> & Documents): Program {
  const knobs = knobsOf(given);
  const compiler = new Compiler(knobs);
  const { patches } = compiler.update([changeFromNothing(inventoryOf(given))]);
  return withWords(new ProgramReader(knobs).apply(structuredClone(patches)), compiler.program);
}

/** What the engine says of a flow, in the reference engine's words. */
export function judge(explainer: Explainer, view: FlowView): string {
  explainer.explain(view);
  const { decision: d, program } = explainer;
  const place = (stage: number, direction: number) =>
    `${program.stages[stage]?.name} ${directionNames[direction as 0]}`;
  if (d.isError) return `error ${place(d.stage, d.direction)}`;
  if (!d.isFlowAccepted) return `deny ${place(d.stage, d.direction)}`;
  return `accept, reply ${d.isReplyAccepted ? "accept" : `deny ${place(d.replyStage, d.replyDirection)}`}`;
}

/** The words of rules stay on the compiler's thread: another thread's program has none. */
function withWords(program: Program, own: Program): Program {
  const dress = (evaluator: ProgramEvaluator): ProgramEvaluator => {
    const { rules, explain } = own.evaluators[evaluator.index]?.compiled ?? expect.fail(evaluator.name);
    return { ...evaluator, compiled: { ...evaluator.compiled, rules, ...(explain && { explain }) } };
  };
  return {
    ...program,
    evaluators: program.evaluators.map(dress),
    stages: program.stages.map((stage) => ({ ...stage, evaluators: stage.evaluators.map(dress) })),
  };
}

export function viewOf(flowGiven: Flow): FlowView {
  const view = createFlowView();
  const { from, to, protocol, sourcePort, port, icmpType, icmpCode, viaService, isFragment } = flowGiven;
  Object.assign(view.source, parseAddress(from));
  Object.assign(view.destination, parseAddress(to));
  Object.assign(view, { protocol, sourcePort, destinationPort: port, icmpType, icmpCode, viaService, isFragment });
  view.state = PacketState.original;
  return view;
}

export function packetOf({ from, to, port, ...rest }: Flow): Packet {
  return { ...rest, source: ipOf(from) as Ip, destination: ipOf(to) as Ip, destinationPort: port, isReply: false };
}
