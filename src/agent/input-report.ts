/** What the operator is told of the input: what is wrong with it, whether it's current, and that it holds nothing. */
import { formatFinding } from "../model/finding.ts";
import type { FileError } from "../sources/files/file-error.ts";
import type { Cni } from "../sources/kubernetes/cni/cni-detector.ts";
import type { Logger } from "../telemetry/log.ts";
import type { AgentOptions } from "./options.ts";
import type { InventoryReport } from "./policy/protocol.ts";

export class InputReport {
  readonly #options: Pick<AgentOptions, "directories" | "cluster" | "nodeName">;
  readonly #log: Logger;
  #staleReasons: readonly string[] = [];
  #report: InventoryReport | null = null;
  /** What was said of the last report: said once, for as long as it's so. */
  #logged: ReadonlySet<string> = new Set();
  #toldCnis = "";

  constructor(options: Pick<AgentOptions, "directories" | "cluster" | "nodeName">, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** Why the inventory in force is older than what the files or the cluster say; empty where it isn't. */
  get staleReasons(): readonly string[] {
    return this.#staleReasons;
  }

  /** Why what is known may be older than what there is; empty where it isn't. */
  noteStale(reasons: readonly string[]): void {
    if (reasons.length === 0 && this.#staleReasons.length > 0) this.#log.info("all policies can be read again");
    const what = this.#report === null ? "waiting for the policies" : "the inventory in force stays";
    for (const reason of reasons) if (!this.#staleReasons.includes(reason)) this.#log.error({ reason }, what);
    this.#staleReasons = reasons;
  }

  /** What there is to be said of the inventory in force; null before there is one. */
  get report(): InventoryReport | null {
    return this.#report;
  }

  /** An inventory is enforced, or about to be. */
  enforced(report: InventoryReport): void {
    this.#report = report;
    const texts = new Set<string>();
    for (const finding of report.findings) {
      const text = formatFinding(finding);
      texts.add(text);
      if (this.#logged.has(text)) continue;
      this.#log[finding.severity === "error" ? "error" : "warn"]({ code: finding.code }, text);
    }
    this.#tellCnis(report.cnis);
    const text = report.managed === 0 ? this.#whyNobody(report) : null;
    if (text !== null) {
      texts.add(text);
      const { directories, nodeName } = this.#options;
      // A node without such pods is nothing unusual.
      const level = nodeName === null ? "warn" : "info";
      if (!this.#logged.has(text)) this.#log[level]({ directories, nodeName: nodeName ?? undefined }, text);
    }
    this.#logged = texts;
  }

  #whyNobody({ holdsPolicies }: InventoryReport): string {
    const { cluster, nodeName } = this.#options;
    if (!holdsPolicies) return cluster === null ? noPolicies : noClusterPolicies;
    return nodeName === null ? nobodyToApplyTo : nobodyOfNode;
  }

  /** Once, and again where it's different. */
  #tellCnis(cnis: readonly Cni[]): void {
    const key = cnis.map(({ name, enforces }) => `${name}=${enforces}`).join();
    if (key === this.#toldCnis) return;
    this.#toldCnis = key;
    const enforcing = cnis.filter(({ enforces }) => enforces === true);
    for (const { name, switchOff } of enforcing) {
      const remedy = switchOff === null ? "" : `; to leave it to this one: ${switchOff}`;
      this.#log.warn({ cni: name }, `${name} ${enforcesToo}${remedy}`);
    }
    if (cnis.length === 0 || enforcing.length > 0) return;
    const names = cnis.map(({ name }) => name).join(" and ");
    const isKnown = cnis.every(({ enforces }) => enforces === false);
    this.#log.info({ cni: names }, isKnown ? `${names}: ${onlyOne}` : unknownCni);
  }
}

/** `FILE: MESSAGE`. */
export function describeFileError(error: FileError): string {
  return `${error.file}: ${error.message}`;
}

const noPolicies =
  "there is no policy in these directories, so nothing is judged and every packet passes: put describe-* output or " +
  "Kubernetes objects there, which is noticed, or name other directories with --dir";
const noClusterPolicies = "there is no policy in the cluster, so nothing is judged and every packet passes";
const nobodyToApplyTo =
  "the policies in these directories apply to no address, so nothing is judged and every packet passes: if " +
  "instances (describe-instances) or pods (kubectl get pods -A -o yaml) are missing there, add them, which is noticed";
const nobodyOfNode =
  "no policy restricts a pod of this node, so nothing is judged and every packet passes: where that is unexpected, compare " +
  "--node-name with spec.nodeName of its pods";
const enforcesToo = "enforces NetworkPolicy too, so two engines judge, and a packet passes only where both accept it";
const onlyOne = "doesn't enforce NetworkPolicy, so this is the only engine that does";
const unknownCni =
  "no network plugin that we know was found among the pods, so another engine may enforce NetworkPolicy too";
