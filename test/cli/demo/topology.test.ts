/** The lab's addresses are those of the examples: without that, the demo would enforce nothing. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { endpoints } from "../../../src/cli/demo/topology.ts";

interface AwsInterface {
  PrivateIpAddress: string;
  Ipv6Addresses: { Ipv6Address: string }[];
}

interface PodObject {
  kind: string;
  metadata: { namespace: string; name: string };
  spec: { containers: { ports: { containerPort: number; protocol: string }[] }[] };
  status: { podIPs: { ip: string }[] };
}

const read = (path: string) => readFileSync(new URL(`../../../examples/${path}`, import.meta.url), "utf8");
const reservations = JSON.parse(read("vpc/instances.json")) as {
  Reservations: { Instances: { InstanceId: string; NetworkInterfaces: AwsInterface[] }[] }[];
};
const instances = reservations.Reservations.flatMap((r) => r.Instances);
const pods = (load(read("openfaas/pods.yaml")) as { items: PodObject[] }).items.filter((o) => o.kind === "Pod");

describe("the lab and the examples", () => {
  it.each(endpoints.filter((e) => e.ref.startsWith("i-")))("$ref has the addresses of its interface", (endpoint) => {
    const [card] = instances.find((i) => i.InstanceId === endpoint.ref)?.NetworkInterfaces ?? [];
    expect([card?.PrivateIpAddress, card?.Ipv6Addresses[0]?.Ipv6Address]).toEqual([endpoint.ipv4, endpoint.ipv6]);
  });

  it.each(endpoints.filter((e) => e.kind === "pod"))("$ref has its pod's addresses and ports", (endpoint) => {
    const pod = pods.find((p) => `${p.metadata.namespace}/${p.metadata.name}` === endpoint.ref);
    expect(pod?.status.podIPs.map((a) => a.ip)).toEqual([endpoint.ipv4, endpoint.ipv6]);
    expect(
      pod?.spec.containers
        .flatMap((c) => c.ports)
        .map((p) => ({ protocol: p.protocol.toLowerCase(), port: p.containerPort })),
    ).toEqual(endpoint.services);
  });

  it("has nobody in the examples whom the lab lacks", () => {
    const refs = endpoints.map((e) => e.ref);
    for (const instance of instances) expect(refs).toContain(instance.InstanceId);
    for (const { metadata } of pods) expect(refs).toContain(`${metadata.namespace}/${metadata.name}`);
  });
});
