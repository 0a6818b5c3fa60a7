/**
 * The chains behind the queue: they read the engine's answer from the packet mark, write it into the ct mark, and drop
 * what carries no answer. A packet that never was in the queue comes here too, so this is where the table fails closed:
 * whatever another table did to the mark in between, nothing managed passes without an accept.
 */
import { ctAccept, markEpochMask, markHeld, markIn, markVerdict } from "../model/mark.ts";
import { renderTimeoutChains, useTimeouts } from "./flow-timeouts.ts";
import { everyAccept, type NftMark, settled } from "./nft-mark.ts";
import { NAMES_CHAIN, type RulesetConfig } from "./ruleset-config.ts";
import { rememberDenial } from "./ruleset-denials.ts";
import { renderBaseChains, renderChain } from "./ruleset-parts.ts";
import { matchWaiting } from "./ruleset-pod-range.ts";

const isDns = "meta l4proto { tcp, udp } ct original proto-dst 53";
const isError = "ct state related meta l4proto { icmp, ipv6-icmp }";

export function renderAfterQueue(config: RulesetConfig, mark: NftMark): string[] {
  return [
    ...concludeChains(config, mark),
    ...renderBaseChains(config, {
      place: "last",
      begin: `meta mark & ${mark.bits(0xff)} == ${mark.bits(settled)} goto pass`,
      notUnicast: "accept",
      before: matchWaiting(config, mark),
      inOutput: [],
      target: "conclude",
      end: [mark.clearPacket],
      // Answers of this host, which NP-56 lets out: to pods that ask a server on their node.
      endOfOutput: [`ct direction reply ${isDns} goto answer`, "ct state untracked goto untracked_dns"],
    }),
  ];
}

function concludeChains(config: RulesetConfig, mark: NftMark): string[] {
  const { untouched, acceptThis, acceptBoth, deny } = markVerdict;
  const epochs = Array.from({ length: 15 }, (_, index) => index + 1);
  const verdict = `meta mark & ${mark.bits(deny)}`;
  return [
    // Every packet of ours that goes on comes through here, so that DNS is observed only once its flow has been judged. By
    // the port that was asked: a Service's may lead to another one.
    renderChain("pass", null, [mark.clearPacket, `${isDns} goto dns`, "accept"]),
    renderChain("pass_untracked", null, [mark.clearPacket, "goto untracked_dns"]),
    renderChain("dns", null, ["ct direction original goto query", "goto answer"]),
    renderChain("untracked_dns", null, [
      "meta l4proto { tcp, udp } th dport 53 goto query",
      "meta l4proto { tcp, udp } th sport 53 goto answer",
      "accept",
    ]),
    ...[
      ["query", "saddr"],
      ["answer", "daddr"],
    ].map(([name = "", pod]) =>
      renderChain(name, null, [
        `ip ${pod} @answered4 goto ${NAMES_CHAIN}`,
        `ip6 ${pod} @answered6 goto ${NAMES_CHAIN}`,
        "accept",
      ]),
    ),
    // One chain for each epoch, because nft can't OR two marks on kernels before 6.13.
    ...epochs.map((epoch) => renderChain(`epoch_${epoch}`, null, [mark.setFlow(epoch)])),
    // The epoch comes last: until it is there the flow is undecided, so nobody can read half a decision. Two decisions
    // on one flow don't run into each other, because the queue is chosen by the addresses and a worker's packets come
    // back one after the other. A reset from connection tracking's side in between leaves it undecided, too.
    renderChain("record", null, [
      mark.clearFlow,
      `${mark.packetHas(markHeld.sg)} ${mark.setFlow(markHeld.sg)}`,
      `${mark.packetHas(markHeld.k8s)} ${mark.setFlow(markHeld.k8s)}`,
      `${verdict} == ${mark.bits(acceptBoth)} ${mark.setFlow(everyAccept)}`,
      `${verdict} == ${mark.bits(acceptThis)} ct direction original ${mark.setFlow(ctAccept.original)}`,
      `${verdict} == ${mark.bits(acceptThis)} ct direction reply ${mark.setFlow(ctAccept.reply)}`,
      `meta mark & ${mark.bits(markEpochMask)} vmap { ${epochs
        .map((epoch) => `${mark.bits(epoch)} : jump epoch_${epoch}`)
        .join(", ")} }`,
    ]),
    ...renderTimeoutChains(config),
    renderChain("accepted", null, [
      "counter name judged_accept",
      // Not remembered: these have no entry, or that of the flow that they quote (PL-27).
      "ct state untracked goto pass_untracked",
      "ct state invalid goto pass",
      `${isError} goto pass`,
      ...useTimeouts(config),
      "jump record",
      "goto pass",
    ]),
    renderChain("denied", null, deniedRules(config, mark)),
    renderChain("unjudged", null, unjudgedRules(config, mark)),
    ...(config.podRange?.unknown === "hold" ? [renderChain("not_held", null, notHeldRules(config))] : []),
    renderChain("conclude", null, [
      `${verdict} vmap { ${mark.bits(untouched)} : goto unjudged, ${mark.bits(acceptThis)} : goto accepted, ${mark.bits(acceptBoth)} : goto accepted, ${mark.bits(deny)} : goto denied }`,
    ]),
  ];
}

function deniedRules({ hook, knobs }: RulesetConfig, mark: NftMark): string[] {
  const tellNobody = hook === "postrouting";
  return [
    "counter name judged_deny",
    `${isError} drop`,
    rememberDenial(mark),
    `meta mark set meta mark & ${mark.bits(0xff & ~(markHeld.sg | markHeld.k8s))}`,
    // The entry stays and remembers the denial: deleting it would let the other side's next packet make a new one, the
    // wrong way round (PL-26).
    "ct status confirmed jump record",
    ...(tellNobody
      ? []
      : [`${knobs.denyAction === "drop" ? "ct status confirmed " : ""}meta l4proto tcp reject with tcp reset`]),
    ...(tellNobody || knobs.denyAction === "drop" ? ["drop"] : ["reject with icmpx type admin-prohibited"]),
  ];
}

function unjudgedRules({ knobs }: RulesetConfig, mark: NftMark): string[] {
  const isOpen = knobs.bypass === "accept" || knobs.overflow === "accept";
  return [
    // The kernel let it past a queue without a listener, or a full one. Which one is the queue's setting, not ours.
    ...(isOpen ? [`${mark.packetHas(markIn.queued)} counter name unjudged_accept goto pass`] : []),
    "counter name unjudged_drop drop",
  ];
}

/** Nobody listened where it should have waited, or somebody let it go who isn't the waiting room. */
function notHeldRules({ knobs }: RulesetConfig): string[] {
  return [knobs.bypass === "accept" ? "counter name unjudged_accept goto pass" : "counter name unjudged_drop drop"];
}
