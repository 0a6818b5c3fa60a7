/**
 * IP packets as hex and what the parser says of them. Those marked `lo` were sent by Linux 6.18's own stack over a
 * loopback of MTU 1500 and caught by an AF_PACKET socket (Python's socket module set the options), cut after the part
 * that matters; the others are put together here from the RFCs, with what is being tried in the name.
 */
import { ipPacket, udp } from "../support/raw-packet.ts";

export interface ParsedPacket {
  readonly name: string;
  readonly hex: string;
  readonly says: string;
}

const v4 = (protocol: number, payload: readonly number[]): string =>
  hex(ipPacket("10.0.0.1", "10.0.0.2", protocol, payload));
const v6 = (nextHeader: number, payload: readonly number[]): string =>
  hex(ipPacket("fd00::1", "fd00::2", nextHeader, payload));
const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");

const tcpSyn = [0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0];
const sctpInit = [0x9c, 0x40, 0x0f, 0x1c, 0, 0, 0, 0, 1, 2, 3, 4, 1, 0, 0, 4];
const ports = udp(40000, 53);

/** An extension header of `units` times eight bytes, all options padding (Pad1). */
const options = (next: number, units = 1): number[] => [next, units - 1, ...new Array<number>(units * 8 - 2).fill(0)];
const fragment = (next: number, offset: number, more: boolean): number[] => [
  ...[next, 0, (offset >> 5) & 0xff, ((offset << 3) & 0xf8) | (more ? 1 : 0)],
  ...[0, 0, 0, 7],
];
const authentication = (next: number, words: number): number[] => [
  next,
  words - 2,
  ...new Array<number>(words * 4 - 2).fill(9),
];

const HOP = 0;
const TCP = 6;
const UDP = 17;
const ROUTING = 43;
const FRAGMENT = 44;
const ESP = 50;
const AH = 51;
const ICMPV6 = 58;
const NONE = 59;
const DESTINATION = 60;
const MOBILITY = 135;

