/**
 * The VPC beside the cluster: a network ACL for each subnet, security groups that name each other and address blocks,
 * interfaces with three groups each. The lab's addresses are interfaces too, so that all three kinds judge its packets.
 * Pure.
 */
import { clientAddress, pairCount, serverAddress, visitorAddress } from "../topology.ts";
import type { DatasetFile, Shares } from "./dataset.ts";
import { addressAt, inFiles } from "./files.ts";

const vpc = "vpc-bench";
const owner = "123456789012";
const hostsOfSubnet = 240;

const groupId = (index: number): string => `sg-${index.toString(16).padStart(8, "0")}`;
const subnetId = (index: number): string => `subnet-${index.toString(16).padStart(8, "0")}`;
const aclId = (index: number): string => `acl-${index.toString(16).padStart(8, "0")}`;

/** Subnet 0 is the clients', 1 the servers'; the rest follow from 10.81.0.0 on. */
const subnetPrefix = (index: number): readonly [number, number, number] =>
  index === 0 ? [10, 80, 0] : index === 1 ? [10, 80, 1] : [10, 81 + Math.floor((index - 2) / 256), (index - 2) % 256];

export function* ec2Files(shares: Shares): Generator<DatasetFile> {
  const { securityGroups, networkAcls } = shares;
  // As many subnets as ACLs, or as the interfaces need; an ACL may have several.
  const subnets = 2 + Math.max(networkAcls - 2, Math.ceil(shares.interfaces / hostsOfSubnet));
  const blocks = Math.ceil((subnets - 2) / 256) + 1;
  yield { path: "vpcs.json", text: JSON.stringify({ Vpcs: [vpcOf(blocks)] }) };
  yield* inFiles("subnets", subnets, subnetOf, (Subnets) => ({ Subnets }));
  yield* inFiles(
    "network-acls",
    networkAcls,
    (i) => aclOf(i, networkAcls, subnets),
    (NetworkAcls) => ({ NetworkAcls }),
  );
  yield* inFiles(
    "security-groups",
    securityGroups,
    (i) => groupOf(i, securityGroups),
    (SecurityGroups) => ({ SecurityGroups }),
  );
  const make = (i: number): object => {
    const subnet = 2 + (i % (subnets - 2));
    const [a, b, c] = subnetPrefix(subnet);
    return interfaceOf(
      `eni-${i.toString(16).padStart(8, "0")}`,
      addressAt([a, b, c, 10], Math.floor(i / (subnets - 2))),
      subnet,
      [
        groupId(2 + (i % Math.max(1, securityGroups - 2))),
        groupId(2 + ((i * 7 + 1) % Math.max(1, securityGroups - 2))),
      ],
    );
  };
  yield* inFiles("interfaces", shares.interfaces, make, (NetworkInterfaces) => ({ NetworkInterfaces }));
  yield { path: "lab-interfaces.json", text: JSON.stringify({ NetworkInterfaces: labInterfaces() }) };
}

function labInterfaces(): object[] {
  const pairs = Array.from({ length: pairCount }, (_, i) => i);
  return [
    interfaceOf("eni-visitor", visitorAddress, 0, [groupId(0)]),
    ...pairs.map((i) => interfaceOf(`eni-client-${i}`, clientAddress(i), 0, [groupId(0)])),
    ...pairs.map((i) => interfaceOf(`eni-server-${i}`, serverAddress(i), 1, [groupId(1)])),
  ];
}

function vpcOf(blocks: number): object {
  const cidrs = Array.from({ length: blocks }, (_, i) => `10.${80 + i}.0.0/16`);
  return {
    VpcId: vpc,
    CidrBlock: cidrs[0],
    CidrBlockAssociationSet: cidrs.map((CidrBlock, i) => ({
      AssociationId: `vpc-cidr-assoc-${i}`,
      CidrBlock,
      CidrBlockState: { State: "associated" },
    })),
    OwnerId: owner,
    State: "available",
    IsDefault: false,
  };
}

