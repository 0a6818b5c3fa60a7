/**
 * What all files hold together, kept so that a change of one file costs that file and not the inventory: of Kubernetes
 * what differs, object by object; of EC2 the new whole. The same files come to the same inventory in whatever order
 * they were set, but for the numbers of pods without an address. Pure.
 */
import { type Ec2Inventory, emptyEc2 } from "../model/ec2.ts";
import type { Finding, Origin } from "../model/finding.ts";
import type { Inventory } from "../model/inventory.ts";
import type { InventoryChange } from "../model/inventory-change.ts";
import type { KubernetesInventory, Node, Pod } from "../model/kubernetes.ts";
import { assembleEc2, type Ec2Part } from "./ec2/convert.ts";
import type { FileParts } from "./file-parts.ts";
import { KubernetesStore } from "./kubernetes/kubernetes-store.ts";
import type { KubernetesParts } from "./kubernetes/parts.ts";
import { saysTheSame } from "./same.ts";

export type InventorySizes = Readonly<Record<keyof Ec2Inventory | keyof KubernetesInventory, number>>;

export class InventoryStore {
  readonly #vpcIds: readonly string[];
  readonly #kubernetes = new KubernetesStore();
  readonly #ec2Parts = new Map<string, readonly Ec2Part[]>();
  /** Null: to be assembled anew. */
  #ec2: { readonly inventory: Ec2Inventory; readonly findings: readonly Finding[] } | null = null;
  #committedEc2 = emptyEc2;
  readonly #fileFindings = new Map<string, readonly Finding[]>();
  /** By name of the object. */
  readonly #objectFindings = new Map<string, readonly Finding[]>();
  #findings: readonly Finding[] | null = null;

  /** `vpcIds`: of EC2, these VPCs alone; all where there are none. */
  constructor(vpcIds: readonly string[] = []) {
    this.#vpcIds = vpcIds;
  }

  /** What the file holds from now on; null where it's gone. */
  set(file: string, parts: FileParts | null): void {
    const { ec2 = [], kubernetes = [], findings = [] } = parts ?? {};
    this.#kubernetes.replace(file, kubernetes);
    if (ec2.length > 0 || this.#ec2Parts.has(file)) this.#ec2 = null;
    put(this.#ec2Parts, file, ec2);
    put(this.#fileFindings, file, findings);
    this.#findings = null;
  }

  /** One Kubernetes object of a source without files, and what is wrong with it; the same name takes its place. */
  putObject(origin: Origin, parts: KubernetesParts, findings: readonly Finding[]): void {
    this.#kubernetes.put(parts);
    this.#setObjectFindings(origin, findings);
  }

  removeObject(list: keyof KubernetesParts, origin: Origin): void {
    this.#kubernetes.remove(list, origin);
    this.#setObjectFindings(origin, []);
  }

  /**
   * Names of objects that `putObject` made, of one source. Looks at all objects of the list. Those that only findings are
   * known of (nothing could be made of them) are among them, whatever list they would be in.
   */
  *objectNames(list: keyof KubernetesParts, file: string): Generator<string> {
    yield* this.#kubernetes.namesOf(list, file);
    for (const [name, [finding]] of this.#objectFindings) if (finding?.file === file) yield name;
  }

  node(name: string): Node | null {
    return this.#kubernetes.node(name);
  }

  #setObjectFindings({ name }: Origin, findings: readonly Finding[]): void {
    // What relates objects to each other is found anew anyway.
    this.#findings = null;
    put(this.#objectFindings, name, findings);
  }

  /** Since the commit before; the first one is from the empty inventory. */
  commit(): InventoryChange {
    const { inventory } = this.#assembledEc2();
    const isSame = isSameEc2(this.#committedEc2, inventory);
    if (!isSame) this.#committedEc2 = inventory;
    return { ec2: isSame ? null : inventory, kubernetes: this.#kubernetes.commit() };
  }

  /** All pods as they are now, in no order. */
  pods(): Iterable<Pod> {
    return this.#kubernetes.pods();
  }

  /** All of it as it is now, committed or not. Costs what there is. */
  inventory(): Inventory {
    return {
      ec2: this.#assembledEc2().inventory,
      kubernetes: this.#kubernetes.inventory(),
      findings: this.findings(),
    };
  }

  sizes(): InventorySizes {
    const { interfaces, subnets, vpcs, securityGroups, networkAcls, prefixLists, routeTables, peerings } =
      this.#assembledEc2().inventory;
    return {
      interfaces: interfaces.length,
      subnets: subnets.length,
      vpcs: vpcs.length,
      securityGroups: securityGroups.length,
      networkAcls: networkAcls.length,
      prefixLists: prefixLists.length,
      routeTables: routeTables.length,
      peerings: peerings.length,
      ...this.#kubernetes.sizes(),
    };
  }

  /** In order of file and place. Found when asked for: what relates objects to each other takes a look at all. */
  findings(): readonly Finding[] {
    if (this.#findings) return this.#findings;
    const files = [...this.#fileFindings].sort(([a], [b]) => compareText(a, b));
    const findings = [
      ...files.flatMap(([, some]) => some),
      ...[...this.#objectFindings.values()].flat(),
      ...this.#assembledEc2().findings,
    ];
    this.#kubernetes.reportAll((finding) => findings.push(finding));
    findings.sort((a, b) => compareText(a.file, b.file) || compareText(a.path, b.path));
    this.#findings = findings;
    return findings;
  }

  #assembledEc2(): { readonly inventory: Ec2Inventory; readonly findings: readonly Finding[] } {
    if (this.#ec2) return this.#ec2;
    const findings: Finding[] = [];
    const parts = [...this.#ec2Parts.values()].flat();
    const inventory = assembleEc2(parts, (finding) => findings.push(finding), this.#vpcIds);
    this.#ec2 = { inventory, findings };
    return this.#ec2;
  }
}

/** The inventory of these files alone. */
export function assembleInventory(parts: readonly FileParts[], vpcIds: readonly string[]): Inventory {
  const store = new InventoryStore(vpcIds);
  for (const part of parts) store.set(part.file, part);
  return store.inventory();
}

function put<T>(map: Map<string, readonly T[]>, file: string, list: readonly T[]): void {
  if (list.length === 0) map.delete(file);
  else map.set(file, list);
}

function isSameEc2(a: Ec2Inventory, b: Ec2Inventory): boolean {
  const isSame = (one: readonly object[], other: readonly object[]): boolean =>
    one.length === other.length && one.every((resource, i) => saysTheSame(resource, other[i] ?? {}));
  return (
    a === b ||
    (isSame(a.interfaces, b.interfaces) &&
      isSame(a.subnets, b.subnets) &&
      isSame(a.vpcs, b.vpcs) &&
      isSame(a.securityGroups, b.securityGroups) &&
      isSame(a.networkAcls, b.networkAcls) &&
      isSame(a.prefixLists, b.prefixLists) &&
      isSame(a.routeTables, b.routeTables) &&
      isSame(a.peerings, b.peerings))
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
