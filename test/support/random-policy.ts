/** Random policies of all three kinds for the random lab, from a seed: the same seed gives the same documents. */
import { list, node } from "./kubernetes.ts";
import { labEndpoints, labSubnets } from "./random-lab.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  type EntryRow,
  networkAcl,
  type PermissionRow,
} from "./vpc.ts";

/** Files by name. */
export type PolicyFiles = Readonly<Record<string, object>>;

const groupIds = ["sg-1", "sg-2", "sg-3", "sg-4"] as const;
const apps = ["web", "db"] as const;
const tiers = ["front", "back"] as const;
const namespaces = ["shop", "bank"] as const;
/** Whole networks, halves of them, single hosts, everything, in pairs of IPv4 and IPv6. */
const networks: readonly (readonly [string, string])[] = [
  ["0.0.0.0/0", "::/0"],
  ["10.30.0.0/16", "fd00:30::/32"],
  ...Object.values(labSubnets),
  ["10.30.1.10/32", "fd00:30:1::10/128"],
  ["10.30.2.8/29", "fd00:30:2::/124"],
  ["10.31.0.0/24", "fd00:31::/64"],
  ["198.51.100.0/24", "2001:db8:51::/64"],
];
const portRanges = [
  [80, 80],
  [443, 443],
  [0, 1023],
  [100, 500],
  [5432, 5432],
  [0, 65535],
] as const;
/** Of the ports that probes are sent from: all or none. */
const ephemeral = [32768, 65535] as const;

export function randomPolicy(seed: number): PolicyFiles {
  const random = new Random(seed);
  const instances = labEndpoints.filter((endpoint) => endpoint.subnet !== null);
  const pods = labEndpoints.filter((endpoint) => endpoint.isPod);
  return {
    "vpc.json": describeSubnets(labSubnets),
    "instances.json": describeInstances(
      instances.map(({ name, subnet, addresses }) => ({
        instance: `i-${name}`,
        subnet: subnet ?? "",
        addresses,
        groups: random.some(groupIds, 1, 2),
      })),
    ),
    "groups.json": describeSecurityGroups(
      groupIds.map((id) => ({
        id,
        ingress: random.times(3, 6, () => permission(random)),
        egress: random.chance(0.6) ? allEgress : random.times(2, 4, () => permission(random)),
      })),
    ),
    "acls.json": describeNetworkAcls([
      ...Object.keys(labSubnets).map((subnet) => networkAcl(`acl-${subnet}`, [subnet], entries(random))),
    ]),
    "cluster.json": list([
      node(["10.30.1.1", "fd00:30:1::1"]),
      ...namespaces.map((name) => ({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { team: random.one(["red", "blue"]) } },
      })),
      ...pods.map(({ name, addresses }) => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name,
          namespace: random.one(namespaces),
          labels: { app: random.one(apps), tier: random.one(tiers) },
        },
        spec: { nodeName: "node-1", containers: [{ name: "main", ports: [{ name: "main", containerPort: 80 }] }] },
        status: { phase: "Running", podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) },
      })),
      ...random.times(2, 5, (i) => networkPolicyOf(random, i)),
    ]),
  };
}

function permission(random: Random): PermissionRow {
  const protocol = random.one(["tcp", "tcp", "udp", "-1", "-1", "icmp", "icmpv6"] as const);
  const peers = [
    ...random.some(networks, 1, 3).flatMap((pair) => random.some(pair, 1, 2)),
    ...random.some(groupIds, 0, 2),
  ];
  if (protocol === "-1") return { protocol, peers };
  if (protocol === "icmp") return { protocol, from: random.one([-1, 8, 0]), to: -1, peers };
  if (protocol === "icmpv6") return { protocol, from: random.one([-1, 128, 129]), to: -1, peers };
  const [from, to] = random.one(portRanges);
  return { protocol, from, to, peers };
}

