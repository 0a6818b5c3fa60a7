/** Lines of flows: what they mean, and what is wrong with others. */
import { describe, expect, test } from "vitest";
import { readFlow } from "../../src/engine/flow-request.ts";
import { References } from "../../src/engine/reference.ts";
import { createFlowView, PacketState } from "../../src/model/flow.ts";
import { formatAddress } from "../../src/net/address.ts";
import { deployment, instance, inventoryOf, pod } from "./inventories.ts";

const references = new References(
  inventoryOf([
    instance("i-dual", [["10.0.0.1", "2001:db8::1"]]),
    instance("i-six", [["2001:db8::6"]]),
    pod("shop/six-first", ["fd00::1", "10.1.0.1"]),
    pod("shop/four", ["10.1.0.2"]),
    deployment("shop/idle"),
  ]),
);

/** `10.0.0.1:49152 -> 10.1.0.2:80 6`, with type and code for ICMP. */
function read(value: unknown): unknown {
  const view = createFlowView();
  const error = readFlow(value, references, view);
  if (error) return error;
  const { protocol, sourcePort, destinationPort, icmpType, icmpCode, viaService } = view;
  const ends = `${formatAddress(view.source)}#${sourcePort} -> ${formatAddress(view.destination)}#${destinationPort}`;
  return `${ends} ${protocol} ${icmpType}/${icmpCode}${viaService ? " via" : ""}`;
}