export const packets: readonly ParsedPacket[] = [
  {
    name: "lo: UDP",
    hex: "4500001de44c4000401158817f0000017f0000019c4000350009fe1c78",
    says: "udp 127.0.0.1:40000 > 127.0.0.1:53",
  },
  {
    name: "lo: UDP over IPv6",
    hex: "60054c660009114000000000000000000000000000000001000000000000000000000000000000019c4000350009001c78",
    says: "udp [::1]:40000 > [::1]:53",
  },
  {
    name: "lo: TCP SYN with options",
    hex: "4500003cf9364000400643837f0000017f0000019c411f902c53544b00000000a002ffd7fe3000000204ffd70402080a7c693d20000000000103030a",
    says: "tcp 2 127.0.0.1:40001 > 127.0.0.1:8080",
  },
  {
    name: "lo: TCP SYN ACK",
    hex: "4500003c0000400040063cba7f0000017f0000011f909c41ccd1c8a22c53544ca012ffcbfe3000000204ffd70402080ac2f4850f7c693d200103030a",
    says: "tcp 18 127.0.0.1:8080 > 127.0.0.1:40001",
  },
  {
    name: "lo: TCP FIN ACK",
    hex: "45000034f9384000400643897f0000017f0000019c411f902c53544cccd1c8a380110040fe2800000101080a7c693d20c2f4850f",
    says: "tcp 17 127.0.0.1:40001 > 127.0.0.1:8080",
  },
  {
    name: "lo: TCP RST over IPv6",
    hex: "600a00e60014064000000000000000000000000000000001000000000000000000000000000000011f909c41000000003c92766650140000001c0000",
    says: "tcp 20 [::1]:8080 > [::1]:40001",
  },
  {
    name: "lo: ping, cut by the copy range",
    hex: "450000544d4c40004001ef5a7f0000017f0000010800c6ff54e900019e78016b",
    says: "icmp 8/0 127.0.0.1 > 127.0.0.1",
  },
  {
    name: "lo: ping over IPv6, cut",
    hex: "6002ee1700403a4000000000000000000000000000000001000000000000000000000000000000018000f776550000019f78016b",
    says: "icmpv6 128/0 ::1 > ::1",
  },
  {
    name: "lo: ICMP port unreachable: its own type, not the quoted packet's ports",
    hex: "45c000394c98000040012f6a7f0000017f0000010303ea60000000004500001de44c4000401158817f0000017f0000019c4000350009fe1c78",
    says: "icmp 3/3 127.0.0.1 > 127.0.0.1",
  },
  {
    name: "lo: ICMPv6 port unreachable",
    hex: "600fe64600393a40000000000000000000000000000000010000000000000000000000000000000101042c350000000060054c6600091140",
    says: "icmpv6 1/4 ::1 > ::1",
  },
  {
    name: "lo: IPv4 options (record route)",
    hex: "48000029e50940004011442e7f0000017f000001070b087f00000100000000009c4200350009fe1c78",
    says: "udp 127.0.0.1:40002 > 127.0.0.1:53",
  },
  {
    name: "lo: IPv4 first fragment: it has the ports",
    hex: "450005dce5622000401171ac7f0000017f0000019c4300350bc08a2f4646464646464646",
    says: "udp 127.0.0.1:40003 > 127.0.0.1:53",
  },
  {
    name: "lo: IPv4 middle fragment: bytes that look like ports are none (T-56, SG-91)",
    hex: "450005dce56220b9401170f37f0000017f0000014646464646464646",
    says: "udp 127.0.0.1 > 127.0.0.1 fragment",
  },
  {
    name: "lo: IPv4 last fragment (T-56, SG-91)",
    hex: "45000044e5620172401195d27f0000017f0000014646464646464646",
    says: "udp 127.0.0.1 > 127.0.0.1 fragment",
  },
  {
    name: "lo: IPv6 first fragment: it has the ports",
    hex: "6003866505b02c4000000000000000000000000000000001000000000000000000000000000000011100000121927a8f9c4300350bc0883046464646",
    says: "udp [::1]:40003 > [::1]:53",
  },
  {
    name: "lo: IPv6 middle fragment (T-56, SG-91)",
    hex: "6003866505b02c400000000000000000000000000000000100000000000000000000000000000001110005a921927a8f4646464646464646",
    says: "udp ::1 > ::1 fragment",
  },
  {
    name: "lo: IPv6 last fragment (T-56, SG-91)",
    hex: "6003866500782c40000000000000000000000000000000010000000000000000000000000000000111000b5021927a8f4646464646464646",
    says: "udp ::1 > ::1 fragment",
  },
  {
    name: "lo: hop-by-hop options (router alert), UDP (T-55, PL-9)",
    hex: "6009efa300110040000000000000000000000000000000010000000000000000000000000000000111000502000001009c4400350009eb6078",
    says: "udp [::1]:40004 > [::1]:53",
  },
  {
    name: "lo: destination options, UDP (T-55, PL-9)",
    hex: "6009efa300113c40000000000000000000000000000000010000000000000000000000000000000111000104000000009c4400350009eb6078",
    says: "udp [::1]:40004 > [::1]:53",
  },
  {
    name: "lo: segment routing header, UDP (T-55, PL-9)",
    hex: "6009efa300312b400000000000000000000000000000000100000000000000000000000000000001110404010100000000000000000000000000000000000001000000000000000000000000000000019c4400350009eb6078",
    says: "udp [::1]:40004 > [::1]:53",
  },
  {
    name: "lo: hop-by-hop and destination options, TCP SYN to 80 (T-55, PL-9)",
    hex: "600491be0038004000000000000000000000000000000001000000000000000000000000000000013c0005020000010006000104000000009c450050296c73ab00000000a002fd2000300000020405a00402080a66cc98e5000000000103030a",
    says: "tcp 2 [::1]:40005 > [::1]:80",
  },
  {
    name: "lo: UDP-Lite is a protocol of its own, without ports for us",
    hex: "4500001d972a40004088a52c7f0000017f0000019c4700350009ece578",
    says: "136 127.0.0.1 > 127.0.0.1",
  },

  { name: "SCTP INIT", hex: v4(132, sctpInit), says: "sctp 10.0.0.1:40000 > 10.0.0.2:3868" },
  { name: "SCTP INIT over IPv6", hex: v6(132, sctpInit), says: "sctp [fd00::1]:40000 > [fd00::2]:3868" },
  { name: "GRE", hex: v4(47, [0, 0, 8, 0]), says: "47 10.0.0.1 > 10.0.0.2" },
  { name: "IPv4 with nothing in it", hex: v4(253, []), says: "253 10.0.0.1 > 10.0.0.2" },
  {
    name: "the highest addresses and ports",
    hex: hex(ipPacket("255.255.255.255", "255.255.255.254", UDP, udp(65535, 65534))),
    says: "udp 255.255.255.255:65535 > 255.255.255.254:65534",
  },
  {
    name: "IPv4-mapped addresses in an IPv6 packet stay IPv6 (DEF-4)",
    hex: `6000000000091140${"00000000000000000000ffff0a000001"}${"00000000000000000000ffff0a000002"}${hex(ports)}`,
    says: "udp [::ffff:a00:1]:40000 > [::ffff:a00:2]:53",
  },
  {
    name: "padding after the packet's end is not part of it",
    hex: `${v4(UDP, ports)}ffffffffffff`,
    says: "udp 10.0.0.1:40000 > 10.0.0.2:53",
  },
  {
    name: "IPv4 total length 0: a merged packet beyond 64 KiB",
    hex: v4(UDP, ports).replace(/^45000.../, "45000000"),
    says: "udp 10.0.0.1:40000 > 10.0.0.2:53",
  },
  {
    name: "IPv6 payload length 0: a merged packet beyond 64 KiB",
    hex: v6(UDP, ports).replace(/^60000000..../, "600000000000"),
    says: "udp [fd00::1]:40000 > [fd00::2]:53",
  },

  {
    name: "AH, then TCP (PL-9)",
    hex: v6(AH, [...authentication(TCP, 6), ...tcpSyn]),
    says: "tcp 2 [fd00::1]:40000 > [fd00::2]:80",
  },
  {
    name: "AH with a length that is no multiple of eight",
    hex: v6(AH, [...authentication(UDP, 5), ...ports]),
    says: "udp [fd00::1]:40000 > [fd00::2]:53",
  },
  { name: "ESP: what it hides is not guessed at", hex: v6(ESP, ports), says: "50 fd00::1 > fd00::2" },
  { name: "ESP over IPv4", hex: v4(ESP, ports), says: "50 10.0.0.1 > 10.0.0.2" },
  {
    name: "AH over IPv4 is the protocol, as nft's l4proto has it",
    hex: v4(AH, [...authentication(TCP, 6), ...tcpSyn]),
    says: "51 10.0.0.1 > 10.0.0.2",
  },
  { name: "no next header", hex: v6(NONE, []), says: "59 fd00::1 > fd00::2" },
  { name: "a mobility header is a protocol", hex: v6(MOBILITY, options(NONE)), says: "135 fd00::1 > fd00::2" },
  {
    name: "every extension header at once (T-55, PL-9)",
    hex: v6(HOP, [
      ...options(DESTINATION),
      ...options(ROUTING, 3),
      ...options(FRAGMENT, 3),
      ...fragment(AH, 0, false),
      ...authentication(DESTINATION, 6),
      ...options(TCP, 2),
      ...tcpSyn,
    ]),
    says: "tcp 2 [fd00::1]:40000 > [fd00::2]:80",
  },
  {
    name: "the longest options header",
    hex: v6(DESTINATION, [...options(UDP, 256), ...ports]),
    says: "udp [fd00::1]:40000 > [fd00::2]:53",
  },
  {
    name: "an atomic fragment is a whole packet (RFC 6946)",
    hex: v6(FRAGMENT, [...fragment(ICMPV6, 0, false), 128, 0, 0, 0, 0, 1, 0, 1]),
    says: "icmpv6 128/0 fd00::1 > fd00::2",
  },
  {
    name: "a later fragment shorter than an ICMP header (T-56, SG-91)",
    hex: v6(FRAGMENT, [...fragment(ICMPV6, 100, false), 1]),
    says: "icmpv6 fd00::1 > fd00::2 fragment",
  },
  {
    name: "a later IPv4 fragment shorter than an ICMP header (T-56, SG-91)",
    hex: v4(1, [8]).replace(/^(.{12})..../, "$10010"),
    says: "icmp 10.0.0.1 > 10.0.0.2 fragment",
  },
  {
    name: "a later IPv4 fragment without a byte (T-56, SG-91)",
    hex: v4(TCP, []).replace(/^(.{12})..../, "$13fff"),
    says: "tcp 10.0.0.1 > 10.0.0.2 fragment",
  },
  {
    name: "a fragment at offset 8: the attack on the flags of RFC 3128",
    hex: v4(TCP, tcpSyn).replace(/^(.{12})..../, "$12001"),
    says: "tcp 10.0.0.1 > 10.0.0.2 fragment",
  },

  { name: "nothing at all (PL-9)", hex: "", says: "unparseable" },
  { name: "one byte (PL-9)", hex: "45", says: "unparseable" },
  { name: "version 5 (PL-9)", hex: v4(UDP, ports).replace(/^4/, "5"), says: "unparseable" },
  { name: "version 0 (PL-9)", hex: v4(UDP, ports).replace(/^4/, "0"), says: "unparseable" },
  {
    name: "an ARP request (PL-9)",
    hex: "0001080006040001020000000001c0a80001000000000000c0a80002",
    says: "unparseable",
  },
  { name: "IPv4 header length 16 (PL-9)", hex: v4(UDP, ports).replace(/^45/, "44"), says: "unparseable" },
  { name: "IPv4 header longer than the bytes (PL-9)", hex: v4(UDP, ports).replace(/^45/, "4f"), says: "unparseable" },
  {
    name: "IPv4 header longer than its total length (PL-9)",
    hex: v4(UDP, [...ports, ...ports, ...ports, ...ports]).replace(/^45000.../, "4f000030"),
    says: "unparseable",
  },
  { name: "IPv4 total length 19 (PL-9)", hex: v4(UDP, ports).replace(/^45000.../, "45000013"), says: "unparseable" },
  {
    name: "UDP header beyond the total length, in padding (PL-9)",
    hex: v4(UDP, ports).replace(/^45000.../, "45000014"),
    says: "unparseable",
  },
  {
    name: "a first fragment that cuts the TCP header (RFC 1858; PL-9)",
    hex: v4(TCP, tcpSyn.slice(0, 8)).replace(/^(.{12})..../, "$12000"),
    says: "unparseable",
  },
  { name: "ICMP of three bytes (PL-9)", hex: v4(1, [8, 0, 0]), says: "unparseable" },
  { name: "ICMPv6 of three bytes (PL-9)", hex: v6(ICMPV6, [128, 0, 0]), says: "unparseable" },
  { name: "SCTP of eleven bytes (PL-9)", hex: v4(132, sctpInit.slice(0, 11)), says: "unparseable" },
  {
    name: "options header beyond the packet (PL-9)",
    hex: v6(HOP, [UDP, 200, 0, 0, 0, 0, 0, 0, ...ports]),
    says: "unparseable",
  },
  { name: "AH beyond the packet (PL-9)", hex: v6(AH, [UDP, 255, 0, 0, 0, 0, 0, 0, ...ports]), says: "unparseable" },
  {
    name: "options header of which six bytes are there (PL-9)",
    hex: v6(DESTINATION, [UDP, 0, 0, 0, 0, 0]),
    says: "unparseable",
  },
  {
    name: "UDP header beyond the payload length, in padding (PL-9)",
    hex: v6(UDP, ports).replace(/^60000000..../, "600000000007"),
    says: "unparseable",
  },
  {
    name: "a chain of 300 options headers costs little and says nothing (PL-9)",
    hex: v6(DESTINATION, [...new Array<number[]>(300).fill(options(DESTINATION)).flat(), ...options(UDP), ...ports]),
    says: "unparseable",
  },
];
