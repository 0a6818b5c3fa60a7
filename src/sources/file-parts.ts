/** One file's share of the inventory, as its documents say it. */
import type { Finding } from "../model/finding.ts";
import type { Ec2Part } from "./ec2/convert.ts";
import type { KubernetesParts } from "./kubernetes/parts.ts";

export interface FileParts {
  readonly file: string;
  readonly ec2: readonly Ec2Part[];
  readonly kubernetes: readonly KubernetesParts[];
  /** What is wrong with the documents, each by itself. */
  readonly findings: readonly Finding[];
}
