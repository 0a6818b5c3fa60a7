/**
 * Which hardware address on an enforced bridge is which network interface's (SG-94). The inventory's word counts where
 * a frame from that address was seen on such a bridge: emulators print addresses that nobody has. Otherwise the
 * neighbour tables tell. Pure.
 */
import type { NetworkInterface } from "../model/ec2.ts";
import { type Address, addressKey } from "../net/address.ts";
import type { ForwardingEntry, Neighbour } from "./neighbours.ts";

export interface SourceBinding {
  /** `aa:bb:…`, lower case. */
  readonly mac: string;
  /** All that it may send from and be sent to. */
  readonly addresses: readonly Address[];
  /** The inventory said so: then nobody else may send from these addresses. A learned one may have moved. */
  readonly isCertain: boolean;
}

/** What a bridge's frames are checked against. */
export interface SourceCheck {
  /** Indexes of the bridges. */
  readonly bridges: readonly number[];
  /** In text order of hardware addresses. */
  readonly bindings: readonly SourceBinding[];
}

export const noSourceCheck: SourceCheck = { bridges: [], bindings: [] };

/** An interface whose own flag is off has no binding, nor has an address that several interfaces seem to have. */
export function bindSources(
  interfaces: readonly NetworkInterface[],
  bridges: readonly number[],
  neighbours: readonly Neighbour[],
  forwarding: readonly ForwardingEntry[],
): SourceCheck {
  const seen = new Set(
    forwarding.filter((e) => e.kind !== "local" && bridges.includes(e.bridgeIndex)).map((e) => e.mac),
  );
  const learned = new Map(
    neighbours.filter((n) => bridges.includes(n.linkIndex)).map((n) => [addressKey(n.address), n.mac]),
  );
  const owners = new Map<string, { readonly networkInterface: NetworkInterface; readonly isCertain: boolean }[]>();
  for (const networkInterface of interfaces) {
    if (!networkInterface.isRunning || networkInterface.addresses.length === 0) continue;
    const { macAddress, addresses } = networkInterface;
    const isCertain = macAddress !== null && seen.has(macAddress);
    const found = isCertain ? [macAddress] : addresses.flatMap((a) => learned.get(addressKey(a)) ?? []);
    for (const mac of new Set(found)) {
      owners.set(mac, [...(owners.get(mac) ?? []), { networkInterface, isCertain }]);
    }
  }
  const bindings = [...owners].flatMap(([mac, [first, ...others]]): SourceBinding[] =>
    first === undefined || others.length > 0 || !first.networkInterface.sourceDestCheck
      ? []
      : [{ mac, addresses: first.networkInterface.addresses, isCertain: first.isCertain }],
  );
  return { bridges, bindings: bindings.sort((a, b) => (a.mac < b.mac ? -1 : 1)) };
}
