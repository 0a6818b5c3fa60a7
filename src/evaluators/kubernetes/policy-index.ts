/**
 * All Kubernetes policies compiled, for all three evaluators, and kept up to date change by change. A full compile is the
 * change from nothing.
 */
import type { AddressDelta } from "../../model/address-change.ts";
import type { KubernetesChange, ToldName } from "../../model/inventory-change.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { Address } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { PagedLists } from "../../net/paged-lists.ts";
import { type PagesPatch, PageWriter } from "../../net/paged-words.ts";
import { AddressIndex } from "./address-index.ts";
import { Affected } from "./affected.ts";
import { Domains } from "./domains.ts";
import { withMember, withoutMember } from "./few.ts";
import { Groups, type SubjectChange } from "./groups.ts";
import { Hosts } from "./hosts.ts";
import { groupByKind } from "./kind.ts";
import { Kinds } from "./kinds.ts";
import { Learnt } from "./learnt.ts";
import { Namespaces, type Term } from "./namespaces.ts";
import { Nodes } from "./nodes.ts";
import { Pods } from "./pods.ts";
import { type CompiledPolicy, Policies, type PolicyObject } from "./policies.ts";
import { PortNames, type PortShape } from "./port-names.ts";
import { RuleNames } from "./rule-names.ts";
import { firstTerm, type KubernetesTables, nameArrays, tableCount } from "./tables.ts";

/** What readers on other threads need to follow. */
export type KubernetesPatch = PagesPatch;

export interface KubernetesUpdate {
  readonly patch: KubernetesPatch;
  /** Addresses one of which is an end of each flow that may be judged otherwise than before. */
  readonly affected: readonly Address[] | "all";
  /** Addresses whose packets have to be diverted now, and no longer. */
  readonly captured: AddressDelta;
  /** Addresses to which answers of DNS have to be seen now, and no longer. */
  readonly answered: AddressDelta;
  /** The domains that rules mean, in canonical form; null: the same as before. */
  readonly domains: readonly string[] | null;
}

export class PolicyIndex {
  /** For this thread: they are what the last update made them. */
  readonly tables: KubernetesTables;
  readonly #writer = new PageWriter(tableCount);
  readonly #addresses: AddressIndex;
  readonly #ports: PortNames;
  readonly #kinds: Kinds;
  readonly #namespaces: Namespaces;
  readonly #hosts: Hosts;
  readonly #nodes: Nodes;
  readonly #pods: Pods;
  readonly #policies: Policies;
  readonly #groups: Groups;
  readonly #domains = new Domains();
  readonly #learnt: Learnt;
  readonly #affected = new Affected();