/** A few of chance, an answer's way mostly, and what is left is often allowed: a lab where all is closed shows little. */
function entries(random: Random): EntryRow[] {
  return [false, true].flatMap((egress) => {
    const chance = random.times(1, 4, (i) =>
      entry(random, egress, 10 + 10 * i, random.one(["allow", "deny"] as const)),
    );
    const rest = ["0.0.0.0/0", "::/0"].flatMap((cidr, i) => [
      ...(random.chance(0.8)
        ? (["6", "17"] as const).map((protocol, n) => ({
            number: 100 + 10 * n + i,
            action: "allow" as const,
            egress,
            protocol,
            cidr,
            ports: ephemeral,
          }))
        : []),
      ...(random.chance(0.8) ? [{ number: 200 + i, action: "allow" as const, egress, protocol: "-1", cidr }] : []),
    ]);
    return [...chance, ...rest];
  });
}

function entry(random: Random, egress: boolean, number: number, action: "allow" | "deny"): EntryRow {
  const cidr = random.one(random.one(networks));
  const protocol = random.one(["6", "17", "-1", cidr.includes(":") ? "58" : "1"]);
  return {
    number,
    action,
    egress,
    protocol,
    cidr,
    ...(protocol === "6" || protocol === "17" ? { ports: random.one([...portRanges, ephemeral]) } : {}),
    ...(protocol === "1" ? { icmp: [random.one([-1, 8, 0]), -1] as const } : {}),
    ...(protocol === "58" ? { icmp: [random.one([-1, 128, 129]), -1] as const } : {}),
  };
}

function networkPolicyOf(random: Random, index: number): object {
  const rules = (key: "from" | "to") =>
    random.times(1, 4, () => ({
      ...(random.chance(0.8) ? { [key]: random.times(1, 3, () => peer(random)) } : {}),
      ...(random.chance(0.6) ? { ports: random.times(1, 2, () => policyPort(random)) } : {}),
    }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: `policy-${index}`, namespace: random.one(namespaces) },
    spec: {
      podSelector: labelSelector(random),
      policyTypes: random.some(["Ingress", "Egress"], 1, 2),
      ingress: rules("from"),
      egress: rules("to"),
    },
  };
}

function peer(random: Random): object {
  if (random.chance(0.35)) {
    const cidr = random.one(random.one(networks));
    const hole = cidr === "0.0.0.0/0" ? "10.30.2.0/24" : cidr === "::/0" ? "fd00:30:2::/64" : null;
    return { ipBlock: { cidr, ...(hole !== null && random.chance(0.5) ? { except: [hole] } : {}) } };
  }
  const namespaceSelector = random.one([{}, { matchLabels: { team: "red" } }, { matchLabels: { team: "blue" } }]);
  return random.one([
    { podSelector: labelSelector(random) },
    { namespaceSelector },
    { namespaceSelector, podSelector: labelSelector(random) },
  ]);
}

function labelSelector(random: Random): object {
  return random.one([
    {},
    { matchLabels: { app: random.one(apps) } },
    { matchExpressions: [{ key: "tier", operator: random.one(["In", "NotIn"]), values: [random.one(tiers)] }] },
  ]);
}

function policyPort(random: Random): object {
  const protocol = random.one(["TCP", "UDP"]);
  return random.one([
    { protocol },
    { protocol, port: random.one([80, 443, 53, 123, 5432]) },
    { protocol, port: 80, endPort: 500 },
    { protocol: "TCP", port: "main" },
  ]);
}

/** mulberry32: small, and the same everywhere. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ number < below. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * below);
  }

  chance(probability: number): boolean {
    return this.below(1000) < probability * 1000;
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** `least` to `most` different ones. */
  some<T>(values: readonly T[], least: number, most: number): T[] {
    const left = [...values];
    return this.times(least, most, () => left.splice(this.below(left.length), 1)[0] as T);
  }

  times<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, (_, i) => make(i));
  }
}
