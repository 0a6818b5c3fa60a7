/** ipBlocks that hold addresses of pods: implementations differ in whether they match them (NP-37). */
import { isSelectable } from "../../model/kubernetes.ts";
import { containsAddress, formatPrefix } from "../../net/prefix.ts";
import { type LintRule, listSome, warn } from "./rule.ts";

export const ipBlockCoversPods: LintRule = ({ inventory: { kubernetes }, program }, report) => {
  const matches = program.knobs.ipBlockMatchesPods === "true";
  const pods = kubernetes.pods.filter(isSelectable);
  for (const policy of kubernetes.networkPolicies) {
    for (const [direction, list] of [
      ["ingress", "from"],
      ["egress", "to"],
    ] as const) {
      policy[direction].forEach((rule, i) => {
        (rule.peers ?? []).forEach((peer, j) => {
          // "Everything" is meant to be everything.
          if (peer.kind !== "ip-block" || peer.prefix.length === 0) return;
          const covered = pods.filter((pod) =>
            pod.addresses.some(
              (address) =>
                containsAddress(peer.prefix, address) && !peer.except.some((out) => containsAddress(out, address)),
            ),
          );
          if (covered.length === 0) return;
          const names = listSome(covered.map((pod) => `${pod.namespace}/${pod.name}`));
          warn(report, policy.origin, `spec.${direction}[${i}].${list}[${j}].ipBlock`, {
            code: "ip-block-covers-pods",
            rule: "NP-37",
            message: `${formatPrefix(peer.prefix)} holds addresses of pods (${names}); ipBlock is meant for addresses outside of the cluster, and it ${matches ? "matches" : "doesn't match"} them here, while other implementations differ`,
            remedy: "select pods by their labels, and except their addresses from the block",
          });
        });
      });
    }
  }
};
