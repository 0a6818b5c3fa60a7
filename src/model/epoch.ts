/**
 * The number of a published program. Users see it grow; the ct mark holds it modulo 15 as 1 … 15, and 0 means "never
 * decided" (see mark.ts). A value is swept from connection tracking before it is used again.
 */
export function epochBits(epoch: number): number {
  return epoch <= 0 ? 0 : ((epoch - 1) % 15) + 1;
}
