/**
 * The text of the table `bridge verdictd`: frames between ports of an enforced bridge that br_netfilter would pass on
 * without showing their packet to `inet verdictd`.
 *
 * It looks through one VLAN tag and no more, and a receiver takes the packet from a frame whose tags are all VLAN 0 as
 * if there were none. So a tag behind a tag ends the frame. The first one may lie beside the frame (hardware offload);
 * nft reads both alike.
 *
 * Source: net/bridge/br_netfilter_hooks.c, net/core/dev.c, net/netfilter/nft_payload.c.
 */
import { BRIDGE_TABLE, bridgeCounters } from "./ruleset-config.ts";
import { renderChain, renderHook } from "./ruleset-parts.ts";

/** The types that Linux takes for a VLAN tag: 802.1Q and 802.1ad. */
const tags = "{ 0x8100, 0x88a8 }";
/** Before br_netfilter (0), which takes the frames that it looks into out of the hook. */
const PRIORITY = -200;

export interface BridgeRules {
  /** False: no bridge is enforced, so no frame is looked at. */
  readonly isOn: boolean;
  /** Indexes of the ports of bridges that aren't ours to filter: a port that is new is looked at until it's known. */
  readonly otherPorts: readonly number[];
}

/** Replaces the table, in one transaction. */
export function renderBridgeTable({ isOn, otherPorts }: BridgeRules): string {
  return [
    `add table ${BRIDGE_TABLE}`,
    `delete table ${BRIDGE_TABLE}`,
    `table ${BRIDGE_TABLE} {`,
    ...(isOn ? [] : ["\tflags dormant"]),
    ...Object.keys(bridgeCounters).map((name) => `\tcounter ${name} {\n\t}`),
    "\tset other_ports {",
    "\t\ttype iface_index",
    ...(otherPorts.length === 0 ? [] : [`\t\telements = { ${otherPorts.join(", ")} }`]),
    "\t}",
    renderChain("forward_first", renderHook("forward", PRIORITY), [
      `@ll,96,16 != ${tags} accept`,
      `@ll,128,16 != ${tags} accept`,
      "iif @other_ports accept",
      "counter name stacked_tags drop",
    ]),
    "}",
    "",
  ].join("\n");
}