function subnetOf(index: number): object {
  return {
    SubnetId: subnetId(index),
    VpcId: vpc,
    CidrBlock: `${subnetPrefix(index).join(".")}.0/24`,
    State: "available",
  };
}

/** ACL 0 is the clients', 1 the servers'; the other subnets share the rest. */
function aclOf(index: number, acls: number, subnets: number): object {
  const all = Array.from({ length: subnets }, (_, i) => i);
  const own = all.filter((i) => (i < 2 ? i === index : acls > 2 ? 2 + ((i - 2) % (acls - 2)) === index : index === 0));
  const both = (Egress: boolean) => [
    entry(90, Egress, "deny", `192.168.${index % 256}.0/24`, null),
    entry(100, Egress, "allow", "10.0.0.0/8", [1, 1023]),
    entry(110, Egress, "allow", "10.0.0.0/8", [1024, 65535]),
    entry(120, Egress, "allow", `172.16.${index % 256}.0/24`, [443, 443]),
    entry(32767, Egress, "deny", "0.0.0.0/0", null),
  ];
  return {
    NetworkAclId: aclId(index),
    VpcId: vpc,
    OwnerId: owner,
    IsDefault: index === 0,
    Associations: own.map((i) => ({
      NetworkAclAssociationId: `aclassoc-${i}`,
      NetworkAclId: aclId(index),
      SubnetId: subnetId(i),
    })),
    Entries: [...both(true), ...both(false)].flat(),
  };
}

/** One entry for TCP and one for UDP where there are ports. */
function entry(
  number: number,
  Egress: boolean,
  RuleAction: "allow" | "deny",
  CidrBlock: string,
  range: readonly [number, number] | null,
): object[] {
  if (range === null) return [{ RuleNumber: number, Egress, RuleAction, CidrBlock, Protocol: "-1" }];
  return ["6", "17"].map((Protocol, i) => ({
    RuleNumber: number + i,
    Egress,
    RuleAction,
    CidrBlock,
    Protocol,
    PortRange: { From: range[0], To: range[1] },
  }));
}

/** Group 0 is the clients', 1 the servers', who let in what comes from group 0. */
function groupOf(index: number, groups: number): object {
  const from = index === 1 ? [0] : index < 2 ? [] : [2 + ((index * 3 + 1) % groups), 2 + ((index * 5 + 2) % groups)];
  const known = from.map((i) => ({ UserId: owner, GroupId: groupId(i % groups) }));
  const permission = (IpProtocol: string, ports: object, cidrs: readonly string[], pairs: readonly object[]) => ({
    IpProtocol,
    ...ports,
    IpRanges: cidrs.map((CidrIp) => ({ CidrIp })),
    Ipv6Ranges: [],
    PrefixListIds: [],
    UserIdGroupPairs: pairs,
  });
  const everything = permission("-1", {}, ["0.0.0.0/0"], []);
  const ingress =
    index === 1
      ? [permission("-1", {}, [], known)]
      : [
          permission("tcp", { FromPort: 8000, ToPort: 8000 + (index % 500) }, [], known),
          permission("tcp", { FromPort: 443, ToPort: 443 }, [`172.16.${index % 256}.0/24`, "10.200.0.0/16"], []),
        ];
  return {
    GroupId: groupId(index),
    GroupName: `group-${index}`,
    Description: "for the bench",
    VpcId: vpc,
    OwnerId: owner,
    IpPermissions: ingress,
    IpPermissionsEgress: [everything],
  };
}

function interfaceOf(id: string, address: string, subnet: number, groups: readonly string[]): object {
  return {
    NetworkInterfaceId: id,
    VpcId: vpc,
    SubnetId: subnetId(subnet),
    OwnerId: owner,
    Status: "in-use",
    InterfaceType: "interface",
    SourceDestCheck: true,
    PrivateIpAddress: address,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
    Groups: groups.map((GroupId) => ({ GroupId, GroupName: GroupId })),
    Ipv6Addresses: [],
  };
}
