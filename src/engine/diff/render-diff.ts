/** A difference for people, and as JSON. */

import type { Family } from "../../net/address.ts";
import { flowFamilies, groupBy, nameGroup } from "../matrix/groups.ts";
import { formatFamily, servicesByProtocol } from "../matrix/render-matrix-json.ts";
import { formatServices, type Service } from "../matrix/services.ts";
import type { ExplainStyle } from "../render-explain.ts";
import type { DiffGroup, FlowChange, InventoryDiff } from "./diff.ts";

/** What became of the flows. */
export type ChangeKind = "opened" | "closed" | "answered" | "unanswered";

export function kindOf({ before, after }: FlowChange): ChangeKind {
  const [was, is] = [before?.state ?? "closed", after?.state ?? "closed"];
  if (is === "open") return was === "no-answer" ? "answered" : "opened";
  return is === "no-answer" ? "unanswered" : "closed";
}

/** Lines, each with its newline. `oldName` and `newName` are what the user calls the two. */
export function renderDiffText(diff: InventoryDiff, style: ExplainStyle, oldName: string, newName: string): string {
  const lines: string[] = [];
  const counts = new Map<ChangeKind, number>();
  for (const block of listBlocks(diff)) {
    counts.set(block.kind, (counts.get(block.kind) ?? 0) + 1);
    const tint = block.kind === "opened" || block.kind === "answered" ? style.good : style.bad;
    const ends = style.bold(`${listGroups(block.sources)} → ${listGroups(block.destinations)}`);
    const [only] = block.changes;
    const isHalf = block.changes.length === 1 && only?.families.length === 1 && hasBoth(only);
    const family = isHalf && only ? ` over ${formatFamily(only.families[0] as Family)}` : "";
    lines.push(`${tint(block.kind)}  ${ends}  ${formatServices(block.services, diff.services)}${family}`);
    if (block.missing !== null) {
      lines.push(`  ${block.missing} isn't in ${only?.before === null ? oldName : newName}`);
      continue;
    }
    lines.push(...say(diff, block, "before"), ...say(diff, block, "after"));
  }
  if (lines.length > 0) lines.push("");
  if (diff.added.length > 0) lines.push(`added: ${listNames(diff.added)}`);
  if (diff.removed.length > 0) lines.push(`removed: ${listNames(diff.removed)}`);
  const total = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  lines.push(counts.size === 0 ? "no flow changes its verdict" : total);
  return `${lines.join("\n")}\n`;
}

/** What people read as one change: families together, and without reasons where an end isn't there at all. */
interface Block {
  readonly kind: ChangeKind;
  readonly sources: readonly DiffGroup[];
  readonly destinations: readonly DiffGroup[];
  readonly services: readonly Service[];
  readonly changes: readonly FlowChange[];
  /** Ends that one side lacks. */
  readonly missing: string | null;
}

