/** Requests against the real kernel that only read, so they need neither root nor a namespace of their own. */
import { readdirSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import type { NetlinkAnswer, NetlinkSocket } from "../../src/kernel/addon.ts";
import {
  concatBytes,
  decodeAttributes,
  decodeHostUint32,
  decodeString,
  encodeMessage,
  hostUint32,
  messageType,
  NetlinkFlag,
} from "../../src/kernel/netlink-message.ts";
import { loadTestedAddon } from "./addon.ts";

const addon = loadTestedAddon();
const NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_GETNEIGH = 30;
const IFLA_IFNAME = 3;
const ENODEV = 19;
const EINVAL = 22;
const EPROTONOSUPPORT = 93;
const ETIMEDOUT = 110;
const TIMEOUT_MS = 5000;
const NO_SUCH_LINK = 0x7ffffff0;

/** struct ifinfomsg: family, padding, type; index; flags; change mask. */
const ifinfomsg = (index: number): Uint8Array => hostUint32(0, index, 0, 0);
const getLink = (sequence: number, index: number, flags = 0): Uint8Array =>
  encodeMessage(RTM_GETLINK, NetlinkFlag.request | flags, sequence, ifinfomsg(index));
const dumpLinks = (sequence: number): Uint8Array =>
  encodeMessage(RTM_GETLINK, NetlinkFlag.request | NetlinkFlag.dump, sequence, ifinfomsg(0));

const open: NetlinkSocket[] = [];
function socket(): NetlinkSocket {
  const made = new addon.NetlinkSocket(NETLINK_ROUTE);
  open.push(made);
  return made;
}
afterEach(() => {
  for (const made of open.splice(0)) made.close();
});

function ask(messages: readonly Uint8Array[], awaited: readonly number[], timeoutMs = TIMEOUT_MS): NetlinkAnswer {
  return socket().request(concatBytes(messages), awaited, timeoutMs);
}
function linkNames(answer: NetlinkAnswer): string[] {
  return answer.messages.map((message) => {
    expect(messageType(message)).toBe(RTM_NEWLINK);
    expect(decodeHostUint32(message, 0)).toBe(message.length);
    return decodeString(decodeAttributes(message, 32).get(IFLA_IFNAME));
  });
}
const errorsOf = (answer: NetlinkAnswer): (readonly [number, number])[] =>
  answer.errors.map(({ sequence, errno }) => [sequence, errno] as const);
const openFiles = (): number => readdirSync("/proc/self/fd").length;

describe("answers", () => {
  it("a dump is every link, read to its end", () => {
    const answer = ask([dumpLinks(7)], [7]);
    expect(answer.errors).toEqual([]);
    expect(linkNames(answer)).toContain("lo");
    for (const message of answer.messages) expect(decodeHostUint32(message, 8)).toBe(7);
  });

  it("one link with an acknowledgement: the answer alone is returned", () => {
    expect(linkNames(ask([getLink(1, 1, NetlinkFlag.ack)], [1]))).toEqual(["lo"]);
  });

  it("sequence numbers above 2^31 are themselves", () => {
    const answer = ask([getLink(0xfffffffe, NO_SUCH_LINK)], [0xfffffffe]);
    expect(errorsOf(answer)).toEqual([[0xfffffffe, ENODEV]]);
  });

  it("answers are copies of their own: they outlive the socket and the next request", () => {
    const asked = socket();
    const first = asked.request(dumpLinks(1), [1], TIMEOUT_MS);
    const before = first.messages.map((message) => Buffer.from(message).toString("hex"));
    asked.request(concatBytes([getLink(2, 1, NetlinkFlag.ack)]), [2], TIMEOUT_MS);
    asked.close();
    expect(first.messages.map((message) => Buffer.from(message).toString("hex"))).toEqual(before);
  });

  it("2,000 messages in one buffer are all acknowledged, and soon", () => {
    const sequences = Array.from({ length: 2000 }, (_, i) => i + 1);
    const answer = ask(
      sequences.map((sequence) => getLink(sequence, sequence % 2 === 0 ? 1 : NO_SUCH_LINK, NetlinkFlag.ack)),
      sequences,
    );
    expect(answer.messages).toHaveLength(1000);
    expect(errorsOf(answer)).toEqual(sequences.filter((s) => s % 2 === 1).map((s) => [s, ENODEV]));
  });

  it("a view's own range is what is sent", () => {
    const message = getLink(5, 1, NetlinkFlag.ack);
    const wider = concatBytes([new Uint8Array(8).fill(0xff), message, new Uint8Array(8).fill(0xff)]);
    const answer = socket().request(wider.subarray(8, 8 + message.length), [5], TIMEOUT_MS);
    expect(linkNames(answer)).toEqual(["lo"]);
  });
});

describe("refusals", () => {
  it("have an errno, beside the answers to the others", () => {
    const answer = ask(
      [getLink(1, NO_SUCH_LINK, NetlinkFlag.ack), getLink(2, 1, NetlinkFlag.ack), dumpLinks(3)],
      [1, 2, 3],
    );
    expect(errorsOf(answer)).toEqual([[1, ENODEV]]);
    expect(linkNames(answer).slice(0, 2)).toEqual(["lo", "lo"]);
  });

  it("have the kernel's own words where it has some", () => {
    // struct ndmsg with padding that must be 0: a request for one neighbour is always checked strictly.
    const ndmsg = Uint8Array.of(2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0);
    const answer = ask([encodeMessage(RTM_GETNEIGH, NetlinkFlag.request | NetlinkFlag.ack, 1, ndmsg)], [1]);
    expect(answer.errors).toEqual([
      { sequence: 1, errno: EINVAL, text: expect.stringMatching(/^Invalid values in header.*\w$/) },
    ]);
  });

  it("of a message that nobody waits for are told, and never taken for the next request's", () => {
    const asked = socket();
    const first = asked.request(
      concatBytes([getLink(1, 1, NetlinkFlag.ack), getLink(2, NO_SUCH_LINK)]),
      [1],
      TIMEOUT_MS,
    );
    const second = asked.request(getLink(3, 1, NetlinkFlag.ack), [3], TIMEOUT_MS);
    expect(errorsOf(first)).toEqual([[2, ENODEV]]);
    expect(errorsOf(second)).toEqual([]);
    expect(linkNames(second)).toEqual(["lo"]);
  });

  it("a late answer isn't the next request's, although the number is the same", () => {
    const asked = socket();
    // Nobody answers 9, so the dump's parts are left behind by the deadline.
    expect(() => asked.request(dumpLinks(1), [9], 20)).toThrow();
    const answer = asked.request(getLink(1, NO_SUCH_LINK, NetlinkFlag.ack), [1], TIMEOUT_MS);
    expect(errorsOf(answer)).toEqual([[1, ENODEV]]);
    expect(answer.messages).toEqual([]);
  });
});

describe("exchanges off the event loop", () => {
  const NLMSG_DONE = 3;
  /** The messages in what came. */
  const split = (bytes: Uint8Array): Uint8Array[] => {
    const found: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = decodeHostUint32(bytes, at);
      found.push(bytes.subarray(at, at + length));
      at += (length + 3) & ~3;
    }
    return found;
  };

  it("a dump, with its end, is what a request is answered", async () => {
    const expected = linkNames(ask([dumpLinks(7)], [7]));
    const messages = split(await socket().exchange(dumpLinks(7), 7, 1 << 20, TIMEOUT_MS));
    expect(messageType(messages.at(-1)!)).toBe(NLMSG_DONE);
    const names = messages.slice(0, -1).map((m) => decodeString(decodeAttributes(m, 32).get(IFLA_IFNAME)));
    expect(names).toEqual(expected);
  });

  it("in parts, to the end, each of whole messages", async () => {
    const asked = socket();
    const messages = split(await asked.exchange(dumpLinks(7), 7, 1, TIMEOUT_MS));
    while (messageType(messages.at(-1)!) !== NLMSG_DONE) {
      messages.push(...split(await asked.exchange(new Uint8Array(0), 7, 1, TIMEOUT_MS)));
    }
    expect(messages.length - 1).toBe(ask([dumpLinks(7)], [7]).messages.length);
  });

  it("a refusal is a message like others", async () => {
    const [refusal] = split(await socket().exchange(getLink(3, NO_SUCH_LINK), 3, 1 << 20, TIMEOUT_MS));
    expect(messageType(refusal!)).toBe(2);
    expect(decodeHostUint32(refusal!, 16) | 0).toBe(-ENODEV);
  });

  it("one at a time; the time that is over is an error, and the socket goes on", async () => {
    const asked = socket();
    const waiting = asked.exchange(getLink(1, 1), 2, 1 << 20, 60);
    const busy = expect.objectContaining({ name: "KernelError", code: "VERDICTD_NETLINK" });
    expect(() => asked.exchange(getLink(3, 1), 3, 1, TIMEOUT_MS)).toThrow(busy);
    expect(() => asked.request(getLink(3, 1), [3], TIMEOUT_MS)).toThrow(busy);
    await expect(waiting).rejects.toMatchObject({ name: "KernelError", errno: ETIMEDOUT });
    expect(linkNames(asked.request(getLink(3, 1, NetlinkFlag.ack), [3], TIMEOUT_MS))).toEqual(["lo"]);
  });

  it("closed meanwhile, the socket closes when it ends; a closed one refuses", async () => {
    const before = openFiles();
    const asked = new addon.NetlinkSocket(NETLINK_ROUTE);
    const waiting = asked.exchange(getLink(1, 1), 2, 1 << 20, 30);
    asked.close();
    asked.close();
    await expect(waiting).rejects.toMatchObject({ errno: ETIMEDOUT });
    expect(openFiles()).toBe(before);
    expect(() => asked.exchange(getLink(3, 1), 3, 1, TIMEOUT_MS)).toThrow(
      expect.objectContaining({ code: "VERDICTD_NETLINK" }),
    );
  });

  it.each([
    ["nothing", []],
    ["a string for bytes", ["x", 1, 1, 1]],
    ["a sequence that is no number", [new Uint8Array(16), "1", 1, 1]],
    ["no time", [new Uint8Array(16), 1, 1]],
  ])("%s is refused", (_name, args) => {
    const asked = socket();
    expect(() => asked.exchange(...(args as unknown as Parameters<NetlinkSocket["exchange"]>))).toThrow(TypeError);
  });
});

