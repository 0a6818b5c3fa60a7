/** Documents of files → inventory. What a file holds is told by its content, never by its place. Pure. */
import type { Finding, Report } from "../../model/finding.ts";
import type { Inventory } from "../../model/inventory.ts";
import { assembleEc2, convertAwsDocument, type Ec2Part } from "../ec2/convert.ts";
import { assembleKubernetes, convertKubernetesDocument, type KubernetesParts } from "../kubernetes/convert.ts";

/** One file's share, kept while the file stays as it is. */
export interface FileParts {
  readonly file: string;
  readonly ec2: readonly Ec2Part[];
  readonly kubernetes: readonly KubernetesParts[];
  readonly findings: readonly Finding[];
}

/** Reads each document for itself; what relates documents to each other comes when they are assembled. */
export function readParts(file: string, documents: readonly unknown[]): FileParts {
  const findings: Finding[] = [];
  const report: Report = (finding) => findings.push(finding);
  const ec2: Ec2Part[] = [];
  const kubernetes: KubernetesParts[] = [];
  documents.forEach((document, index) => {
    const aws = convertAwsDocument(document, file, report);
    if (aws !== null) {
      ec2.push(aws);
      return;
    }
    const objects = convertKubernetesDocument(document, file, report);
    if (objects !== null) kubernetes.push(objects);
    else {
      findings.push({
        severity: "warning",
        code: "unknown-document",
        rule: null,
        file,
        path: documents.length === 1 ? "the document" : `document ${index + 1}`,
        message:
          "this is neither a Kubernetes object (it has no apiVersion and kind) nor the output of an `aws ec2 describe-…` that is known here; it's left out",
      });
    }
  });
  return { file, ec2, kubernetes, findings };
}

/** `parts` in order of path: of an object that two files hold, the first counts. */
export function assembleInventory(parts: readonly FileParts[]): Inventory {
  const findings: Finding[] = parts.flatMap((part) => part.findings);
  const report: Report = (finding) => findings.push(finding);
  const ec2 = assembleEc2(
    parts.flatMap((part) => part.ec2),
    report,
  );
  const kubernetes = assembleKubernetes(
    parts.flatMap((part) => part.kubernetes),
    report,
  );
  const key = (f: Finding): string => `${f.file}\0${f.path}\0${f.code}\0${f.message}`;
  return { ec2, kubernetes, findings: findings.sort((a, b) => (key(a) < key(b) ? -1 : 1)) };
}
