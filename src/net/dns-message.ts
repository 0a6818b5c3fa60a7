/**
 * What DNS is asked for addresses, and what it answers: the name that was asked for, and what it leads to through the aliases
 * of the same message. Bytes of anybody: it throws nothing, follows no loop, and takes nothing from a message that isn't whole.
 * Source: RFC 1035 4.1, RFC 3596 2, RFC 2181 8.
 */
import { type Address, Family } from "./address.ts";

export interface DnsQuestion {
  readonly id: number;
  /** A or AAAA. */
  readonly type: number;
  /** Lower case, without a dot at its end. */
  readonly name: string;
}

export interface DnsAnswer extends DnsQuestion {
  /** Each once. */
  readonly addresses: readonly Address[];
  /** The shortest one of all that led to the addresses. */
  readonly ttlSeconds: number;
}

const HEADER_BYTES = 12;
const NAME_BYTES = 255;
/** Of aliases; resolvers give up sooner. */
const CHAIN = 16;

const Type = { a: 1, cname: 5, aaaa: 28 } as const;
const CLASS_INTERNET = 1;

interface Alias {
  readonly target: string | null;
  readonly ttl: number;
}

interface Found {
  readonly owner: string;
  readonly address: Address;
  readonly ttl: number;
}

/** Whether it's sent to a server: whatever is no query is an answer. */
export function isDnsQuery(bytes: Uint8Array): boolean {
  return ((bytes[2] ?? 0x80) & 0x80) === 0;
}

/** Null: it doesn't ask for addresses of a name. */
export function readDnsQuery(bytes: Uint8Array): DnsQuestion | null | "malformed" {
  return orMalformed(() => readQuestion(new Reader(bytes), 0));
}

/** Null: it tells of no address. */
export function readDnsAnswer(bytes: Uint8Array): DnsAnswer | null | "malformed" {
  return orMalformed(() => readAnswer(new Reader(bytes)));
}

function orMalformed<T>(read: () => T): T | "malformed" {
  try {
    return read();
  } catch (error) {
    if (error === malformed) return "malformed";
    throw error;
  }
}

const malformed = new Error("not a DNS message");

/** The header and the one question, where it's an ordinary one without an error; the reader stands behind it. */
function readQuestion(reader: Reader, isAnswer: 0 | 1): DnsQuestion | null {
  if (reader.length < HEADER_BYTES) throw malformed;
  const flags = reader.uint16(2);
  // One that was cut short counts as far as it goes: some take it so.
  if (flags >>> 15 !== isAnswer || (flags & 0x7800) !== 0 || (flags & 0x000f) !== 0) return null;
  if (reader.uint16(4) !== 1) return null;
  reader.at = HEADER_BYTES;
  const name = reader.name();
  const type = reader.next16();
  const isInternet = reader.next16() === CLASS_INTERNET;
  if (name === null || !isInternet || (type !== Type.a && type !== Type.aaaa)) return null;
  return { id: reader.uint16(0), type, name };
}

function readAnswer(reader: Reader): DnsAnswer | null {
  const question = readQuestion(reader, 1);
  if (question === null) return null;
  const aliases = new Map<string, Alias>();
  const found: Found[] = [];
  for (let i = reader.uint16(6); i > 0; i--) readRecord(reader, question.type, aliases, found);
  return follow(question, aliases, found);
}

function readRecord(reader: Reader, wanted: number, aliases: Map<string, Alias>, found: Found[]): void {
  const owner = reader.name();
  const type = reader.next16();
  const isInternet = reader.next16() === CLASS_INTERNET;
  const ttl = readTtl(reader.next32());
  const size = reader.next16();
  const end = reader.at + size;
  if (end > reader.length) throw malformed;
  if (isInternet && owner !== null) {
    if (type === Type.cname) {
      aliases.set(owner, { target: reader.name(), ttl });
      if (reader.at !== end) throw malformed;
    } else if (type === wanted) {
      found.push({ owner, address: readAddress(reader, type, size), ttl });
    }
  }
  reader.at = end;
}

function readAddress(reader: Reader, type: number, size: number): Address {
  if (size !== (type === Type.a ? 4 : 16)) throw malformed;
  if (type === Type.a) return { family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: reader.next32() };
  const [w0, w1, w2, w3] = [reader.next32(), reader.next32(), reader.next32(), reader.next32()];
  return { family: Family.ipv6, w0, w1, w2, w3 };
}

/** RFC 2181 8: one with its highest bit set is 0. */
function readTtl(value: number): number {
  return value >= 2 ** 31 ? 0 : value;
}

/** Records come in any order, so the aliases are followed when all are known. */
function follow(question: DnsQuestion, aliases: ReadonlyMap<string, Alias>, found: readonly Found[]): DnsAnswer | null {
  const addresses = new Map<string, Address>();
  let ttlSeconds = Number.POSITIVE_INFINITY;
  let chainTtl = Number.POSITIVE_INFINITY;
  let name: string | null = question.name;
  for (let step = 0; name !== null && step <= CHAIN; step++) {
    for (const { owner, address, ttl } of found) {
      if (owner !== name) continue;
      addresses.set(`${address.w0} ${address.w1} ${address.w2} ${address.w3}`, address);
      ttlSeconds = Math.min(ttlSeconds, chainTtl, ttl);
    }
    const alias: Alias | undefined = aliases.get(name);
    chainTtl = Math.min(chainTtl, alias?.ttl ?? 0);
    name = alias?.target ?? null;
  }
  return addresses.size === 0 ? null : { ...question, addresses: [...addresses.values()], ttlSeconds };
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  uint16(at: number): number {
    if (at + 2 > this.#bytes.length) throw malformed;
    return (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  next16(): number {
    const value = this.uint16(this.at);
    this.at += 2;
    return value;
  }

  next32(): number {
    return this.next16() * 65536 + this.next16();
  }

  /** Null for one that no rule could name: with other letters than host names and services have, or the root. */
  name(): string | null {
    const labels: string[] = [];
    let isSayable = true;
    let bytes = 1;
    let at = this.at;
    let end = -1;
    /** A pointer leads to something before all that was read of the name, so there is an end to it. */
    let first = at;
    for (;;) {
      if (at >= this.#bytes.length) throw malformed;
      const size = this.#byte(at);
      if (size === 0) break;
      if ((size & 0xc0) === 0xc0) {
        const target = this.uint16(at) & 0x3fff;
        if (target >= first) throw malformed;
        if (end < 0) end = at + 2;
        first = target;
        at = target;
        continue;
      }
      bytes += size + 1;
      if ((size & 0xc0) !== 0 || bytes > NAME_BYTES || at + 1 + size > this.#bytes.length) throw malformed;
      const label = this.#label(at + 1, size);
      isSayable &&= label !== null;
      labels.push(label ?? "");
      at += 1 + size;
    }
    this.at = end < 0 ? at + 1 : end;
    return isSayable && labels.length > 0 ? labels.join(".") : null;
  }

  #label(at: number, size: number): string | null {
    let text = "";
    for (let i = at; i < at + size; i++) {
      const code = this.#byte(i);
      const isUpper = code >= 65 && code <= 90;
      const isHost = isUpper || (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 45 || code === 95;
      if (!isHost) return null;
      text += String.fromCharCode(isUpper ? code + 32 : code);
    }
    return text;
  }

  #byte(at: number): number {
    return this.#bytes[at] as number;
  }
}