describe("failures", () => {
  it("no answer is an error when the time is over, not before, and the socket goes on", () => {
    const asked = socket();
    const start = performance.now();
    expect(() => asked.request(getLink(1, 1), [2], 60)).toThrow(
      expect.objectContaining({ name: "KernelError", code: "VERDICTD_NETLINK", errno: ETIMEDOUT }),
    );
    expect(performance.now() - start).toBeGreaterThanOrEqual(59);
    expect(linkNames(asked.request(getLink(3, 1, NetlinkFlag.ack), [3], TIMEOUT_MS))).toEqual(["lo"]);
  });

  it("a closed socket refuses, and closes twice", () => {
    const asked = socket();
    asked.close();
    asked.close();
    expect(() => asked.request(getLink(1, 1), [1], TIMEOUT_MS)).toThrow(
      expect.objectContaining({ name: "KernelError", code: "VERDICTD_NETLINK" }),
    );
  });

  it("a protocol that the kernel hasn't got", () => {
    expect(() => new addon.NetlinkSocket(99)).toThrow(
      expect.objectContaining({ name: "KernelError", code: "VERDICTD_NETLINK", errno: EPROTONOSUPPORT }),
    );
  });

  it.each([
    ["no bytes", []],
    ["a string", ["x", [], 1]],
    ["sequences that are no list", [new Uint8Array(16), 1, 1]],
    ["sequences that are no numbers", [getLink(1, 1, NetlinkFlag.ack), ["one"], 1]],
    ["a time that is no number", [getLink(1, 1, NetlinkFlag.ack), [1], "1"]],
  ])("%s is refused", (_name, args) => {
    const asked = socket();
    expect(() => asked.request(...(args as unknown as Parameters<NetlinkSocket["request"]>))).toThrow(TypeError);
  });

  it("methods on another object, and the class without new", () => {
    const { request, close } = addon.NetlinkSocket.prototype as NetlinkSocket;
    expect(() => close.call({} as NetlinkSocket)).toThrow();
    expect(() => request.call({} as NetlinkSocket, new Uint8Array(16), [], 1)).toThrow();
    expect(() => (addon.NetlinkSocket as unknown as (protocol: number) => void)(0)).toThrow(TypeError);
    expect(() => new addon.NetlinkSocket("route" as unknown as number)).toThrow(TypeError);
  });

  it("no descriptor is left of 300 sockets that were closed, and of 300 that could not be made", () => {
    const before = openFiles();
    for (let i = 0; i < 300; i++) {
      const made = new addon.NetlinkSocket(NETLINK_ROUTE);
      if (i % 2 === 0) made.request(getLink(1, 1, NetlinkFlag.ack), [1], TIMEOUT_MS);
      made.close();
      expect(() => new addon.NetlinkSocket(99)).toThrow();
    }
    expect(openFiles()).toBe(before);
  });
});
