/**
 * The small world in which random inventories and flows meet: few addresses, prefixes that end beside them, the first
 * and last ports. Everything random is drawn from here, so that rules and flows hit each other's edges.
 */
import fc from "fast-check";

/** `ipv4` leaves out whatever has no counterpart in IPv6, for the comparison of the two. */
export type Families = "dual" | "ipv4";

/** By interface: two of subnet-1, two of subnet-2 (a /25, with its last address), two of subnet-3 in another VPC. */
export const hosts = {
  4: ["10.0.1.4", "10.0.1.5", "10.0.2.4", "10.0.2.127", "10.1.1.4", "10.1.1.5"],
  6: [
    "2001:db8:0:1::4",
    "2001:db8:0:1::5",
    "2001:db8:0:2::4",
    "2001:db8:0:2:ffff:ffff:ffff:ffff",
    "2001:db8:1:1::4",
    "2001:db8:1:1::5",
  ],
} as const;
export const hostSubnets = ["subnet-1", "subnet-1", "subnet-2", "subnet-2", "subnet-3", "subnet-3"] as const;

/** Addresses of pods that are on no interface. */
export const podAddresses = {
  4: ["10.244.0.1", "10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.0.5", "10.244.0.6"],
  6: ["fd00:244::1", "fd00:244::2", "fd00:244::3", "fd00:244::4", "fd00:244::5", "fd00:244::6"],
} as const;

export const nodeAddresses = { 4: ["10.0.1.10", "172.18.0.2"], 6: ["2001:db8:0:1::a", "fd18::2"] } as const;

/** Of nobody: outside, in a subnet, around a subnet's and a prefix's edges. */
const strangers = {
  4: ["8.8.8.8", "192.0.2.1", "10.0.1.77", "10.0.2.128", "127.255.255.255", "128.0.0.0"],
  6: ["2001:db8:ffff::1", "fd18::3", "2001:db8:0:1::77", "7fff::1", "8000::", "2001:db8:0:3::"],
} as const;

const services = {
  4: [
    "10.0.0.2",
    "10.0.1.1",
    "169.254.169.253",
    "169.254.169.254",
    "169.254.169.250",
    "169.254.169.123",
    "169.254.170.2",
    "255.255.255.255",
  ],
  6: ["fd00:ec2::253", "fd00:ec2::254", "fd00:ec2::123", "2001:db8:0:1::1", "fe80:ec2::1", "ff02::1:2"],
} as const;

/** Ends of flows, the likelier ones several times. */
export function endsOf(family: 4 | 6, families: Families): readonly string[] {
  const router = services[family].slice(1, 2);
  const [own, pods] = [hosts[family], podAddresses[family]];
  return [
    ...[...own, ...own, ...own, ...own],
    ...[...pods, ...pods, ...pods, ...pods],
    ...nodeAddresses[family],
    ...strangers[family],
    ...(families === "dual" ? services[family] : router),
  ];
}

const good = {
  4: [
    "0.0.0.0/0",
    "0.0.0.0/0",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.244.0.0/29",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.1.4/31",
    "10.0.1.5/32",
    "10.0.1.200/24",
    "10.0.2.0/25",
    "10.0.2.127/32",
    "10.1.0.0/16",
    "10.244.0.0/30",
    "10.244.0.4/32",
    "128.0.0.0/1",
    "8.8.8.8/32",
    "169.254.0.0/16",
    "172.18.0.0/24",
  ],
  6: [
    "::/0",
    "::/0",
    "::/0",
    "fd00:244::/125",
    "2001:db8::/32",
    "2001:db8:0:1::/64",
    "2001:db8:0:1::4/127",
    "2001:db8:0:1::5/128",
    "2001:db8:0:1::ff/64",
    "2001:db8:1::/48",
    "fd00:244::/126",
    "fd00:244::4/128",
    "8000::/1",
    "fd00:ec2::/32",
    "fd18::/126",
  ],
} as const;
/** DEF-4: IPv4 in IPv6's clothes. */
const mapped = ["::ffff:10.0.1.0/120", "::ffff:0:0/96", "::ffff:10.244.0.4/128"];
const bad = ["10.0.0.0/8;x", "10.0.0.0/33", "10.0.0/8", "::/129", "nonsense", "10.0.01.0/24"];

export function cidr4(): fc.Arbitrary<string> {
  return seldom(fc.constantFrom(...good[4]), fc.constantFrom(...bad));
}

export function cidr6(): fc.Arbitrary<string> {
  return seldom(fc.constantFrom(...good[6]), fc.constantFrom(...bad, ...mapped));
}

/** For policies that write both families in one list. */
export function cidr(families: Families): fc.Arbitrary<string> {
  return families === "dual" ? fc.oneof(cidr4(), cidr6()) : cidr4();
}

const edges = [1, 22, 67, 68, 53, 79, 80, 81, 443, 1023, 1024, 1688, 32767, 49152, 65534, 65535];
/** Half of the rules and flows are about three ports, so that they meet. */
const usual = [22, 53, 80];
export const port = fc.oneof(fc.constantFrom(...usual), fc.constantFrom(...edges));
export const flowPort = fc.oneof(fc.constantFrom(...usual), fc.constantFrom(0, ...edges));
export const badPort = fc.constantFrom<unknown>(0, -1, 65536, 70000, "80", 80.5, true);
export const label = fc.constantFrom("a", "b");
export const labelValue = fc.constantFrom("0", "1", "");
export const labels = fc.dictionary(label, fc.constantFrom("0", "1"), { maxKeys: 2 });
export const vpcOfSubnet: Readonly<Record<string, string>> = {
  "subnet-1": "vpc-1",
  "subnet-2": "vpc-1",
  "subnet-3": "vpc-2",
};

/** The second one about once in ten times. */
export function seldom<A, B>(usual: fc.Arbitrary<A>, rare: fc.Arbitrary<B>): fc.Arbitrary<A | B> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: rare });
}

/** A list's element that is no element. */
export const junk = fc.constantFrom<unknown>(null, 7, "junk", [], { unknownField: {} });
