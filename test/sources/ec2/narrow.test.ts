import { expect, test } from "vitest";
import type { Finding } from "../../../src/model/finding.ts";
import { assembleEc2, convertAwsDocument } from "../../../src/sources/ec2/convert.ts";

/** Two VPCs that both have 172.31.0.10, as two default VPCs of an emulator have. */
const documents = ["vpc-a", "vpc-b"].map((vpc) => ({
  NetworkInterfaces: [
    {
      NetworkInterfaceId: `eni-${vpc}`,
      VpcId: vpc,
      SubnetId: `subnet-${vpc}`,
      Groups: [{ GroupId: `sg-${vpc}` }],
      PrivateIpAddress: "172.31.0.10",
      PrivateIpAddresses: [{ PrivateIpAddress: "172.31.0.10", Primary: true }],
    },
  ],
  SecurityGroups: [{ GroupId: `sg-${vpc}`, GroupName: vpc, VpcId: vpc, IpPermissions: [], IpPermissionsEgress: [] }],
}));

function assemble(vpcIds: readonly string[]) {
  const findings: Finding[] = [];
  const report = (finding: Finding) => findings.push(finding);
  const parts = documents.flatMap(({ NetworkInterfaces, SecurityGroups }) => [
    convertAwsDocument({ NetworkInterfaces }, "interfaces.json", report) ?? expect.fail(),
    convertAwsDocument({ SecurityGroups }, "groups.json", report) ?? expect.fail(),
  ]);
  return { ec2: assembleEc2(parts, report, vpcIds), codes: findings.map(({ code }) => code), findings };
}

test("VR-6: an address in two VPCs is an error that names both interfaces", () => {
  const { findings } = assemble([]);
  const finding = findings.find(({ code }) => code === "ambiguous-address") ?? expect.fail("no finding");
  expect(finding.severity).toBe("error");
  expect(finding.message + finding.path).toContain("eni-vpc-a");
  expect(finding.message + finding.path).toContain("eni-vpc-b");
});

test("VR-6: --vpc narrows the input to VPCs that don't overlap", () => {
  const { ec2, codes } = assemble(["vpc-b"]);
  expect(ec2.interfaces.map(({ id }) => id)).toEqual(["eni-vpc-b"]);
  expect(codes).not.toContain("ambiguous-address");
});

test("VR-6: a VPC that the input doesn't have is an error that names those it has", () => {
  const { findings } = assemble(["vpc-c"]);
  expect(findings).toContainEqual(expect.objectContaining({ code: "unknown-vpc", severity: "error", path: "vpc-c" }));
  expect(findings.at(0)?.message ?? "").toContain("vpc-a, vpc-b");
});
