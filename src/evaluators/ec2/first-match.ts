/**
 * An ordered list of rules, compiled so that finding the first one that matches costs the same for ten rules and for
 * ten thousand: the protocol chooses a row, the port a cell of the row (by halving), and the peer's class a column.
 *
 * Peers are cut into groups that no rule of this list tells apart; a column is a group, so that a list which allows
 * everybody has one or two of them, however many classes there are.
 */
import type { FlowView } from "../../model/flow.ts";
import { type KeyRange, portKey } from "./port-key.ts";
import { exemptPortBounds } from "./service.ts";

/** One rule of the list; earlier ones go first. */
export interface OrderedRule {
  /** IP protocol number; null for all. */
  readonly protocol: number | null;
  /** Null: every packet of the protocol. */
  readonly ranges: readonly KeyRange[] | null;
  /** The peer classes that it matches. */
  readonly classes: readonly number[];
  /** What `firstMatch` returns for it; 0 or more. */
  readonly answer: number;
}

/** Plain data: it can be copied between threads as it stands. */
export interface FirstMatchData {
  /** Column by class; shared by tables whose rules have the same peers. */
  readonly groupOf: Uint16Array | Uint32Array;
  readonly groups: number;
  /** Row by protocol; row 0 is every protocol that no rule names. */
  readonly rowOf: Uint16Array;
  /** Where a row's cells start in `starts`; one entry more than rows. */
  readonly rowStart: Uint32Array;
  /** The first key of each cell. The cells of later fragments follow after the last, one for each row. */
  readonly starts: Uint32Array;
  /** Answer + 1 by cell and column; 0 where no rule matches. */
  readonly answers: Uint32Array;
}

/** The answer of the first rule that matches the packet, or -1. Never allocates. */
export function firstMatch(table: FirstMatchData, peerClass: number, view: FlowView): number {
  const row = table.rowOf[view.protocol] as number;
  const cell = view.isFragment ? table.starts.length + row : cellOf(table, row, portKey(view));
  return (table.answers[cell * table.groups + (table.groupOf[peerClass] as number)] as number) - 1;
}

function cellOf(table: FirstMatchData, row: number, key: number): number {
  let low = table.rowStart[row] as number;
  let high = table.rowStart[row + 1] as number;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((table.starts[middle] as number) > key) high = middle;
    else low = middle;
  }
  return low;
}

/** The first port of each range of ports that these lists, or the exemptions, judge alike; each once. */
export function listPortBounds(tables: Iterable<FirstMatchData>): Uint16Array {
  const bounds = new Set(exemptPortBounds);
  // Keys of ICMP among them cut ports finer than need be.
  for (const { starts } of tables) for (const start of starts) bounds.add(start);
  return Uint16Array.from(bounds);
}

/** Builds the tables of one evaluator. Peers are told apart by identity, so equal ones should be one array. */
export function createFirstMatchBuilder(classCount: number): (rules: readonly OrderedRule[]) => FirstMatchData {
  const groupings = new Map<string, Grouping>();
  const peerNumbers = new Map<readonly number[], number>();
  return (rules) => {
    const peers = [...new Set(rules.map((r) => r.classes))];
    for (const peer of peers) if (!peerNumbers.has(peer)) peerNumbers.set(peer, peerNumbers.size);
    const key = peers
      .map((p) => peerNumbers.get(p) as number)
      .sort((a, b) => a - b)
      .join();
    const grouping = groupings.get(key) ?? groupClasses(peers, classCount);
    groupings.set(key, grouping);
    return buildTable(rules, grouping);
  };
}

function buildTable(rules: readonly OrderedRule[], { groupOf, groups }: Grouping): FirstMatchData {
  const columns = new Map<readonly number[], readonly number[]>();
  for (const { classes } of rules) {
    if (!columns.has(classes)) columns.set(classes, [...new Set(classes.map((c) => groupOf[c] as number))]);
  }
  const named = [...new Set(rules.flatMap((r) => (r.protocol === null ? [] : [r.protocol])))].sort((a, b) => a - b);
  const rowOf = new Uint16Array(256);
  named.forEach((protocol, i) => {
    rowOf[protocol] = i + 1;
  });
  const rows = [null, ...named].map((p) => rules.filter((r) => r.protocol === null || r.protocol === p));
  const rowStart = new Uint32Array(rows.length + 1);
  const starts: number[] = [];
  const answers: Uint32Array[] = [];
  const fill = (matching: readonly OrderedRule[]) => {
    const cell = new Uint32Array(groups);
    for (const rule of matching) {
      for (const column of columns.get(rule.classes) ?? []) if (cell[column] === 0) cell[column] = rule.answer + 1;
    }
    answers.push(cell);
  };
  rows.forEach((row, i) => {
    for (const start of cellStarts(row)) {
      starts.push(start);
      fill(row.filter((r) => r.ranges === null || r.ranges.some((x) => x.from <= start && start <= x.to)));
    }
    rowStart[i + 1] = starts.length;
  });
  for (const row of rows) fill(row.filter((r) => r.ranges === null));
  const flat = new Uint32Array(answers.length * groups);
  answers.forEach((cell, i) => {
    flat.set(cell, i * groups);
  });
  return { groupOf, groups, rowOf, rowStart, starts: Uint32Array.from(starts), answers: flat };
}

/** The keys at which the set of matching rules changes. */
function cellStarts(row: readonly OrderedRule[]): number[] {
  const starts = new Set([0]);
  for (const { from, to } of row.flatMap((r) => r.ranges ?? [])) {
    starts.add(from);
    if (to < 0xffff) starts.add(to + 1);
  }
  return [...starts].sort((a, b) => a - b);
}

interface Grouping {
  readonly groupOf: Uint16Array | Uint32Array;
  readonly groups: number;
}

/** Splits the one group of all classes by each peer in turn; the cost is the sum of the peers' sizes. */
function groupClasses(peers: readonly (readonly number[])[], classCount: number): Grouping {
  const groupOf = classCount <= 0x10000 ? new Uint16Array(classCount) : new Uint32Array(classCount);
  const sizes = [classCount];
  const free: number[] = [];
  for (const peer of peers) {
    const split = new Map<number, number>();
    for (const c of new Set(peer)) {
      const old = groupOf[c] as number;
      let group = split.get(old);
      if (group === undefined) {
        group = free.pop() ?? sizes.length;
        sizes[group] = 0;
        split.set(old, group);
      }
      groupOf[c] = group;
      sizes[group] = (sizes[group] as number) + 1;
      sizes[old] = (sizes[old] as number) - 1;
    }
    // Numbers of groups that were split away whole are used again, so that columns stay few.
    for (const old of split.keys()) if (sizes[old] === 0) free.push(old);
  }
  return { groupOf, groups: Math.max(1, sizes.length) };
}
