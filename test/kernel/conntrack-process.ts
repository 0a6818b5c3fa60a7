/**
 * Entries of connection tracking made by hand in this namespace, and what happens to their marks: one operation after the
 * other, each with its result and the marks that are left, as JSON.
 *
 *     10.1.0.0/16 → 10.2.0.7, 10 flows for each address; fd00:1::/64 → fd00:2::7; zone 7 beside zone 0
 */
import { loadAddon } from "../../src/kernel/addon-loader.ts";
import { Conntrack, type Settlement } from "../../src/kernel/conntrack.ts";
import { NetlinkClient, NetlinkProtocol } from "../../src/kernel/netlink-client.ts";
import {
  concatBytes,
  decodeAttributes,
  decodeUint32,
  encodeAttribute,
  encodeMessage,
  encodeNested,
  encodeNfgenmsg,
  encodeUint8,
  encodeUint32,
  NetlinkFlag,
} from "../../src/kernel/netlink-message.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { type Address, parseAddress, toBytes } from "../../src/net/address.ts";

const CT_NEW = 0x100;
const CT_GET = 0x101;
/** Another owner's bits, which stay. */
const others = 0xabcd;
const client = new NetlinkClient(loadAddon(), NetlinkProtocol.netfilter);
const conntrack = new Conntrack(loadAddon());

const address = (text: string): Address => parseAddress(text) as Address;
const port = (type: number, value: number): Uint8Array => encodeAttribute(type, Uint8Array.of(value >> 8, value & 255));

/** UDP. */
function tuple(type: number, from: Address, to: Address, fromPort: number, toPort: number): Uint8Array {
  const [source, destination] = from.family === 4 ? [1, 2] : [3, 4];
  return encodeNested(
    type,
    encodeNested(
      1,
      encodeAttribute(source, Uint8Array.from(toBytes(from))),
      encodeAttribute(destination, Uint8Array.from(toBytes(to))),
    ),
    encodeNested(2, encodeUint8(1, 17), port(2, fromPort), port(3, toPort)),
  );
}

interface Flow {
  readonly from: Address;
  readonly to: Address;
  readonly port: number;
  readonly mark: number;
  readonly zone?: number;
  /** Where it goes after DNAT. */
  readonly real?: Address;
}

function insert(flows: readonly Flow[]): void {
  for (let at = 0; at < flows.length; at += 500) {
    const messages = flows.slice(at, at + 500).map(({ from, to, port, mark, zone = 0, real = to }) => {
      const body = concatBytes([
        encodeNfgenmsg(from.family === 4 ? 2 : 10),
        tuple(1, from, to, port, 53),
        tuple(2, real, from, 53, port),
        encodeUint32(7, 600),
        encodeUint32(8, ((mark << 24) | others) >>> 0),
        ...(zone === 0 ? [] : [encodeAttribute(18, Uint8Array.of(zone >> 8, zone & 255))]),
      ]);
      return (sequence: number) =>
        encodeMessage(CT_NEW, NetlinkFlag.request | NetlinkFlag.ack | NetlinkFlag.create, sequence, body);
    });
    client.request("insert flows", messages);
  }
}

/** Mark in hex → entries. */
function marks(): Record<string, number> {
  const counts: Record<string, number> = {};
  const answers = client.request("list", [
    (sequence) => encodeMessage(CT_GET, NetlinkFlag.request | NetlinkFlag.dump, sequence, encodeNfgenmsg(0)),
  ]);
  for (const answer of answers) {
    const mark = decodeUint32(decodeAttributes(answer, 20).get(8)).toString(16);
    counts[mark] = (counts[mark] ?? 0) + 1;
  }
  return counts;
}

const pods = Array.from({ length: 500 }, (_, i) => address(`10.1.${i >> 8}.${i & 255}`));
const to4 = address("10.2.0.7");
const from6 = address("fd00:1::1");
insert(pods.flatMap((from) => Array.from({ length: 10 }, (_, i) => ({ from, to: to4, port: 1000 + i, mark: 0x31 }))));
insert([
  { from: from6, to: address("fd00:2::7"), port: 1, mark: 0xf1 },
  { from: address("fd00:2::8"), to: from6, port: 1, mark: 0x31 },
  { from: pods[0] as Address, to: to4, port: 1000, mark: 0x71, zone: 7 },
  // Decided in another epoch; never decided; through DNAT.
  { from: pods[1] as Address, to: to4, port: 2000, mark: 0x32 },
  { from: pods[1] as Address, to: to4, port: 2001, mark: 0 },
  { from: address("192.0.2.1"), to: address("10.99.0.1"), port: 1, mark: 0x11, real: address("10.3.0.3") },
]);

const nobody = { reviewed: [], renewed: [] };
/** Of epoch 1, while 3 is in force; what 2 decided counts no more where it's said so. */
const review = (...reviewed: Address[]) => settle({ flows: { reviewed, renewed: [] } });
const settle = (change: Partial<Settlement>): Promise<number> =>
  conntrack.settle({ current: 3, older: [1], spent: [], renumbers: false, flows: nobody, ...change });

const steps: Record<string, () => unknown> = {
  nothing: () => review(address("203.0.113.1")),
  withoutLayout: () => new Conntrack(loadAddon()).clearAll(),
  inForce: () => settle({ current: 1, older: [], flows: { reviewed: pods, renewed: [from6] } }),
  pod: () => review(pods[0] as Address),
  other: () => review(pods[1] as Address),
  ipv6: () => review(from6),
  beforeDnat: () => review(address("10.99.0.1")),
  afterDnat: () => review(address("10.3.0.3")),
  many: () => review(...pods.slice(0, 300)),
  spent: () => settle({ spent: [2, 5] }),
  renewed: () => settle({ flows: { reviewed: [], renewed: [from6] } }),
  renumbered: () => settle({ renumbers: true, flows: { reviewed: pods.slice(0, 400), renewed: [] } }),
  together: async () => Promise.all([settle({ spent: [7] }), settle({ flows: { reviewed: [], renewed: pods } })]),
  decisions: () => conntrack.clearDecisions([]),
  all: () => conntrack.clearAll(),
};

conntrack.useLayout(defaultMarkLayout);
const report: Record<string, unknown> = { before: marks() };
for (const [name, step] of Object.entries(steps)) report[name] = [await step(), marks()];
// A walk that the end overtakes ends by itself.
const late = conntrack.clearAll().then(String, (error: { code?: string }) => error.code);
conntrack.close();
report.closed = await late;
client.close();
process.stdout.write(JSON.stringify(report));
