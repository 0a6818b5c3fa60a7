/**
 * The chains in front of the queue: who is diverted, what the kernel already knows, and what the packet's mark tells
 * the engine (model/mark.ts). Bits of ours that a packet brings along are forgotten first: they could have been set by
 * anyone, or on another host, since a mark outlives encapsulation.
 */
import { ctAccept, markHeld, markIn, markStates } from "../model/mark.ts";
import { everyAccept, type NftMark, settled } from "./nft-mark.ts";
import { QUEUE_CHAIN, type RulesetConfig } from "./ruleset-config.ts";
import { refuseRemembered } from "./ruleset-denials.ts";
import { isOpening, renderBaseChains, renderChain } from "./ruleset-parts.ts";
import { matchUnknown, unknownChains } from "./ruleset-pod-range.ts";

export function renderBeforeQueue(config: RulesetConfig, mark: NftMark): string[] {
  return [
    ...divertChains(config, mark),
    ...unknownChains(config, mark),
    ...renderBaseChains(config, {
      place: "first",
      begin: mark.clearPacket,
      notUnicast: "goto not_unicast",
      before: matchUnknown(config),
      inOutput: ["ct state related jump related"],
      target: "divert",
      end: [],
      endOfOutput: [],
    }),
  ];
}

function divertChains(config: RulesetConfig, mark: NftMark): string[] {
  return [
    // A receiver takes a packet for its own address from a broadcast frame, UDP at least: a way round the policy.
    renderChain("not_unicast", null, [
      "ip daddr @managed4 counter name misdelivered drop",
      "ip6 daddr @managed6 counter name misdelivered drop",
      "ip saddr @managed4 fib daddr type { local, unicast } counter name misdelivered drop",
      "ip6 saddr @managed6 fib daddr type { local, unicast } counter name misdelivered drop",
    ]),
    // What an address's flows were held for isn't told any more where it's somebody else's now.
    renderChain("hand_over", null, [
      `ct mark & ${mark.bits(markHeld.sg | markHeld.k8s)} == 0 goto ask`,
      ...["ip saddr @renewed4", "ip daddr @renewed4", "ip6 saddr @renewed6", "ip6 daddr @renewed6"].map(
        (isRenewed) => `${isRenewed} goto ask`,
      ),
      `${mark.flowHas(markHeld.sg)} ${mark.setPacket(markHeld.sg)}`,
      `${mark.flowHas(markHeld.k8s)} ${mark.setPacket(markHeld.k8s)}`,
      "goto ask",
    ]),
    renderChain("ask", null, ["counter name queued", `goto ${QUEUE_CHAIN}`]),
    renderChain("invalid", null, [mark.setPacket(markStates.invalid), "goto hand_over"]),
    renderChain("untracked", null, [mark.setPacket(markStates.untracked), "goto hand_over"]),
    renderChain("midstream", null, [mark.setPacket(markStates.midstream), "goto hand_over"]),
    // An ICMP error has the entry of the flow that it quotes. One about a denied flow dies with it; the others are
    // judged each time: network ACLs have no notion of them (NA-22), and their mark isn't theirs to write.
    renderChain("related_error", null, [
      ...[mark.flowIsDecided, mark.flowIsInReview].map(
        (isDecided) => `${isDecided} ct mark & ${mark.bits(everyAccept)} == 0 counter name decided_deny drop`,
      ),
      mark.setPacket(markStates.related),
      "goto hand_over",
    ]),
    // An expected connection (FTP data) is born with its master's ct mark and stays `related` until it's answered.
    // Its first packet, which isn't confirmed yet, loses what it inherited: it is judged as any new flow, and the mark
    // that it has afterwards is its own (PL-27).
    renderChain("related", null, [
      "meta l4proto { icmp, ipv6-icmp } return",
      `ct status & confirmed == 0 ${mark.clearFlow}`,
    ]),
    renderChain("decided", null, decidedRules(config, mark)),
    // Held bits are the old connection's: they stay behind.
    renderChain("opening", null, [
      refuseRemembered,
      mark.setPacket(markIn.queued),
      `ct status dnat ${mark.setPacket(markIn.dnat)}`,
      "goto ask",
    ]),
    renderChain("divert", null, [
      "ct state vmap { invalid : goto invalid, untracked : goto untracked, related : jump related }",
      "ct state related meta l4proto { icmp, ipv6-icmp } goto related_error",
      // A SYN begins a connection, whatever its entry was decided for: tracking lets one pass in an entry that it picked
      // up mid-stream, or whose connection the ends have forgotten (PL-26).
      `ct direction original ${isOpening} goto opening`,
      // Not `ct state established`: UDP in one direction never gets there and would be queued for ever.
      `${mark.flowIsDecided} goto decided`,
      `${mark.flowIsInReview} goto in_review`,
      "goto undecided",
    ]),
    // The policies of some addresses have changed: until connection tracking has been searched for their flows, none of
    // these counts as decided. Nobody else's flow is asked about.
    renderChain("in_review", null, [
      "ip saddr @reviewed4 goto undecided",
      "ip daddr @reviewed4 goto undecided",
      "ip6 saddr @reviewed6 goto undecided",
      "ip6 daddr @reviewed6 goto undecided",
      "goto decided",
    ]),
    renderChain("undecided", null, [
      "ct state new tcp flags & syn == 0 goto midstream",
      refuseRemembered,
      mark.setPacket(markIn.queued),
      `ct direction reply ${mark.setPacket(markIn.reply)}`,
      `ct status dnat ${mark.setPacket(markIn.dnat)}`,
      "goto hand_over",
    ]),
  ];
}

function decidedRules(config: RulesetConfig, mark: NftMark): string[] {
  const accept = `${mark.setPacket(settled)} counter name decided_accept accept`;
  // A flow that was cut tells both its ends. A packet that a stateless policy refuses, in a flow that stands, is
  // dropped without a word, as a network ACL does.
  const reset = `ct mark & ${mark.bits(everyAccept)} == 0 meta l4proto tcp reject with tcp reset`;
  return [
    `${mark.flowHas(ctAccept.original)} ct direction original ${accept}`,
    `${mark.flowHas(ctAccept.reply)} ct direction reply ${accept}`,
    "counter name decided_deny",
    ...(config.hook === "postrouting" ? [] : [reset]),
    "drop",
  ];
}
