import { describe, expect, it } from "vitest";
import type { NetlinkAnswer } from "../../src/kernel/addon.ts";
import { NetlinkClient, NetlinkProtocol } from "../../src/kernel/netlink-client.ts";
import { decodeHostUint32, encodeMessage } from "../../src/kernel/netlink-message.ts";

/** A client whose kernel is a function of the sequence numbers that were sent and those that are awaited. */
function clientOf(kernel: (sent: number[], awaited: readonly number[]) => Partial<NetlinkAnswer>): NetlinkClient {
  class NetlinkSocket {
    request(bytes: Uint8Array, awaited: readonly number[]): NetlinkAnswer {
      const sent: number[] = [];
      for (let at = 0; at < bytes.length; at += 16) sent.push(decodeHostUint32(bytes, at + 8));
      return { messages: [], errors: [], ...kernel(sent, awaited) };
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
