/**
 * Every known resource at one moment, immutable. Sources make it; evaluators compile it; nothing else changes a
 * verdict.
 */
import type { Ec2Inventory } from "./ec2.ts";
import { emptyEc2 } from "./ec2.ts";
import type { Finding } from "./finding.ts";
import type { KubernetesInventory } from "./kubernetes.ts";
import { emptyKubernetes } from "./kubernetes.ts";

export interface Inventory {
  readonly ec2: Ec2Inventory;
  readonly kubernetes: KubernetesInventory;
  /** What was wrong with the input, in order of file and place. */
  readonly findings: readonly Finding[];
}

export const emptyInventory: Inventory = { ec2: emptyEc2, kubernetes: emptyKubernetes, findings: [] };
