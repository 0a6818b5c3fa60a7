/**
 * What one evaluator answers for one direction of a flow. Zero is the safe value: an answer that was never given, or
 * that is undefined, is a denial.
 */
export const Verdict = { deny: 0, accept: 1, next: 2 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** `deny`, `accept` or `next`, as users read it. */
export type VerdictName = keyof typeof Verdict;
export const verdictNames: readonly VerdictName[] = ["deny", "accept", "next"];

/** Relative to the subject: egress leaves the source endpoint, ingress enters the destination endpoint (DEF-2). */
export const Direction = { egress: 0, ingress: 1 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

export type DirectionName = keyof typeof Direction;
export const directionNames: readonly DirectionName[] = ["egress", "ingress"];
