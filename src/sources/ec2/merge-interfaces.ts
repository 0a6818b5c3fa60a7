/**
 * One list of interfaces from both documents that print them: `describe-network-interfaces` counts, and
 * `describe-instances` adds whether the instance runs, which the other doesn't print (SG-2a, SG-47).
 */
import type { NetworkInterface } from "../../model/ec2.ts";
import type { Report } from "../../model/finding.ts";
import { addressKey } from "../../net/address.ts";
import { firstOfEach } from "./first-of-each.ts";
import type { InstanceState, InterfaceRecord } from "./interfaces.ts";

/** Records in order of their files; the result is in order of ids. */
export function mergeInterfaces(
  records: readonly InterfaceRecord[],
  instances: readonly InstanceState[],
  report: Report,
): NetworkInterface[] {
  const only = (from: InterfaceRecord["from"], isMadeUp: boolean) =>
    firstOfEach(
      records.filter((r) => r.from === from && r.isMadeUp === isMadeUp).map((r) => r.networkInterface),
      report,
    );
  const described = only("interfaces", false);
  const ofInstances = new Map(only("instances", false).map((i) => [i.id, i]));
  const states = new Map<string, boolean>();
  for (const { id, isRunning } of instances) states.set(id, (states.get(id) ?? false) || isRunning);

  const found = new Map(ofInstances);
  for (const one of described) found.set(one.id, combine(one, ofInstances.get(one.id), states));
  const claimed = new Set(
    [...found.values()].flatMap((i) => i.addresses.map((a) => `${i.instanceId} ${addressKey(a)}`)),
  );
  for (const one of only("instances", true)) {
    if (!one.addresses.some((a) => claimed.has(`${one.instanceId} ${addressKey(a)}`))) found.set(one.id, one);
  }
  const count = new Map<string | null, number>();
  for (const { instanceId } of found.values()) count.set(instanceId, (count.get(instanceId) ?? 0) + 1);
  return [...found.values()]
    .map((i) => ({ ...i, isPrimary: i.isPrimary || (i.instanceId !== null && count.get(i.instanceId) === 1) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function combine(
  one: NetworkInterface,
  other: NetworkInterface | undefined,
  states: ReadonlyMap<string, boolean>,
): NetworkInterface {
  const instanceId = one.instanceId ?? other?.instanceId ?? null;
  return {
    ...one,
    instanceId,
    isPrimary: one.isPrimary || other?.isPrimary === true,
    groupIds: one.groupIds ?? other?.groupIds ?? null,
    subnetId: one.subnetId ?? other?.subnetId ?? null,
    vpcId: one.vpcId === "" ? (other?.vpcId ?? "") : one.vpcId,
    isRunning: (instanceId === null ? undefined : states.get(instanceId)) ?? one.isRunning,
  };
}