  /** `nodeName`: only this node's pods are judged for, and the others are peers. */
  constructor(knobs: Knobs, nodeName: string | null = null) {
    const arrays = nameArrays(this.#writer.arrays);
    const lists = new PagedLists(arrays.lists);
    const termNumbers = new FreeNumbers(firstTerm);
    const addresses = new AddressIndex(arrays);
    const affected = this.#affected;
    const ports = new PortNames(lists);
    const kinds = new Kinds(arrays.kinds, lists, (profile) => this.#pods.onMove(profile));
    const hosts = new Hosts(addresses, lists, affected, nodeName);
    const nodes = new Nodes({ addresses, kinds, ports, hosts, affected, termNumbers });
    const namespaces = new Namespaces(
      {
        onKey: (namespace, key) => this.#pods.onKey(namespace, key),
        onTerm: (term, profiles) => kinds.addTerm(term, profiles),
        onTermGone: (term) => kinds.removeTerm(term),
        onScopes: (namespace) => this.#pods.onScopes(namespace),
      },
      termNumbers,
    );
    const { prefixes } = addresses;
    this.#addresses = addresses;
    this.#ports = ports;
    this.#kinds = kinds;
    this.#namespaces = namespaces;
    this.#hosts = hosts;
    this.#nodes = nodes;
    const domains = this.#domains;
    const ownerOf = (address: Address): number => addresses.ownerOf(address);
    const learnt = new Learnt({ arrays, lists, domains, affected, ownerOf });
    this.#learnt = learnt;
    const { podNodes, rules } = arrays;
    this.#pods = new Pods({ podNodes, addresses, kinds, namespaces, hosts, nodes, ports, affected, nodeName, learnt });
    this.#policies = new Policies({ rules, lists, namespaces, nodes, prefixes, ports, domains });
    const allowed = knobs.npNonL4 === "allow" ? "npNonL4=allow" : null;
    this.#groups = new Groups(arrays, lists, this.#policies, kinds, namespaces.everyPod, allowed);
    const names = new RuleNames(this.#policies, this.#groups, ports);
    this.tables = { knobs, ...nameArrays(this.#writer.arrays.map(({ view }) => view)), names };
  }

  /** Bytes of shared memory, and how many of everything there are. */
  get sizes() {
    return {
      bytes: this.#writer.bytes,
      pods: this.#pods.size,
      policies: this.#policies.size,
      addresses: this.#addresses.size,
      kinds: this.#kinds.size,
      groups: this.#groups.size,
      learnt: this.#learnt.size,
    };
  }

  /** Which pod has the address, and since when there is one of its name; null: none. */
  ownerOf(address: Address): string | null {
    return this.#pods.identityOf(this.#addresses.ownerOf(address));
  }

  /** What DNS told pods, in force or remembered for the flows that it admitted. */
  *told(): Generator<ToldName> {
    for (const { pod, subject, name, address } of this.#learnt.told()) {
      const owner = this.#pods.identityOf(pod);
      if (owner !== null) yield { owner, subject, name, address };
    }
  }

  /** Everything at once, as the last update left it, for a reader that comes later. */
  wholePatch(): KubernetesPatch {
    return this.#writer.wholePatch();
  }

  /** Every reader has applied this patch: memory that it replaced is used again. */
  release(patch: Pick<KubernetesPatch, "number">): void {
    this.#writer.release(patch);
  }

  /** Namespaces and policies come first, so that pods meet all terms when they come. */
  update(change: KubernetesChange): KubernetesUpdate {
    for (const { before, after } of change.namespaces) {
      const name = (after ?? before)?.name;
      if (name !== undefined) this.#namespaces.set(name, after);
    }
    if (change.hostAddresses !== null) this.#hosts.setMachine(change.hostAddresses);
    const added = this.#changePolicies([...change.networkPolicies, ...change.adminPolicies]);
    this.#addresses.settlePrefixes();
    this.#ports.settle((shape) => this.#answerAnew(shape));
    for (const { before, after } of change.nodes) this.#nodes.changeNode(before, after);
    if (change.pods.length > this.#addresses.size) this.#addresses.reserve(this.#addresses.size + change.pods.length);
    this.#pods.change(change.pods);
    this.#learnt.change(change.names);
    const domains = this.#domains.takeChanged();
    this.#learnt.settle(domains !== null);
    this.#hosts.settle();
    this.#nodes.settle();
    this.#groups.settle();
    for (const { subject } of added) this.#pods.addAffected(subject);
    const diverted = this.#pods.takeCaptured();
    return { patch: this.#writer.takePatch(), affected: this.#affected.take(), ...diverted, domains };
  }

  /** New ones first, so that what they share with those that go stays. Those that touch a direction are returned. */
  #changePolicies(
    changes: readonly { readonly before: PolicyObject | null; readonly after: PolicyObject | null }[],
  ): readonly CompiledPolicy[] {
    if (changes.length === 0) return [];
    const added = this.#policies.add(changes.flatMap(({ after }) => after ?? []));
    const removed = changes.flatMap(({ before }) => (before && this.#policies.get(before)) ?? []);
    const subjects = new Map<Term, SubjectChange>();
    const changeOf = (term: Term): SubjectChange => {
      const known = subjects.get(term) ?? { removed: new Set(), added: new Set() };
      subjects.set(term, known);
      return known;
    };
    for (const policy of removed.filter(restricts)) {
      policy.subject.subjects = withoutMember(policy.subject.subjects, policy);
      changeOf(policy.subject).removed.add(policy);
      this.#pods.addAffected(policy.subject);
    }
    const restricting = added.filter(restricts);
    for (const policy of restricting) {
      policy.subject.subjects = withMember(policy.subject.subjects, policy);
      changeOf(policy.subject).added.add(policy);
    }
    this.#groups.regroup(subjects);
    for (const policy of removed) this.#policies.remove(policy);
    return restricting;
  }

  #answerAnew({ profiles, answers }: PortShape): void {
    for (const [kind, concerned] of groupByKind([...profiles])) {
      this.#kinds.change(kind, [{ terms: kind.terms, answers, profiles: concerned }], true);
    }
  }
}

/** AN-10: one without rules touches nothing. */
function restricts({ rules }: CompiledPolicy): boolean {
  return rules.some((list) => list !== null);
}
