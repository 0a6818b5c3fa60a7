/**
 * The mark byte of model/mark.ts as nft writes it: literals shifted to where the layout has them. Statements touch our
 * byte alone; every other bit of a packet mark or ct mark belongs to somebody else.
 */
import { ctAccept, type MarkLayout, markEpochMask, markVerdict } from "../model/mark.ts";

/** Literals and statements for one layout. */
export interface NftMark {
  /** `0x10000000` for byte 0x10. */
  bits(byte: number): string;
  /** Clears our byte of the packet mark, or of the ct mark. */
  readonly clearPacket: string;
  readonly clearFlow: string;
  /** Sets bits of the packet mark, or of the ct mark. */
  setPacket(byte: number): string;
  setFlow(byte: number): string;
  /** True iff all of these bits are set. */
  packetHas(byte: number): string;
  flowHas(byte: number): string;
  /** The ct mark carries an epoch whose decisions count. */
  readonly flowIsDecided: string;
  /** It carries one whose decisions count, but for addresses in review. */
  readonly flowIsInReview: string;
}

export function nftMark({ shift, mask }: MarkLayout): NftMark {
  const hex = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
  const bits = (byte: number): string => hex(byte << shift);
  const others = hex(~mask);
  return {
    bits,
    clearPacket: `meta mark set meta mark & ${others}`,
    clearFlow: `ct mark set ct mark & ${others}`,
    setPacket: (byte) => `meta mark set meta mark | ${bits(byte)}`,
    setFlow: (byte) => `ct mark set ct mark | ${bits(byte)}`,
    packetHas: (byte) => `meta mark & ${bits(byte)} == ${bits(byte)}`,
    flowHas: (byte) => `ct mark & ${bits(byte)} == ${bits(byte)}`,
    flowIsDecided: `ct mark & ${bits(markEpochMask)} @epoch`,
    flowIsInReview: `ct mark & ${bits(markEpochMask)} @reviewed_epoch`,
  };
}

export const everyAccept = ctAccept.original | ctAccept.reply;
/** The byte of a packet that needs no copying: verdict `acceptThis`, epoch 0, no held bits. */
export const settled = markVerdict.acceptThis;
