/** What the operator is told of the input: what is wrong with it, whether it's current, and that it holds nothing. */
import { formatFinding } from "../model/finding.ts";
import type { FileError } from "../sources/files/file-error.ts";
import type { Logger } from "../telemetry/log.ts";
import type { InventoryReport } from "./policy/protocol.ts";

export class InputReport {
  readonly #directories: readonly string[];
  readonly #log: Logger;
  #staleReasons: readonly string[] = [];
  #report: InventoryReport | null = null;

  constructor(directories: readonly string[], log: Logger) {
    this.#directories = directories;
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
    if (report.managed !== 0) return;
    const directories = this.#directories;
    this.#log.warn({ directories }, report.holdsPolicies ? nobodyToApplyTo : noPolicies);
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
