/**
 * Network interfaces from `describe-network-interfaces` and from `describe-instances` (SG-2a, SG-47). The two print the
 * same fields in the same places but for the instance.
 */
import { z } from "zod";
import {
  asRecord,
  asText,
  describe,
  type Reading,
  readElements,
  readShape,
  reportAt,
} from "../../evaluators/ec2/read.ts";
import type { NetworkInterface } from "../../model/ec2.ts";
import type { Report } from "../../model/finding.ts";
import { type Address, addressKey, Family, formatAddress, parseAddress } from "../../net/address.ts";

/** An interface as one document has it; `assembleEc2` makes one of two. */
export interface InterfaceRecord {
  readonly networkInterface: NetworkInterface;
  readonly from: "instances" | "interfaces";
  readonly deviceIndex: number | null;
  /** Printed with an instance of an emulator that prints no interfaces; gives way to a real one. */
  readonly isMadeUp: boolean;
}

export interface InstanceState {
  readonly id: string;
  readonly isRunning: boolean;
}

const idShape = z.looseObject({ GroupId: z.string().min(1) });
const record = z.looseObject({});
const lost = { rule: "SG-2a", meaning: "this address isn't known, and nothing applies to it" };

export function readInterfaces(list: readonly unknown[], file: string, report: Report): InterfaceRecord[] {
  return list.flatMap((raw) => {
    const read = readInterface(raw, null, file, report);
    return read ? [{ ...read, from: "interfaces" as const }] : [];
  });
}

export function readInstances(
  reservations: readonly unknown[],
  file: string,
  report: Report,
): { readonly records: InterfaceRecord[]; readonly instances: InstanceState[] } {
  const records: InterfaceRecord[] = [];
  const instances: InstanceState[] = [];
  const reading = { origin: { file, name: "Reservations" }, report };
  const meaning = "its instances aren't known";
  const groups = reservations.flatMap((r, i) =>
    readElements(reading, asRecord(r)?.Instances, `[${i}].Instances`, record, { rule: "SG-2a", meaning }),
  );
  for (const { value, path } of groups) {
    const id = asText(value.InstanceId);
    if (id === null) {
      const message = "this instance has no InstanceId: it isn't known; print it again with describe-instances";
      reportAt(reading, path, "error", "bad-shape", "SG-2a", message);
      continue;
    }
    // An instance whose state isn't printed counts as running: that restricts it, the opposite would free it.
    const state = asRecord(value.State);
    const isRunning = state === null || (asText(state.Name) ?? (state.Code === 16 ? "running" : "")) === "running";
    instances.push({ id, isRunning });
    const own = { origin: { file, name: `instance ${id}` }, report };
    const printed = readElements(own, value.NetworkInterfaces, "NetworkInterfaces", record, lost);
    const raws = printed.length > 0 ? printed.map((e) => e.value) : [value];
    const instance = { id, isRunning, raw: value, isOnly: raws.length === 1, isMadeUp: printed.length === 0 };
    for (const raw of raws) {
      const read = readInterface(raw, instance, file, report);
      if (read) records.push(read);
    }
  }
  return { records, instances };
}

interface OwnerInstance {
  readonly id: string;
  readonly isRunning: boolean;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly isOnly: boolean;
  readonly isMadeUp: boolean;
}

