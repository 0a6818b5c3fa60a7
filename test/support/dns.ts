/** DNS messages for tests: what a server of theirs says, and what nobody should. */
import { type Address, Family, parseAddress } from "../../src/net/address.ts";

export const DnsType = { a: 1, cname: 5, txt: 16, aaaa: 28 } as const;

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly ttl?: number;
  /** An address or a name as text; bytes for anything else. */
  readonly data: string | Uint8Array;
}

export interface DnsMessage {
  readonly id?: number;
  /** 0x8180 unless told: an answer, recursion desired and available. */
  readonly flags?: number;
  readonly question: string | null;
  readonly type?: number;
  readonly answers?: readonly DnsRecord[];
}

export function encodeDns({ id = 1, flags = 0x8180, question, type = DnsType.a, answers = [] }: DnsMessage): Buffer {
  const parts = [uint16(id, flags, question === null ? 0 : 1, answers.length, 0, 0)];
  if (question !== null) parts.push(encodeName(question), uint16(type, 1));
  for (const { name, type: kind, ttl = 60, data } of answers) {
    // A name that is the question's is a pointer to it, as servers write it.
    const owner = name === question ? uint16(0xc00c) : encodeName(name);
    const bytes = encodeData(kind, data);
    parts.push(owner, uint16(kind, 1, ttl >>> 16, ttl & 0xffff, bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

export function encodeName(name: string): Buffer {
  const labels = name.replace(/\.$/, "").split(".");
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")])),
    Buffer.from([0]),
  ]);
}

/** The question's name as it was written, and its type. */
export function readQuestion(query: Uint8Array): { readonly id: number; readonly name: string; readonly type: number } {
  const bytes = Buffer.from(query);
  const labels: string[] = [];
  let at = 12;
  for (let size = bytes[at] ?? 0; size > 0; size = bytes[at] ?? 0) {
    labels.push(bytes.toString("latin1", at + 1, at + 1 + size));
    at += size + 1;
  }
  return { id: bytes.readUInt16BE(0), name: labels.join("."), type: bytes.readUInt16BE(at + 1) };
}

/** As TCP carries it. */
export function withLength(message: Uint8Array): Buffer {
  return Buffer.concat([uint16(message.length), message]);
}

export function uint16(...numbers: readonly number[]): Buffer {
  return Buffer.concat(numbers.map((number) => Buffer.from([number >>> 8, number & 255])));
}

function encodeData(type: number, data: string | Uint8Array): Buffer {
  if (typeof data !== "string") return Buffer.from(data);
  if (type === DnsType.cname) return encodeName(data);
  return bytesOf(parseAddress(data) as Address);
}

function bytesOf({ family, w0, w1, w2, w3 }: Address): Buffer {
  const words = family === Family.ipv4 ? [w3] : [w0, w1, w2, w3];
  return Buffer.concat(words.map((word) => uint16(word >>> 16, word & 0xffff)));
}
