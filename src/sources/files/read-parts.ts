/** Documents of a file → its resources. What a file holds is told by its content, never by its place. Pure. */
import type { Finding, Report } from "../../model/finding.ts";
import { convertAwsDocument, type Ec2Part } from "../ec2/convert.ts";
import type { FileParts } from "../file-parts.ts";
import { convertKubernetesDocument } from "../kubernetes/convert.ts";
import type { KubernetesParts } from "../kubernetes/parts.ts";
import type { ParsedDocument } from "./parse-file.ts";

/** Reads each document for itself; what relates documents to each other comes when they are assembled. */
export function readParts(file: string, documents: readonly ParsedDocument[]): FileParts {
  const findings: Finding[] = [];
  const report: Report = (finding) => findings.push(finding);
  const ec2: Ec2Part[] = [];
  const kubernetes: KubernetesParts[] = [];
  for (const { index, value } of documents) {
    const aws = convertAwsDocument(value, file, report);
    const objects = aws === null ? convertKubernetesDocument(value, file, report) : null;
    if (aws !== null) ec2.push(aws);
    else if (objects !== null) kubernetes.push(objects);
    else report(unknownDocument(value, file, index));
  }
  return { file, ec2, kubernetes, findings };
}

/** A mapping may be meant for another program; a bare list or word is a document that lost its frame (`--query`). */
function unknownDocument(value: unknown, file: string, index: number): Finding {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  const message = isMapping
    ? "this is neither a Kubernetes object (it has no apiVersion and kind) nor the output of an `aws ec2 describe-…` that is known here; it's left out"
    : `this is a bare ${Array.isArray(value) ? "list" : typeof value}, no Kubernetes object and no AWS document, so nothing of it is known; print the whole document, without --query`;
  const severity = isMapping ? "warning" : "error";
  return { severity, code: "unknown-document", rule: null, file, path: `document ${index + 1}`, message };
}
