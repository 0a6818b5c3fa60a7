import { describe, expect, it } from "vitest";
import type { NetlinkAnswer } from "../../src/kernel/addon.ts";
import { NetlinkClient, NetlinkProtocol } from "../../src/kernel/netlink-client.ts";
import { concatBytes, decodeHostUint32, encodeMessage, hostUint32 } from "../../src/kernel/netlink-message.ts";

/**
 * A client whose kernel is a function of the sequence numbers that were sent and those that are awaited; what it answers
 * off the event loop is what `slices` are made of.
 */
function clientOf(
  kernel: (sent: number[], awaited: readonly number[]) => Partial<NetlinkAnswer>,
  slices: readonly (readonly Uint8Array[])[] = [],
): NetlinkClient {
  const left = [...slices];
  class NetlinkSocket {
    request(bytes: Uint8Array, awaited: readonly number[]): NetlinkAnswer {
      const sent: number[] = [];
      for (let at = 0; at < bytes.length; at += 16) sent.push(decodeHostUint32(bytes, at + 8));
      return { messages: [], errors: [], ...kernel(sent, awaited) };
    }
    async exchange(): Promise<Uint8Array> {
      return concatBytes(left.shift() ?? expect.fail("asked for more than there is"));
    }
    close(): void {}
  }
  return new NetlinkClient({ NetlinkSocket }, NetlinkProtocol.netfilter);
}
const empty = (sequence: number): Uint8Array => encodeMessage(1, 1, sequence);

describe("requests", () => {
  it("number on from call to call, and wait for those that have an answer", () => {
    const calls: unknown[] = [];
    const client = clientOf((sent, awaited) => {
      calls.push([sent, awaited]);
      return {};
    });
    client.request("a", [{ silent: empty }, empty, { silent: empty }]);
    client.request("b", [empty]);
    expect(calls).toEqual([
      [[1, 2, 3], [2]],
      [[4], [4]],
    ]);
  });

  it.each([
    [1, "", "VERDICTD_NO_PRIVILEGE", "remove the table: EPERM: this needs CAP_NET_ADMIN (run it with sudo)"],
    [2, "", "VERDICTD_NETLINK", "remove the table: ENOENT"],
    [22, "Set is bound", "VERDICTD_NETLINK", "remove the table: EINVAL: Set is bound"],
  ])("errno %i with %j is %s", (errno, text, code, message) => {
    const client = clientOf((sent) => ({ errors: [{ sequence: sent[0]!, errno, text }] }));
    expect(() => client.request("remove the table", [empty])).toThrow(
      expect.objectContaining({ code, errno, message }),
    );
    expect(client.tryRequest([empty]).errors).toMatchObject([{ errno, text }]);
  });
});

describe("exchanges", () => {
  const NLMSG_ERROR = 2;
  const NLMSG_DONE = 3;
  const ENTRY = 256;
  const end = (type: number, sequence: number, errno = 0): Uint8Array =>
    encodeMessage(type, 0, sequence, hostUint32(-errno >>> 0));
  const entry = (sequence: number, value: number): Uint8Array => encodeMessage(ENTRY, 2, sequence, hostUint32(value));

  /** The values of the entries that were visited, and the refusals; a pause is "|". */
  const seen = async (slices: readonly (readonly Uint8Array[])[]): Promise<unknown[]> => {
    const visited: unknown[] = [];
    const errors = await clientOf(() => ({}), slices).exchange(
      (next) => concatBytes([empty(next()), empty(next())]),
      (view, at, to) => {
        expect(to - at).toBe(20);
        visited.push(decodeHostUint32(new Uint8Array(view.buffer, view.byteOffset + at, to - at), 16));
      },
      async () => {
        visited.push("|");
      },
    );
    return [...visited, ...errors.map(({ errno }) => -errno)];
  };

  it.each([
    [
      "a dump in slices, until its end",
      [[entry(2, 7), entry(2, 8)], [entry(2, 9)], [end(NLMSG_DONE, 2)]],
      [7, 8, "|", 9, "|", "|"],
    ],
    ["an acknowledgement", [[end(NLMSG_ERROR, 2)]], ["|"]],
    [
      "refusals, also of what wasn't to be answered",
      [[end(NLMSG_ERROR, 1, 2)], [end(NLMSG_ERROR, 2, 16)]],
      ["|", "|", -2, -16],
    ],
    ["a dump that failed", [[entry(2, 7), end(NLMSG_DONE, 2, 4)]], [7, "|", -4]],
    ["what belongs to others", [[entry(9, 7), end(NLMSG_DONE, 9), end(NLMSG_DONE, 2)]], ["|"]],
    ["a message that is cut off", [[entry(2, 7), entry(2, 8).subarray(0, 18)], [end(NLMSG_DONE, 2)]], [7, "|", "|"]],
  ] as const)("%s", async (_, slices, expected) => {
    expect(await seen(slices)).toEqual(expected);
  });
});
