/** The sentences and commands that people are given. */
import { expect, test } from "vitest";
import { createFlowView, fillFlowView } from "../../../src/model/flow.ts";
import { Direction } from "../../../src/model/verdict.ts";
import { acl, group, instance, instances, openAcl, vpc } from "./documents.ts";
import { compile, flow, load } from "./pipeline.ts";

const files = {
  "groups.json": {
    SecurityGroups: [
      group("sg-web", ["tcp 80 0.0.0.0/0"]),
      group("sg-app", []),
      group("sg-db", ["tcp 5432 sg-app", "tcp 22 10.0.9.0/24"], []),
    ],
  },
  "hosts.json": instances(
    instance("web", { ips: ["10.0.1.5", "2001:db8:0:1::5"], groups: ["sg-web"], subnet: "subnet-1" }),
    instance("db", { ips: ["10.0.2.5", "2001:db8:0:2::5"], groups: ["sg-db"], subnet: "subnet-2" }),
    instance("bare", { ips: ["10.0.3.5"], groups: [], subnet: "subnet-3" }),
  ),
  "vpc.json": vpc,
  "acls.json": {
    NetworkAcls: [
      acl("acl-0", [], openAcl, { IsDefault: true }),
      acl("acl-2", ["subnet-2"], ["90 ingress deny tcp 22 10.0.1.0/24", "100 ingress allow tcp 0-1023 0.0.0.0/0"]),
    ],
  },
};
const gates = compile(load(files).inventory);
const db = "aws ec2 authorize-security-group";
const entry = "aws ec2 create-network-acl-entry --network-acl-id acl-2";

test.each<[string, "sg" | "nacl", "egress" | "ingress", string | null, string | null]>([
  [
    "10.0.1.5 -> 10.0.2.5:5432/tcp",
    "sg",
    "ingress",
    "none of its 2 rules allows tcp 5432 from sg-web (it allows it from sg-app)",
    `${db}-ingress --group-id sg-db --protocol tcp --port 5432 --source-group sg-web`,
  ],
  [
    "192.0.2.1 -> 10.0.2.5:443/tcp",
    "sg",
    "ingress",
    "none of its 2 rules allows tcp 443 from 192.0.2.1",
    `${db}-ingress --group-id sg-db --protocol tcp --port 443 --cidr 192.0.2.1/32`,
  ],
  [
    "2001:db8:9::1 -> [2001:db8:0:2::5]:443/tcp",
    "sg",
    "ingress",
    "none of its 2 rules allows tcp 443 from 2001:db8:9::1",
    `${db}-ingress --group-id sg-db --ip-permissions 'IpProtocol=tcp,FromPort=443,ToPort=443,Ipv6Ranges=[{CidrIpv6=2001:db8:9::1/128}]'`,
  ],
  [
    "192.0.2.1 -> 10.0.1.5 icmp 8/0",
    "sg",
    "ingress",
    "its only rule doesn't allow icmp 8/0 from 192.0.2.1",
    `${db}-ingress --group-id sg-web --ip-permissions 'IpProtocol=icmp,FromPort=8,ToPort=0,IpRanges=[{CidrIp=192.0.2.1/32}]'`,
  ],
  [
    "10.0.2.5 -> 10.0.1.5:80/tcp",
    "sg",
    "egress",
    "it has no egress rule, so nothing is allowed out",
    `${db}-egress --group-id sg-db --ip-permissions 'IpProtocol=tcp,FromPort=80,ToPort=80,UserIdGroupPairs=[{GroupId=sg-web}]'`,
  ],
  [
    "10.0.3.5 -> 10.0.1.5:80/tcp",
    "sg",
    "egress",
    "the interface has no security group, so nothing is allowed",
    "give the interface a group, or load the missing one",
  ],
  ["192.0.2.1 -> 10.0.1.5:80/tcp", "sg", "ingress", "sg-web allows tcp 80 from 0.0.0.0/0", null],
  ["10.0.2.5 -> 10.0.0.2:53/udp", "sg", "egress", "AWS never filters traffic with its DNS resolver", null],
  ["192.0.2.1 -> 192.0.2.2:80/tcp", "sg", "ingress", null, null],
  [
    "10.0.1.5 -> 10.0.2.5:22/tcp",
    "nacl",
    "ingress",
    "entry 90 of its ingress list denies tcp 22 from 10.0.1.5 before any other entry matches (entry 100 would allow it, but comes later)",
    `${entry} --ingress --rule-number 89 --protocol 6 --port-range From=22,To=22 --cidr-block 10.0.1.5/32 --rule-action allow`,
  ],
  [
    "10.0.2.5:5432 -> 10.0.1.5:40000/tcp",
    "nacl",
    "egress",
    "it has no egress entry but the last one, *, which denies everything; port 40000 is one that clients ask from, and a network ACL judges answers too",
    `${entry} --egress --rule-number 10 --protocol 6 --port-range From=1024,To=65535 --cidr-block 10.0.1.5/32 --rule-action allow`,
  ],
  [
    "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0",
    "nacl",
    "ingress",
    "none of its 2 ingress entries matches icmpv6 128/0 from 2001:db8:0:1::5, so the last one, *, denies it",
    `${entry} --ingress --rule-number 110 --protocol 58 --icmp-type-code Type=128,Code=0 --ipv6-cidr-block 2001:db8:0:1::5/128 --rule-action allow`,
  ],
])("%s (%s %s)", (packet, gate, direction, text, remedy) => {
  const view = createFlowView();
  fillFlowView(view, flow(packet));
  const explanation = gates[gate].explain?.(view, Direction[direction]) ?? null;
  expect(explanation).toEqual(text === null ? null : { text, remedy });
});
