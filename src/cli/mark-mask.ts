/** `--mark-mask`, as `run` and `remove` know it. */
import { type MarkLayout, markLayout } from "../model/mark.ts";

export const MARK_MASK_DEFAULT = "0xff000000";
export const MARK_MASK_HELP = "eight neighbouring bits of packet mark and ct mark";

/** The layout, or what is wrong. */
export function parseMarkMask(text: string): MarkLayout | string {
  const mark = markLayout(/^(0x[0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : 0);
  return mark ?? `--mark-mask ${text}: eight neighbouring bits, such as ${MARK_MASK_DEFAULT}`;
}
