/**
 * The addon that these tests are about, and what one of its slots says in a line. VERDICTD_ADDON names another build,
 * for instance `build/verdictd-asan.node`.
 */
import { createRequire } from "node:module";
import { resolve } from "node:path";
import type { Addon } from "../../src/kernel/addon.ts";
import { loadAddon } from "../../src/kernel/addon-loader.ts";
import { KernelError } from "../../src/kernel/error.ts";
import { Family, formatAddress } from "../../src/net/address.ts";

export function loadTestedAddon(): Addon {
  const path = process.env.VERDICTD_ADDON;
  if (path === undefined) return loadAddon();
  const addon = createRequire(import.meta.url)(resolve(path)) as Addon;
  addon.initialize(KernelError);
  return addon;
}

const protocolNames: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp" };

/**
 * `udp 10.0.0.1:40000 > 10.0.0.2:53`, `tcp 2 …` with the flag byte, `icmp 8/0 …`, a number for other protocols,
 * ` fragment` at the end; or `unparseable`. Fields that must be 0 and aren't are told.
 */
export function showSlot(addon: Addon, words: Uint32Array, index = 0): string {
  const layout = addon.slotLayout;
  const at = layout.headerWords + index * layout.slotWords;
  const word = (offset: number): number => words[at + offset] ?? Number.NaN;
  const flags = word(layout.flags);
  const protocol = word(layout.protocol);
  const family = word(layout.family);
  const ports = [word(layout.sourcePort), word(layout.destinationPort)];
  const icmp = `${word(layout.icmpType)}/${word(layout.icmpCode)}`;
  const tcpFlags = word(layout.tcpFlags);
  const sourceWords = addressWords(words, at + layout.source);
  const destinationWords = addressWords(words, at + layout.destination);
  if (flags & addon.slotFlags.unparseable) {
    const rest = [family, protocol, ...sourceWords, ...destinationWords, ...ports, tcpFlags];
    return rest.every((value) => value === 0) && icmp === "0/0" ? "unparseable" : `unparseable, with ${rest} ${icmp}`;
  }
  const isFragment = (flags & addon.slotFlags.fragment) !== 0;
  const isIcmp = protocol === 1 || protocol === 58;
  const hasPorts = !isFragment && (protocol === 6 || protocol === 17 || protocol === 132);
  const side = (address: readonly number[], port: number | undefined): string => {
    const text = showAddress(family, address);
    if (!hasPorts) return `${text}${port === 0 ? "" : ` with port ${port}`}`;
    return family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
  };
  return [
    protocolNames[protocol] ?? String(protocol),
    ...(protocol === 6 && !isFragment ? [String(tcpFlags)] : tcpFlags === 0 ? [] : [`with TCP flags ${tcpFlags}`]),
    ...(isIcmp && !isFragment ? [icmp] : icmp === "0/0" ? [] : [`with ICMP ${icmp}`]),
    side(sourceWords, ports[0]),
    ">",
    side(destinationWords, ports[1]),
    ...(isFragment ? ["fragment"] : []),
  ].join(" ");
}

function addressWords(words: Uint32Array, at: number): number[] {
  return Array.from(words.subarray(at, at + 4));
}

function showAddress(family: number, [w0 = 0, w1 = 0, w2 = 0, w3 = 0]: readonly number[]): string {
  if (family === 6) return formatAddress({ family: Family.ipv6, w0, w1, w2, w3 });
  const text = formatAddress({ family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3 });
  return family === 4 && (w0 | w1 | w2) === 0 ? text : `${text} of family ${family} with ${[w0, w1, w2]}`;
}
