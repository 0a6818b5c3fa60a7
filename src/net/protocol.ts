/** IP protocol numbers (IANA "Assigned Internet Protocol Numbers") that the policies name. */
export const Protocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

const NAMES = new Map<number, string>(Object.entries(Protocol).map(([name, number]) => [number, name]));

/** `tcp` for 6; the number as text where it has no name here. */
export function formatProtocol(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}

/** Case-insensitive name or decimal number 0–255; null for anything else. */
export function parseProtocol(text: string): number | null {
  const lower = text.toLowerCase();
  if (Object.hasOwn(Protocol, lower)) return Protocol[lower as keyof typeof Protocol];
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255 ? Number(text) : null;
}

/** TCP, UDP and SCTP: the protocols whose ports every policy language here can name. */
export function hasPorts(protocol: number): boolean {
  return protocol === Protocol.tcp || protocol === Protocol.udp || protocol === Protocol.sctp;
}

export function isIcmp(protocol: number): boolean {
  return protocol === Protocol.icmp || protocol === Protocol.icmpv6;
}