function readInterface(
  raw: unknown,
  instance: OwnerInstance | null,
  file: string,
  report: Report,
): InterfaceRecord | null {
  const value = asRecord(raw);
  const printed = asText(value?.NetworkInterfaceId);
  // Without an id it is still somebody's: an interface that were dropped would have no gate.
  const unnamed = value && (instance?.id ?? asText(value.PrivateIpAddress));
  const id = instance?.isMadeUp ? `${instance.id}/0` : (printed ?? (unnamed ? `unnamed ${unnamed}` : null));
  const name = `network interface ${id ?? `of ${instance?.id ?? "?"}`}`;
  const reading = { origin: { file, name }, report };
  if (!value || id === null) {
    const message = `${describe(raw)} has no NetworkInterfaceId: it isn't known, and nothing applies to its addresses; print it again`;
    reportAt(reading, "", "error", "bad-shape", "SG-2a", message);
    return null;
  }
  if (printed === null && !instance?.isMadeUp) {
    const message = "it has no NetworkInterfaceId and can be named by its addresses alone; print it again";
    reportAt(reading, "", "error", "bad-shape", "SG-2a", message);
  }
  const attachment = asRecord(value.Attachment);
  const deviceIndex = typeof attachment?.DeviceIndex === "number" ? attachment.DeviceIndex : null;
  const isPrimary = deviceIndex === 0 || (deviceIndex === null && instance?.isOnly === true);
  const { addresses, publicAddresses } = readAddresses(reading, value);
  const outer = instance?.raw;
  const groups = value.Groups ?? (isPrimary ? outer?.SecurityGroups : undefined);
  return {
    networkInterface: {
      id,
      instanceId: instance?.id ?? asText(attachment?.InstanceId),
      isPrimary,
      vpcId: asText(value.VpcId) ?? asText(outer?.VpcId) ?? "",
      subnetId: asText(value.SubnetId) ?? asText(outer?.SubnetId),
      groupIds: groups === undefined || groups === null ? null : readGroupIds(reading, groups),
      addresses,
      publicAddresses,
      isRunning: instance?.isRunning ?? value.Status !== "available",
      sourceDestCheck: value.SourceDestCheck !== false,
      macAddress: asText(value.MacAddress)?.toLowerCase() ?? null,
      origin: reading.origin,
    },
    from: "instances",
    deviceIndex,
    isMadeUp: instance?.isMadeUp === true,
  };
}

function readGroupIds(reading: Reading, groups: unknown): readonly string[] {
  const meaning = "it contributes no rules";
  const found = readElements(reading, groups, "Groups", idShape, { rule: "SG-46", meaning });
  return [...new Set(found.map((g) => g.value.GroupId))].sort();
}

/** Primary IPv4 first, then secondary IPv4, then IPv6, each once; secondary ones in text order (PL-25). */
function readAddresses(reading: Reading, value: Readonly<Record<string, unknown>>) {
  const addresses = new Map<string, Address>();
  const publicAddresses = new Map<string, Address>();
  const add = (to: Map<string, Address>, given: unknown, path: string) => {
    if (given === undefined || given === null || given === "") return;
    const address = typeof given === "string" ? parseAddress(given) : null;
    if (address) to.set(addressKey(address), address);
    else {
      const message = `${describe(given)} is no IP address: ${lost.meaning}; correct it`;
      reportAt(reading, path, "error", "bad-address", lost.rule, message);
    }
  };
  add(addresses, value.PrivateIpAddress, "PrivateIpAddress");
  const listed = readElements(reading, value.PrivateIpAddresses, "PrivateIpAddresses", record, lost);
  if (addresses.size === 0) {
    const primary = listed.find((e) => e.value.Primary === true);
    const given = typeof primary?.value.PrivateIpAddress === "string" ? primary.value.PrivateIpAddress : "";
    if (parseAddress(given)) add(addresses, given, "");
  }
  const [primary] = addresses.keys();
  for (const { value: entry, path } of listed) {
    if (readShape(reading, entry, path, z.looseObject({ PrivateIpAddress: z.string() }), lost) === null) continue;
    add(addresses, entry.PrivateIpAddress, `${path}.PrivateIpAddress`);
    add(publicAddresses, asRecord(entry.Association)?.PublicIp, `${path}.Association.PublicIp`);
  }
  add(publicAddresses, asRecord(value.Association)?.PublicIp, "Association.PublicIp");
  add(publicAddresses, value.PublicIpAddress, "PublicIpAddress");
  for (const { value: entry, path } of readElements(reading, value.Ipv6Addresses, "Ipv6Addresses", record, lost)) {
    add(addresses, entry.Ipv6Address, `${path}.Ipv6Address`);
  }
  const rank = (a: Address) => (addressKey(a) === primary ? 0 : a.family === Family.ipv4 ? 1 : 2);
  const inOrder = (a: Address, b: Address) => rank(a) - rank(b) || (formatAddress(a) < formatAddress(b) ? -1 : 1);
  return {
    addresses: [...addresses.values()].sort(inOrder),
    publicAddresses: [...publicAddresses.values()].sort(inOrder),
  };
}
