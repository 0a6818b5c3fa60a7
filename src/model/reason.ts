/**
 * Why a verdict is what it is: a closed list, safe as a log field and as a metric label. A number indexes shared
 * counters, so new reasons are added at the end of their group only while nothing persists the numbers. Zero is the
 * reason of an answer that gave none.
 */
export const Reason = {
  /** An evaluator answered without a reason of its own. */
  unspecified: 0,
  /** No evaluator decided: accepted, because nothing restricts this flow (PL-7). */
  "default-allow": 1,
  /** A stage's configured default denied (PL-1). */
  "default-deny": 2,
  /** A rule of the named policy matched. */
  rule: 3,
  /** The subject is restricted in this direction and none of its rules matches. */
  "no-rule-matches": 4,
  /** Nothing restricts the subject in this direction. */
  "not-isolated": 5,
  /** The evaluator knows neither end of the flow. */
  "not-managed": 6,
  /** Both ends are in one subnet, where network ACLs don't act (NA-12). */
  "same-subnet": 7,
  /** An admin or baseline rule passed the decision to the next tier (AN-6). */
  pass: 8,
  /** Both ends are the same pod or interface (NP-58, AN-31, SG-90). */
  self: 9,
  /** From or to the pod's own node (NP-56, NP-57). */
  "own-node": 10,
  /** The flow was admitted as tracked before and stays (SG-60, SG-66, NP-70 new-only). */
  state: 11,
  /** An ICMP error about a flow that was accepted (PL-21). */
  related: 12,
  /** Connection tracking calls the packet invalid (PL-27), or the rules tell no state of it. */
  "invalid-state": 13,
  /** A TCP packet inside a flow that connection tracking doesn't know (PL-26). */
  midstream: 14,
  /** An evaluator failed or answered nothing: `errorVerdict` (PL-8). */
  error: 15,
  /** The packet can't be parsed: `errorVerdict` (PL-9). */
  unparseable: 16,
  /** The inventory lacks what the verdict needs: `errorVerdict` (NA-14). */
  "missing-configuration": 17,
  /** Traffic that security groups and network ACLs never filter, by class (SG-83). */
  "aws-exempt:dns": 18,
  "aws-exempt:dhcp": 19,
  "aws-exempt:imds": 20,
  "aws-exempt:ecs-metadata": 21,
  "aws-exempt:kms": 22,
  "aws-exempt:time": 23,
  "aws-exempt:router": 24,
  /** A packet that an interface may not send or receive (SG-94). */
  "source-dest-check": 25,
  /** No route, or a black hole, in the subnet's route table (VR-2). */
  "no-route": 26,
  blackhole: 27,
  /** Two running interfaces claim the address (VR-6). */
  "ambiguous-address": 28,
  /** Neighbour discovery is never judged (SG-84). */
  "neighbour-discovery": 29,
} as const;

export type ReasonName = keyof typeof Reason;
export type Reason = (typeof Reason)[ReasonName];

/** Names by number. */
export const reasonNames: readonly ReasonName[] = (Object.keys(Reason) as ReasonName[]).sort(
  (a, b) => Reason[a] - Reason[b],
);
