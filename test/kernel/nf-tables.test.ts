import { describe, expect, it } from "vitest";
import type { MessageBuilder, Silent } from "../../src/kernel/netlink-client.ts";
import {
  addElements,
  batch,
  deleteElements,
  deleteTable,
  rehearsal,
  replaceEpochs,
} from "../../src/kernel/nf-tables.ts";
import { replaceQueueRule } from "../../src/kernel/queue-rule.ts";
import { markLayout } from "../../src/model/mark.ts";
import { parseAddress, unnumberedAddress } from "../../src/net/address.ts";

const layout = markLayout(0xff000000)!;
const table = "0d000100" + "7665726469637464" + "00000000";

/** The messages in hex, numbered from 1, each header as `type flags`. */
function show(messages: readonly (MessageBuilder | Silent)[]): string[] {
  return messages.map((message, index) => {
    const bytes = Buffer.from(typeof message === "function" ? message(index + 1) : message.silent(index + 1));
    expect(bytes.readUInt32LE(0)).toBeLessThanOrEqual(bytes.length);
    expect(bytes.readUInt32LE(8)).toBe(index + 1);
    return `${bytes.readUInt16LE(4).toString(16)} ${bytes.readUInt16LE(6).toString(16)} ${bytes.toString("hex", 16)}`;
  });
}

describe("messages", () => {
  it("an element, as `nft --debug=mnl add element` of 1.0.6 prints it, but for the set's id", () => {
    expect(show(addElements("managed4", [parseAddress("10.0.0.1")!]))).toEqual([
      `a0c 405 01000000${table}0d000200${"6d616e6167656434"}00000000${"14000380" + "10000180" + "0c000180" + "08000100"}0a000001`,
    ]);
  });

  it("a batch is framed for nf_tables; a rehearsal has no end, so the kernel undoes it", () => {
    const framed = show(batch([deleteTable("inet")]));
    expect(framed).toEqual(["10 1 0000000a", `a02 5 01000000${table}`, "11 1 0000000a"]);
    expect(show(rehearsal([deleteTable("inet")]))).toEqual(framed.slice(0, 2));
  });

  it("the epoch is replaced in one transaction, in host order at its place in the mark", () => {
    const set = `0a000200${Buffer.from("epoch\0").toString("hex")}0000`;
    expect(show(replaceEpochs(layout, "epoch", [5]))).toEqual([
      `a0e 5 01000000${table}${set}`,
      `a0c 405 01000000${table}${set}${"14000380" + "10000180" + "0c000180" + "08000100"}00000005`,
    ]);
    expect(show(replaceEpochs(layout, "epoch", [15]))[1]).toMatch(/0000000f$/);
    expect(show(replaceEpochs(markLayout(0xff)!, "epoch", [15]))[1]).toMatch(/0f000000$/);
    expect(show(replaceEpochs(layout, "epoch", [0]))).toHaveLength(1);
  });

  it("the queue rule empties its chain first; the target's data is padded to eight bytes", () => {
    const [flush, rule] = show(replaceQueueRule({ first: 4720, total: 2 }, true));
    expect(flush).toMatch(/^a08 5 /);
    expect(rule).toMatch(/^a06 c05 /);
    // u16 queuenum 4720 = 0x1270, queues_total, flags (bypass), padding; all in host order.
    expect(rule).toMatch(/0c0003007012020001000000$/);
    expect(show(replaceQueueRule({ first: 1, total: 1 }, false))[1]).toMatch(/0c0003000100010000000000$/);
  });

  it("many elements are cut into messages that an attribute can hold", () => {
    const many = Array.from({ length: 2500 }, (_, i) => parseAddress(`fd00::${(i + 1).toString(16)}`)!);
    const messages = deleteElements("managed6", many);
    expect(messages).toHaveLength(3);
    for (const message of messages) expect(message(1).length).toBeLessThan(0xffff);
    expect(addElements("managed4", [])).toEqual([]);
  });

  it("an endpoint without an address is no element", () => {
    expect(() => addElements("managed4", [unnumberedAddress(3)])).toThrow(RangeError);
  });
});