describe("flows", () => {
  const pair = { from: "192.0.2.1", to: "192.0.2.2" };
  test.each([
    ["TCP by default", { ...pair, port: 80 }, "192.0.2.1#49152 -> 192.0.2.2#80 6 0/0"],
    ["a name in any case", { ...pair, protocol: "UdP", port: 53 }, "192.0.2.1#49152 -> 192.0.2.2#53 17 0/0"],
    ["a number", { ...pair, protocol: 132, port: 9 }, "192.0.2.1#49152 -> 192.0.2.2#9 132 0/0"],
    ["a number as text", { ...pair, protocol: "47" }, "192.0.2.1#0 -> 192.0.2.2#0 47 0/0"],
    ["a source port", { ...pair, port: 80, sourcePort: 0 }, "192.0.2.1#0 -> 192.0.2.2#80 6 0/0"],
    ["port 0", { ...pair, port: 0 }, "192.0.2.1#49152 -> 192.0.2.2#0 6 0/0"],
    ["null is absent", { ...pair, port: 80, sourcePort: null, via: null }, "192.0.2.1#49152 -> 192.0.2.2#80 6 0/0"],
    ["other keys", { ...pair, port: 80, why: ["any"] }, "192.0.2.1#49152 -> 192.0.2.2#80 6 0/0"],
    ["via a Service", { ...pair, port: 80, via: "service" }, "192.0.2.1#49152 -> 192.0.2.2#80 6 0/0 via"],
    ["ICMP is an echo request", { ...pair, protocol: "icmp" }, "192.0.2.1#0 -> 192.0.2.2#0 1 8/0"],
    ["ICMP type 0", { ...pair, protocol: "icmp", icmpType: 0 }, "192.0.2.1#0 -> 192.0.2.2#0 1 0/0"],
    ["ICMP type, code", { ...pair, protocol: "icmp", icmpType: 3, icmpCode: 4 }, "192.0.2.1#0 -> 192.0.2.2#0 1 3/4"],
    ["ICMP has no port", { ...pair, protocol: "icmp", port: 80 }, "192.0.2.1#0 -> 192.0.2.2#0 1 8/0"],
    ["TCP has no type", { ...pair, port: 80, icmpType: 3 }, "192.0.2.1#49152 -> 192.0.2.2#80 6 0/0"],
    [
      "ICMPv6 is an echo request of its own",
      { from: "2001:db8::1", to: "2001:db8::2", protocol: "icmpv6" },
      "2001:db8::1#0 -> 2001:db8::2#0 58 128/0",
    ],
    [
      "the first family that both have",
      { from: "shop/six-first", to: "i-dual", port: 80 },
      "fd00::1#49152 -> 2001:db8::1#80 6 0/0",
    ],
    [
      "… and the only one",
      { from: "shop/six-first", to: "shop/four", port: 80 },
      "10.1.0.1#49152 -> 10.1.0.2#80 6 0/0",
    ],
    [
      "an address decides",
      { from: "i-dual", to: "2001:db8::9", port: 80 },
      "2001:db8::1#49152 -> 2001:db8::9#80 6 0/0",
    ],
    [
      "ICMPv6 decides",
      { from: "i-dual", to: "shop/six-first", protocol: "icmpv6" },
      "2001:db8::1#0 -> fd00::1#0 58 128/0",
    ],
    ["to itself", { from: "i-dual", to: "i-dual", port: 80 }, "10.0.0.1#49152 -> 10.0.0.1#80 6 0/0"],
  ])("%s", (_, value, expected) => {
    expect(read(value)).toBe(expected);
  });

  test("an endpoint without an address goes with any", () => {
    expect(read({ from: "shop/idle", to: "i-six", port: 80 })).toMatch(/^none#\d+#49152 -> 2001:db8::6#80/);
    expect(read({ from: "i-dual", to: "shop/idle", port: 80 })).toMatch(/^10\.0\.0\.1#49152 -> none#/);
  });

  test("a record that was used before keeps nothing of it", () => {
    const view = createFlowView();
    const first = { from: "192.0.2.1", to: "192.0.2.2", protocol: "icmp", icmpType: 3, icmpCode: 1, via: "service" };
    expect(readFlow(first, references, view)).toBeNull();
    view.state = PacketState.reply;
    view.isFragment = true;
    expect(readFlow({ from: "192.0.2.3", to: "192.0.2.4", port: 1 }, references, view)).toBeNull();
    expect(view).toMatchObject({ icmpType: 0, icmpCode: 0, viaService: false, isFragment: false, state: 0 });
  });
});

describe("errors name their code and field", () => {
  const good = { from: "192.0.2.1", to: "192.0.2.2", port: 80 };
  test.each([
    ["no object", 7, "bad-flow", null],
    ["a list", [], "bad-flow", null],
    ["null", null, "bad-flow", null],
    ["no source", { to: "192.0.2.2", port: 80 }, "bad-flow", "from"],
    ["a number as destination", { ...good, to: 3 }, "bad-flow", "to"],
    ["no port", { from: "192.0.2.1", to: "192.0.2.2" }, "bad-flow", "port"],
    ["no port for UDP", { ...good, port: undefined, protocol: "udp" }, "bad-flow", "port"],
    ["no port for SCTP", { ...good, port: null, protocol: "sctp" }, "bad-flow", "port"],
    ["port 65536", { ...good, port: 65536 }, "bad-flow", "port"],
    ["port -1", { ...good, port: -1 }, "bad-flow", "port"],
    ["port 1.5", { ...good, port: 1.5 }, "bad-flow", "port"],
    ["port as text", { ...good, port: "80" }, "bad-flow", "port"],
    ["source port", { ...good, sourcePort: 1e9 }, "bad-flow", "sourcePort"],
    ["protocol 256", { ...good, protocol: 256 }, "bad-flow", "protocol"],
    ["a protocol's name", { ...good, protocol: "tcpp" }, "bad-flow", "protocol"],
    ["a prototype's name", { ...good, protocol: "constructor" }, "bad-flow", "protocol"],
    ["ICMP type 256", { ...good, protocol: "icmp", icmpType: 256 }, "bad-flow", "icmpType"],
    ["ICMP code", { ...good, protocol: "icmp", icmpCode: "0" }, "bad-flow", "icmpCode"],
    ["via", { ...good, via: "proxy" }, "bad-flow", "via"],
    ["expect", { ...good, expect: "allow" }, "bad-flow", "expect"],
    ["expectReply", { ...good, expectReply: true }, "bad-flow", "expectReply"],
    ["no family in common", { ...good, from: "i-six", to: "shop/four" }, "bad-flow", "to"],
    ["an unknown source", { ...good, from: "shop/none" }, "unknown-ref", "from"],
    ["an unknown destination", { ...good, to: "i-none" }, "unknown-ref", "to"],
  ])("%s", (_, value, code, field) => {
    expect(read(value)).toEqual({ code, field, message: expect.stringMatching(/\w+ .*\w+/) });
  });
});
