/**
 * A policy loses a rule while a connection that it allowed is open: how long until new connections fail, and until the
 * open one is cut; then the rule comes back.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dump, load } from "js-yaml";
import type { Enforcement } from "../lab/enforcement.ts";
import type { Lab } from "./lab.ts";
import { endpointNamed } from "./topology.ts";

const limitMs = 10_000;

/** Milliseconds from the moment the file is in place; null for what didn't happen in time. */
export interface LiveReport {
  readonly deniedAfterMs: number | null;
  readonly cutAfterMs: number | null;
  /** `reset`, `closed`, `silence`, or `none`. */
  readonly how: string;
  readonly restoredAfterMs: number | null;
}

/** `policyFile` is the NetworkPolicy of nginx, in a copy of the examples that the engine watches. */
export async function changeLive(lab: Lab, enforcement: Enforcement, policyFile: string): Promise<LiveReport> {
  const original = readFileSync(policyFile, "utf8");
  const [client, server] = [endpointNamed("figlet"), endpointNamed("nginx")];
  const port = server.services[0].port;
  const before = enforcement.epoch;
  let changed = 0n;
  const result = await lab.host(client).live(server.ipv4, port, limitMs, () => {
    changed = replaceFile(policyFile, withoutFunctions(original));
  });
  const after = (time: bigint | null): number | null => (time === null ? null : Number(time - changed) / 1e6);

  await enforcement.epochAfter(before, limitMs);
  const restored = replaceFile(policyFile, original);
  const restoredAfterMs = await untilOpen(
    async () => (await lab.host(client).probe("tcp", server.ipv4, port, 5)).isOpen,
    restored,
  );
  return { deniedAfterMs: after(result.firstDenied), cutAfterMs: after(result.cut), how: result.how, restoredAfterMs };
}

/** Whether all of it happened, and after the change rather than before. */
export function isLiveAsExpected({ deniedAfterMs, cutAfterMs, restoredAfterMs }: LiveReport): boolean {
  return [deniedAfterMs, cutAfterMs, restoredAfterMs].every((time) => time !== null && time >= 0);
}

/** The policy's text without its peer `openfaas-fn`. Throws where the peer isn't there to be taken. */
export function withoutFunctions(text: string): string {
  const policy = load(text) as { spec: { ingress: { from: unknown[] }[] } };
  let taken = 0;
  for (const rule of policy.spec.ingress) {
    const kept = rule.from.filter((peer) => !JSON.stringify(peer).includes("openfaas-fn"));
    taken += rule.from.length - kept.length;
    rule.from = kept;
  }
  if (taken === 0) throw new Error("the policy of nginx doesn't name openfaas-fn");
  return dump(policy);
}

/** By rename, so that nobody reads half a file. Returns the time just before the new one is in place. */
function replaceFile(path: string, text: string): bigint {
  const beside = join(dirname(path), `.${process.pid}.tmp`);
  writeFileSync(beside, text);
  const now = process.hrtime.bigint();
  renameSync(beside, path);
  return now;
}

async function untilOpen(isOpen: () => Promise<boolean>, since: bigint): Promise<number | null> {
  for (;;) {
    const started = process.hrtime.bigint();
    if (await isOpen()) return Number(started - since) / 1e6;
    if (Number(started - since) / 1e6 > limitMs) return null;
  }
}
