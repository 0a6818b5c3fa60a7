/** What the operator is told of the input: what is wrong with it, whether it's current, and that it holds nothing. */
import { formatFinding } from "../model/finding.ts";
import type { FileError } from "../sources/files/file-error.ts";
import type { Cni } from "../sources/kubernetes/cni/cni-detector.ts";
import type { Logger } from "../telemetry/log.ts";
import type { InventoryReport } from "./policy/protocol.ts";

export class InputReport {
  readonly #directories: readonly string[];
  readonly #nodeName: string | null;
  readonly #log: Logger;
  #staleReasons: readonly string[] = [];
  #report: InventoryReport | null = null;
  /** Said once, until it's something else. */
  #saidOfNobody: string | null = null;
  #toldCnis = "";

  constructor(directories: readonly string[], nodeName: string | null, log: Logger) {
    this.#directories = directories;
    this.#nodeName = nodeName;
    this.#log = log;
  }

  /** Why the inventory in force is older than the files; empty where it isn't. */
  get staleReasons(): readonly string[] {
    return this.#staleReasons;
  }

  /** The files were read again; true where they can be used. */
  read(errors: readonly FileError[]): boolean {
    if (errors.length === 0 && this.#staleReasons.length > 0) this.#log.info("all files can be read again");
    this.#staleReasons = errors.map(describeFileError);
    for (const reason of this.#staleReasons) this.#log.error({ reason }, "the inventory in force stays");
    return errors.length === 0;
  }

  /** What there is to be said of the inventory in force; null before there is one. */
  get report(): InventoryReport | null {
    return this.#report;
  }

  /** An inventory is enforced, or about to be. */
  enforced(report: InventoryReport): void {
    this.#report = report;
    for (const finding of report.findings) {
      this.#log[finding.severity === "error" ? "error" : "warn"]({ code: finding.code }, formatFinding(finding));
    }
    this.#tellCnis(report.cnis);
    const said = this.#saidOfNobody;
    this.#saidOfNobody = report.managed !== 0 ? null : !report.holdsPolicies ? noPolicies : this.#nobodyToApplyTo;
    if (this.#saidOfNobody === null || this.#saidOfNobody === said) return;
    // A node without such pods is nothing unusual.
    const level = this.#saidOfNobody === nobodyOfNode ? "info" : "warn";
    this.#log[level]({ directories: this.#directories, nodeName: this.#nodeName ?? undefined }, this.#saidOfNobody);
  }

  get #nobodyToApplyTo(): string {
    return this.#nodeName === null ? nobodyToApplyTo : nobodyOfNode;
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
