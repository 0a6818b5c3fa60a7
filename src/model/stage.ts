/**
 * Stages are ANDed: a flow passes when every stage passes in every direction that applies (PL-2). Listed from outside
 * to inside (PL-3); users' own evaluators have a stage each, named after them, in front of `route`.
 */
export const stageNames = ["route", "nacl", "sg", "k8s"] as const;
export type BuiltinStage = (typeof stageNames)[number];

/** A built-in stage, or `custom:NAME`. */
export type StageName = BuiltinStage | `custom:${string}`;
