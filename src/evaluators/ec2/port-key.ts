/**
 * The part of a packet that EC2 rules compare beside protocol and address, as one 16-bit key: the destination port of
 * TCP and UDP, type and code of ICMP. An ICMP type with all its codes is then a range of keys, like a range of ports.
 */
import type { FlowView } from "../../model/flow.ts";
import { isIcmp } from "../../net/protocol.ts";

/** Inclusive. */
export interface KeyRange {
  readonly from: number;
  readonly to: number;
}

const LAST = 0xffff;

/** The key of a packet that isn't a later fragment. Never allocates. */
export function portKey(view: FlowView): number {
  return isIcmp(view.protocol) ? (view.icmpType << 8) | view.icmpCode : view.destinationPort;
}

/** Null where every packet of the protocol matches, later fragments included (SG-91, NA-23). */
export function keyRanges(
  ports: KeyRange | null,
  icmp: { readonly type: number | null; readonly code: number | null } | null,
): readonly KeyRange[] | null {
  if (ports) return ports.from === 0 && ports.to === LAST ? null : [ports];
  if (!icmp || (icmp.type === null && icmp.code === null)) return null;
  const { type, code } = icmp;
  if (type !== null) return [{ from: (type << 8) | (code ?? 0), to: (type << 8) | (code ?? 0xff) }];
  return Array.from({ length: 256 }, (_, t) => ({
    from: (t << 8) | (code as number),
    to: (t << 8) | (code as number),
  }));
}

/** True iff a rule of this protocol and these ranges matches the packet, its addresses aside. */
export function coversPacket(protocol: number | null, ranges: readonly KeyRange[] | null, view: FlowView): boolean {
  if (protocol !== null && protocol !== view.protocol) return false;
  if (ranges === null) return true;
  if (view.isFragment) return false;
  const key = portKey(view);
  return ranges.some((r) => r.from <= key && key <= r.to);
}
