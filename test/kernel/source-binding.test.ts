import { describe, expect, it } from "vitest";
import type { ForwardingEntry, Neighbour } from "../../src/kernel/neighbours.ts";
import { hostUint32 } from "../../src/kernel/netlink-message.ts";
import { sourceSets } from "../../src/kernel/ruleset-source-check.ts";
import { bindSources } from "../../src/kernel/source-binding.ts";
import type { NetworkInterface } from "../../src/model/ec2.ts";
import { formatAddress, parseAddress } from "../../src/net/address.ts";

const MAC = ["02:00:00:00:00:00", "02:00:00:00:00:01", "02:00:00:00:00:02"] as const;
const BRIDGE = 5;
const OTHER_BRIDGE = 6;
const addresses = (...texts: string[]) => texts.map((text) => parseAddress(text) ?? expect.fail(text));

const nic = (id: string, own: readonly string[], change: Partial<NetworkInterface> = {}): NetworkInterface => ({
  id,
  instanceId: null,
  isPrimary: true,
  vpcId: "vpc-1",
  subnetId: "subnet-1",
  groupIds: [],
  addresses: addresses(...own),
  publicAddresses: [],
  isRunning: true,
  sourceDestCheck: true,
  macAddress: null,
  origin: { file: "f.json", name: id },
  ...change,
});
const neighbour = (text: string, mac: string, linkIndex = BRIDGE): Neighbour => ({
  linkIndex,
  address: addresses(text)[0]!,
  mac,
});
const forwarding = (mac: string, change: Partial<ForwardingEntry> = {}): ForwardingEntry => ({
  bridgeIndex: BRIDGE,
  portIndex: 9,
  mac,
  kind: "learned",
  vlan: null,
  ...change,
});

describe("SG-94: whose hardware address it is", () => {
  const rows: readonly (readonly [
    string,
    readonly NetworkInterface[],
    readonly Neighbour[],
    readonly ForwardingEntry[],
    readonly string[],
  ])[] = [
    [
      "the inventory's, seen on the bridge",
      [nic("a", ["10.0.0.1", "fd00::1"], { macAddress: MAC[1] })],
      [],
      [forwarding(MAC[1])],
      [`${MAC[1]} certain 10.0.0.1 fd00::1`],
    ],
    ["the inventory's, seen nowhere", [nic("a", ["10.0.0.1"], { macAddress: MAC[1] })], [], [], []],
    [
      "the inventory's, the bridge's own",
      [nic("a", ["10.0.0.1"], { macAddress: MAC[1] })],
      [],
      [forwarding(MAC[1], { kind: "local" })],
      [],
    ],
    [
      "the inventory's, seen on a bridge that isn't enforced",
      [nic("a", ["10.0.0.1"], { macAddress: MAC[1] })],
      [],
      [forwarding(MAC[1], { bridgeIndex: OTHER_BRIDGE })],
      [],
    ],
    [
      "an invented one gives way to the neighbour's",
      [nic("a", ["10.0.0.1", "10.0.0.2"], { macAddress: MAC[1] })],
      [neighbour("10.0.0.1", MAC[2])],
      [],
      [`${MAC[2]} learned 10.0.0.1 10.0.0.2`],
    ],
    ["a neighbour beyond another link", [nic("a", ["10.0.0.1"])], [neighbour("10.0.0.1", MAC[1], 8)], [], []],
    [
      "two interfaces behind one, as behind a router",
      [nic("a", ["10.0.0.1"]), nic("b", ["10.0.0.2"])],
      [neighbour("10.0.0.1", MAC[1]), neighbour("10.0.0.2", MAC[1])],
      [],
      [],
    ],
    [
      "the check switched off for the interface",
      [nic("a", ["10.0.0.1"], { sourceDestCheck: false })],
      [neighbour("10.0.0.1", MAC[1])],
      [],
      [],
    ],
    [
      "an interface that doesn't run",
      [nic("a", ["10.0.0.1"], { isRunning: false })],
      [neighbour("10.0.0.1", MAC[1])],
      [],
      [],
    ],
    ["an address of nobody", [nic("a", ["10.0.0.1"])], [neighbour("10.0.0.9", MAC[1])], [], []],
  ];
  it.each(rows)("%s", (_, interfaces, neighbours, entries, expected) => {
    const { bindings } = bindSources(interfaces, [BRIDGE], neighbours, entries);
    const text = bindings.map(
      ({ mac, isCertain, addresses: own }) =>
        `${mac} ${isCertain ? "certain" : "learned"} ${own.map(formatAddress).join(" ")}`,
    );
    expect(text).toEqual(expected);
  });

  it("the sets' elements, each once, as nft writes them and as the kernel has them", () => {
    const own = addresses("10.0.0.1", "10.0.0.1", "fd00::1");
    const bindings = [
      { mac: MAC[1], addresses: own, isCertain: true },
      { mac: MAC[2], addresses: addresses("10.0.0.2"), isCertain: false },
    ];
    const sets = sourceSets({ bridges: [5], bindings }).map(({ name, elements }) => [
      name,
      ...elements.flatMap(({ text, key }) => [text, Buffer.from(key).toString("hex")]),
    ]);
    const v6 = "fd000000000000000000000000000001";
    expect(sets).toEqual([
      ["checked_bridges", "5", Buffer.from(hostUint32(5)).toString("hex")],
      ["checked_macs", MAC[1], "020000000001", MAC[2], "020000000002"],
      [
        "bound4",
        `${MAC[1]} . 10.0.0.1`,
        "02000000000100000a000001",
        `${MAC[2]} . 10.0.0.2`,
        "02000000000200000a000002",
      ],
      ["bound6", `${MAC[1]} . fd00::1`, `0200000000010000${v6}`],
      ["owned4", "10.0.0.1", "0a000001"],
      ["owned6", "fd00::1", v6],
    ]);
    expect(sourceSets({ bridges: [], bindings: [] }).flatMap(({ elements }) => elements)).toEqual([]);
  });
});
