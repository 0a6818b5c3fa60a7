/**
 * Which bridges are filtered inside: those that carry a managed subnet, known by an address of the bridge whose network
 * holds a managed address, those that carry a part of the pods' range, and those that are named. A bridge without an
 * address can't be known to carry one.
 */

import type { Address } from "../net/address.ts";
import { containsAddress, maskAddress, type Prefix } from "../net/prefix.ts";
import type { Link, LinkAddress } from "./links.ts";

/** Names, in the order of the links. `managed` may be all packets: then every bridge is filtered. */
export function bridgesToEnforce(
  links: readonly Link[],
  addresses: readonly LinkAddress[],
  managed: readonly Address[] | "all",
  podRange: readonly Prefix[],
  named: readonly string[],
): string[] {
  const bridges = links.filter((link) => link.bridgeFilter !== null);
  const found = bridges.filter((link) => managed === "all" || named.includes(link.name) || carries(link));
  return [...found.map((link) => link.name), ...named.filter((name) => !found.some((link) => link.name === name))];

  function carries(link: Link): boolean {
    const networks = addresses
      .filter((a) => a.linkIndex === link.index)
      .map((a) => ({ address: maskAddress(a.address, a.prefixLength), length: a.prefixLength }));
    return networks.some(
      (network) =>
        (managed !== "all" && managed.some((address) => containsAddress(network, address))) ||
        podRange.some((range) => containsAddress(network, range.address) || containsAddress(range, network.address)),
    );
  }
}
