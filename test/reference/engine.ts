/**
 * The whole engine a second time, naive: documents as users write them are read by linear walks and judged as
 * SEMANTICS' text reads, flow by flow, with no code of src/evaluators, src/engine or src/sources. What the engine
 * compiles must agree with it.
 */
import type { Knobs } from "../../src/model/knobs.ts";
import { askTier, isAdminPolicy } from "./admin-policies.ts";
import { metadataOf, podAt, readCluster } from "./cluster.ts";
import { readEc2 } from "./ec2-documents.ts";
import { objectsIn } from "./json.ts";
import { askNetworkAcls } from "./network-acls.ts";
import { askNetworkPolicies } from "./network-policies.ts";
import { answerTo, endsOf, ICMPV6, type Packet, type Word } from "./packet.ts";
import { askRoutes } from "./routes.ts";
import { askSecurityGroups } from "./security-groups.ts";

export type Direction = "egress" | "ingress";

/** What a user wrote: AWS documents by file name, and Kubernetes objects. */
export interface Documents {
  readonly aws: Readonly<Record<string, unknown>>;
  readonly kubernetes: readonly unknown[];
}

const stages = ["route", "nacl", "sg", "k8s"] as const;
type Stage = (typeof stages)[number];

/** The judge of flows under these documents: `accept, reply accept`, `deny sg ingress`, `accept, reply deny nacl egress`. */
export function createReference(documents: Documents, knobs: Knobs): (packet: Packet) => string {
  const ec2 = readEc2(documents.aws);
  // NP-12: without a readable name an object has no effect.
  const objects = objectsIn(documents.kubernetes).filter((object) => metadataOf(object).name !== "");
  const cluster = readCluster(objects);
  const policies = objects.filter((o) => o.kind === "NetworkPolicy" && `${o.apiVersion}`.startsWith("networking."));
  const adminPolicies = objects.filter(isAdminPolicy);

  const askKubernetes = (packet: Packet, direction: Direction): Word => {
    const { own, peer } = endsOf(packet, direction);
    const pod = podAt(cluster, own);
    if (!pod) return "unmanaged";
    // AN-31, before everything else.
    if (podAt(cluster, peer) === pod && !packet.viaService) return "accept";
    const tiers: (() => Word)[] = [
      () => askTier(cluster, adminPolicies, "admin", packet, direction),
      () => askNetworkPolicies(cluster, policies, knobs, packet, direction),
      () => askTier(cluster, adminPolicies, "baseline", packet, direction),
    ];
    for (const ask of tiers) {
      const word = ask();
      if (word !== "next") return word;
    }
    // NP-58: nothing restricts a pod's way to itself.
    return podAt(cluster, peer) === pod ? "allow" : "next";
  };
  const ask = (stage: Stage, packet: Packet, direction: Direction): Word => {
    // PL-20: what judges flows has judged this one.
    if (packet.isReply && (stage === "sg" || stage === "k8s")) return "unmanaged";
    if (stage === "route") return askRoutes(ec2, knobs, packet, direction);
    if (stage === "nacl") return askNetworkAcls(ec2, knobs, packet, direction);
    return stage === "sg" ? askSecurityGroups(ec2, knobs, packet, direction) : askKubernetes(packet, direction);
  };
  /** PL-1 … PL-3: null where every stage passes in both directions. */
  const deniedBy = (packet: Packet): string | null => {
    const passages: (readonly [Stage, Direction])[] = [
      ...[...stages].reverse().map((stage) => [stage, "egress"] as const),
      ...stages.map((stage) => [stage, "ingress"] as const),
    ];
    for (const [stage, direction] of passages) {
      const word = ask(stage, packet, direction);
      const isDenied = word === "deny" || (word === "next" && knobs.defaultVerdict[stage] === "deny");
      if (isDenied) return `deny ${stage} ${direction}`;
    }
    return null;
  };

  return (packet) => {
    // SG-84, AN-60.
    const isDiscovery = packet.protocol === ICMPV6 && packet.icmpType >= 133 && packet.icmpType <= 137;
    if (isDiscovery && packet.source.family === 6) return "accept, reply accept";
    const denial = deniedBy(packet);
    if (denial !== null) return denial;
    return `accept, reply ${deniedBy(answerTo(packet)) ?? "accept"}`;
  };
}