function listBlocks(diff: InventoryDiff): readonly Block[] {
  const numbers = new Map<unknown, number>();
  const keyOf = (things: readonly unknown[]): string =>
    things
      .map((thing) => {
        const number = numbers.get(thing) ?? numbers.size;
        numbers.set(thing, number);
        return number;
      })
      .sort((a, b) => a - b)
      .join();
  const there = diff.changes.filter((change) => change.before !== null && change.after !== null);
  const blocks = groupBy(there, (change) =>
    [keyOf(change.sources), keyOf(change.destinations), keyOf(change.services), kindOf(change)].join("/"),
  ).map((changes): Block => {
    const { sources, destinations, services } = changes[0] as FlowChange;
    return { kind: kindOf(changes[0] as FlowChange), sources, destinations, services, changes, missing: null };
  });
  const gone = diff.changes.filter((change) => change.before === null || change.after === null);
  const perPair = gone.flatMap((change) =>
    change.sources.flatMap((source) => change.destinations.map((destination) => ({ source, destination, change }))),
  );
  // Addresses that nobody has say nothing of an endpoint that comes or goes.
  const telling = perPair.filter(({ source, destination }) => !isRest(source) && !isRest(destination));
  const joined = groupBy(telling, (one) =>
    [keyOf([one.source]), keyOf([one.destination]), kindOf(one.change)].join("/"),
  ).map((members) => {
    const { source, destination } = members[0] as (typeof members)[number];
    const services = [...new Set(members.flatMap((member) => member.change.services))];
    return { sources: [source], destinations: [destination], services, changes: members.map((m) => m.change) };
  });
  const bySource = groupBy(
    joined,
    (one) => `${keyOf(one.destinations)}/${keyOf(one.services)}/${kindOf(one.changes[0] as FlowChange)}`,
  ).map((members) => ({
    ...(members[0] as (typeof joined)[number]),
    sources: members.flatMap((member) => member.sources),
  }));
  const byDestination = groupBy(
    bySource,
    (one) => `${keyOf(one.sources)}/${keyOf(one.services)}/${kindOf(one.changes[0] as FlowChange)}`,
  ).map((members) => ({
    ...(members[0] as (typeof joined)[number]),
    destinations: members.flatMap((member) => member.destinations),
  }));
  return [
    ...blocks,
    ...byDestination.map((one): Block => {
      const absent = [...one.sources, ...one.destinations].flat().filter((end) => !end.before || !end.after);
      const missing = listNames([...new Set(absent.map((end) => end.name))]);
      return { ...one, kind: kindOf(one.changes[0] as FlowChange), missing };
    }),
  ];
}

function isRest(group: DiffGroup): boolean {
  return group.every((end) => end.before?.isRest === true);
}

/** One line where all families have the same reason. */
function say(diff: InventoryDiff, { changes }: Block, side: "before" | "after"): readonly string[] {
  const texts = changes.map((change) => ({ change, text: sayOf(diff, change, side) }));
  const label = side.padEnd(6);
  if (new Set(texts.map(({ text }) => text)).size === 1) return [`  ${label}  ${texts[0]?.text}`];
  return texts.map(({ change, text }) => `  ${label}  ${change.families.map(formatFamily).join("+")}: ${text}`);
}

export function renderDiffJson(diff: InventoryDiff): string {
  const sideOf = (change: FlowChange, side: "before" | "after"): object | null => {
    const decision = change[side];
    return decision === null ? null : { state: decision.state, ...(JSON.parse(decision.json) as object) };
  };
  const changes = diff.changes.map((change) => ({
    change: kindOf(change),
    from: change.sources.flatMap((group) => group.map((end) => end.name)),
    to: change.destinations.flatMap((group) => group.map((end) => end.name)),
    families: change.families.map(formatFamily),
    services: servicesByProtocol(change.services, change.families).map(([, service]) => service),
    before: sideOf(change, "before"),
    after: sideOf(change, "after"),
  }));
  const text = changes.map((change) => `\n${JSON.stringify(change)}`).join(",");
  return `{"added":${JSON.stringify(diff.added)},"removed":${JSON.stringify(diff.removed)},"changes":[${text}\n]}\n`;
}

/** The decision in `explain`'s words, without its advice. */
function sayOf(diff: InventoryDiff, change: FlowChange, side: "before" | "after"): string {
  const [first = "", ...others] = diff.describe(change, side);
  const answer = others.find((line) => line.startsWith("answer "));
  return answer === undefined ? first : `${first} But ${answer}`;
}

/** Whether the flow could have been of both families. */
function hasBoth({ sources, destinations }: FlowChange): boolean {
  const families = [sources, destinations].map(([group]) => {
    const endpoint = group?.[0]?.after ?? group?.[0]?.before;
    return endpoint?.addresses.map((address) => address.family) ?? [];
  });
  return flowFamilies.every((family) => families.every((own) => own.includes(family)));
}

function listGroups(groups: readonly DiffGroup[]): string {
  const names = groups.map((group) => nameGroup(group.map((end) => end.name)));
  return listNames(names);
}

function listNames(names: readonly string[]): string {
  return names.length <= 6 ? names.join(", ") : `${names.slice(0, 6).join(", ")} and ${names.length - 6} more`;
}
