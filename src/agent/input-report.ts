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

  /** Why what is in force may not be what is meant, however new it is. */
  get warnings(): readonly string[] {
    const { strangeNode = [] } = this.#report ?? {};
    if (strangeNode.length === 0) return [];
    const { nodeName } = this.#options;
    return [
      `--node-name ${nodeName}: this machine has none of that Node's addresses (${strangeNode.join(", ")}), ${otherNode}`,
    ];
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
    for (const reason of this.warnings) {
      texts.add(reason);
      if (!this.#logged.has(reason)) this.#log.warn({ nodeName: this.#options.nodeName }, reason);
    }
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

  #whyNobody({ holdsPolicies, dropsUnknown }: InventoryReport): string {
    const { cluster, nodeName } = this.#options;
    const [why, remedy] = holdsPolicies
      ? nodeName === null
        ? nobodyToApplyTo
        : nobodyOfNode
      : cluster === null
        ? noPolicies
        : noClusterPolicies;
    return `${why}, so ${dropsUnknown ? onlyUnknownDropped : everythingPasses}${remedy}`;
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

/** What is so, and what helps. */
const noPolicies = [
  "there is no policy in these directories",
  ": put describe-* output or Kubernetes objects there, which is noticed, or name other directories with --dir",
] as const;
const noClusterPolicies = ["there is no policy in the cluster", ""] as const;
const nobodyToApplyTo = [
  "the policies in these directories apply to no address",
  ": if instances (describe-instances) or pods (kubectl get pods -A -o yaml) are missing there, add them, which is noticed",
] as const;
const nobodyOfNode = [
  "no policy restricts a pod of this node",
  ": where that is unexpected, compare --node-name with spec.nodeName of its pods",
] as const;
const everythingPasses = "nothing is judged and every packet passes";
const onlyUnknownDropped =
  "nothing is judged and every packet passes, but for those of addresses in the pods' range that nobody is known to " +
  "have: they are dropped (unknownLocalIp)";
const otherNode =
  "so it's another machine's name, and this one's pods aren't judged: give the name that kubectl get nodes -o wide " +
  "has beside an address of this machine";
const enforcesToo = "enforces NetworkPolicy too, so two engines judge, and a packet passes only where both accept it";
const onlyOne = "doesn't enforce NetworkPolicy, so this is the only engine that does";
const unknownCni =
  "no network plugin that we know was found among the pods, so another engine may enforce NetworkPolicy too";
