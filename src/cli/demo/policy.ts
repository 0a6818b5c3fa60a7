/** What the examples say, asked of the same code that `explain` runs: the expected half of the matrix, and why. */
import { compileProgram } from "../../engine/compiler.ts";
import { Explainer } from "../../engine/explain.ts";
import { readFlow } from "../../engine/flow-request.ts";
import { References } from "../../engine/reference.ts";
import { renderExplanation } from "../../engine/render-explain.ts";
import { EndpointNames } from "../../engine/render-explain-names.ts";
import type { Finding } from "../../model/finding.ts";
import { createFlowView } from "../../model/flow.ts";
import type { Inventory } from "../../model/inventory.ts";
import { defaultKnobs } from "../../model/knobs.ts";
import type { StageName } from "../../model/stage.ts";
import { loadInventory } from "../../sources/load-inventory.ts";
import { CliExit } from "../exit.ts";
import type { Expectation, Probe } from "./matrix.ts";
import type { Style } from "./style.ts";
import type { Endpoint } from "./topology.ts";

/** The matrix's word for who closes a flow; a stage without one goes by its name. */
const words: Partial<Record<StageName, Expectation>> = { sg: "sg", nacl: "acl", k8s: "np" };

export class Policy {
  readonly findings: readonly Finding[];
  /** `4 security groups · 2 network ACLs · 4 NetworkPolicies`. */
  readonly summary: string;
  readonly #references: References;
  readonly #names: EndpointNames;
  readonly #explainer: Explainer;
  readonly #view = createFlowView();

  /** Throws CliExit 2 where a file can't be read. */
  static async load(directories: readonly string[]): Promise<Policy> {
    const { inventory, errors } = await loadInventory({ directories });
    if (errors.length > 0) throw new CliExit(2, errors.map((e) => `${e.file}: ${e.message}`).join("\n"));
    return new Policy(inventory);
  }

  private constructor(inventory: Inventory) {
    this.findings = inventory.findings;
    this.summary = summarize(inventory);
    this.#references = new References(inventory);
    this.#names = new EndpointNames(inventory);
    this.#explainer = new Explainer(compileProgram(inventory, defaultKnobs), { withTrace: false });
  }

  /** One word for each probe: `open`, or who closes it, be it the way there or the way back. */
  expectAll(probes: readonly Probe[]): Expectation[] {
    return probes.map((probe) => {
      this.#explain(probe.from[probe.family], probe.to[probe.family], protocolOf(probe), probe.port);
      const { decision, program } = this.#explainer;
      if (decision.isFlowAccepted && decision.isReplyAccepted) return "open";
      const stage = program.stages[decision.isFlowAccepted ? decision.replyStage : decision.stage]?.name ?? "route";
      return words[stage] ?? stage;
    });
  }

  /** The explanation, for people, of the first service of `to`; as `explain` prints it, without the trace. */
  why(from: Endpoint, to: Endpoint, style: Style): string[] {
    const { protocol, port } = to.services[0];
    this.#explain(from.ref, to.ref, protocol, port);
    const asked = { from: from.ref, to: to.ref, view: this.#view };
    return renderExplanation(this.#explainer, asked, this.#names, style).trimEnd().split("\n");
  }

  #explain(from: string, to: string, protocol: string, port: number): void {
    const error = readFlow({ from, to, protocol, port }, this.#references, this.#view);
    if (error) throw new Error(`the lab and the examples disagree: ${error.message}`);
    this.#explainer.explain(this.#view);
  }
}

function protocolOf({ protocol, family }: Probe): string {
  return protocol === "icmp" && family === "ipv6" ? "icmpv6" : protocol;
}

function summarize({ ec2, kubernetes }: Inventory): string {
  const parts = [
    [ec2.securityGroups.length, "security groups"],
    [ec2.networkAcls.length, "network ACLs"],
    [kubernetes.networkPolicies.length, "NetworkPolicies"],
  ];
  return parts.map(([count, what]) => `${count} ${what}`).join(" · ");
}
