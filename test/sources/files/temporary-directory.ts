/** A directory of real files for one test, and documents to put into it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** Removed when the test ends, however it ends. */
export function makeDirectory(files: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), "vd-files-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFiles(root, files);
  return root;
}

export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

export function groupDocument(...ids: string[]): string {
  return JSON.stringify({ SecurityGroups: ids.map((id) => ({ GroupId: id, GroupName: id, VpcId: "vpc-1" })) });
}

export function policyDocument(...names: string[]): string {
  const one = (name: string) =>
    `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {podSelector: {}}\n`;
  return names.map(one).join("---\n");
}
