/**
 * Kubernetes objects by file and name: what they come to together, and what a change of files changes of it. Each object
 * once, each address with one owner and all lists in text order, so that the order of files and objects changes nothing
 * (PL-25).
 */
import { compareAdminPolicies } from "../../model/admin-policy.ts";
import type { Origin, Report } from "../../model/finding.ts";
import type { KubernetesChange } from "../../model/inventory-change.ts";
import { type KubernetesInventory, knownNamespaces, type Node, type Pod } from "../../model/kubernetes.ts";
import { Interner } from "../interner.ts";
import { byName, compareText } from "./by-name.ts";
import { reportEqualPriorities } from "./check-admin-policies.ts";
import { reportUnknownNamespaces } from "./check-namespaces.ts";
import {
  compactAdminPolicy,
  compactNamespace,
  compactNetworkPolicy,
  compactNode,
  compactPod,
  compactService,
} from "./compact.ts";
import { type Claim, ObjectTable } from "./object-table.ts";
import type { KubernetesParts } from "./parts.ts";
import { PodSettler } from "./pod-settler.ts";

type List = keyof KubernetesParts;
type Tables = { readonly [L in List]: ObjectTable<KubernetesParts[L][number]> };

export class KubernetesStore {
  readonly #interner = new Interner();
  readonly #podSettler = new PodSettler();
  readonly #tables: Tables = {
    pods: new ObjectTable(this.#podSettler),
    namespaces: new ObjectTable(),
    nodes: new ObjectTable(),
    services: new ObjectTable(),
    networkPolicies: new ObjectTable(),
    adminPolicies: new ObjectTable(),
  };

  /** The objects of these parts, one by one, in the place of those of their names from the same source. */
  put(parts: KubernetesParts): void {
    const interner = this.#interner;
    const { pods, namespaces, nodes, services, networkPolicies, adminPolicies } = this.#tables;
    for (const pod of parts.pods) pods.put(compactPod(pod, interner));
    for (const namespace of parts.namespaces) namespaces.put(compactNamespace(namespace, interner));
    for (const node of parts.nodes) nodes.put(compactNode(node, interner));
    for (const service of parts.services) services.put(compactService(service, interner));
    for (const policy of parts.networkPolicies) networkPolicies.put(compactNetworkPolicy(policy, interner));
    for (const policy of parts.adminPolicies) adminPolicies.put(compactAdminPolicy(policy, interner));
  }

  /** What `put` made of an object. */
  remove(list: List, { file, name }: Origin): void {
    this.#tables[list].remove(file, name);
  }

  /** Of what `put` made, the names. */
  namesOf(list: List, file: string): Generator<string> {
    return this.#tables[list].namesOf(file);
  }

  node(name: string): Node | null {
    return this.#tables.nodes.get(`Node ${name}`);
  }

  /** All that a file holds, in its order, in the place of what it held before. */
  replace(file: string, parts: readonly KubernetesParts[]): void {
    const interner = this.#interner;
    const replace = <T extends Claim>(
      table: ObjectTable<T>,
      listOf: (part: KubernetesParts) => readonly T[],
      compact: (object: T, interner: Interner) => T,
    ): void =>
      table.replace(
        file,
        parts.flatMap((part) => listOf(part).map((object) => compact(object, interner))),
      );
    replace(this.#tables.pods, ({ pods }) => pods, compactPod);
    replace(this.#tables.namespaces, ({ namespaces }) => namespaces, compactNamespace);
    replace(this.#tables.nodes, ({ nodes }) => nodes, compactNode);
    replace(this.#tables.services, ({ services }) => services, compactService);
    replace(this.#tables.networkPolicies, ({ networkPolicies }) => networkPolicies, compactNetworkPolicy);
    replace(this.#tables.adminPolicies, ({ adminPolicies }) => adminPolicies, compactAdminPolicy);
  }

  /** Since the commit before; costs what was replaced since. */
  commit(): KubernetesChange {
    return {
      pods: this.#tables.pods.commit(),
      namespaces: this.#tables.namespaces.commit(),
      nodes: this.#tables.nodes.commit(),
      services: this.#tables.services.commit(),
      networkPolicies: this.#tables.networkPolicies.commit(),
      adminPolicies: this.#tables.adminPolicies.commit(),
      names: [],
      hostAddresses: null,
    };
  }

  pods(): Iterable<Pod> {
    return this.#tables.pods.objects();
  }

  inventory(): KubernetesInventory {
    return {
      pods: [...this.#tables.pods.objects()].sort(byName),
      namespaces: [...this.#tables.namespaces.objects()].sort(byName),
      nodes: [...this.#tables.nodes.objects()].sort(byName),
      services: [...this.#tables.services.objects()].sort(byName),
      networkPolicies: [...this.#tables.networkPolicies.objects()].sort(byName),
      adminPolicies: [...this.#tables.adminPolicies.objects()].sort(
        (a, b) => compareText(a.tier, b.tier) || compareAdminPolicies(a, b),
      ),
    };
  }

  sizes(): Record<List, number> {
    const { pods, namespaces, nodes, services, networkPolicies, adminPolicies } = this.#tables;
    return {
      pods: pods.size,
      namespaces: namespaces.size,
      nodes: nodes.size,
      services: services.size,
      networkPolicies: networkPolicies.size,
      adminPolicies: adminPolicies.size,
    };
  }

  /** What is wrong between objects. Looks at all of them. */
  reportAll(report: Report): void {
    for (const table of Object.values(this.#tables)) table.reportDuplicates(report);
    const { pods, namespaces, networkPolicies, adminPolicies } = this.#tables;
    reportEqualPriorities([...adminPolicies.objects()].sort(compareAdminPolicies), report);
    const known = knownNamespaces({ namespaces: namespaces.objects(), pods: pods.objects() });
    this.#podSettler.reportShared(report);
    reportUnknownNamespaces([...networkPolicies.objects()].sort(byName), known, report);
  }
}
