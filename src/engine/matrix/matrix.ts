/**
 * Who reaches whom: every group of sources against every group of destinations and every service, judged one by one;
 * services that a destination answers alike for everybody share a column.
 */
import type { Inventory } from "../../model/inventory.ts";
import type { Program } from "../program.ts";
import { listEndpoints } from "./endpoints.ts";
import { FlowJudge, type FlowState, type NumberedDecision } from "./flow-judge.ts";
import { type EndpointGroup, flowFamilies, groupEndpoints, pairOf } from "./groups.ts";
import { listMentions } from "./mentions.ts";
import { formatServices, listServices, type Service } from "./services.ts";

/** Beyond this the matrix is refused: it wouldn't fit into memory, and nobody could read it. */
export const maxFlows = 40_000_000;

export interface MatrixColumn {
  /** Index of the group. */
  readonly destination: number;
  /** `tcp 80,443`. */
  readonly label: string;
  readonly services: readonly Service[];
  /** By source, then by family: index into `decisions`, or -1 for no such flow. */
  readonly cells: Int32Array;
}

/** What a cell says, all families together; `mixed` where they differ, `none` where there is no flow. */
export type CellState = FlowState | "mixed" | "none";

export interface Matrix {
  readonly groups: readonly EndpointGroup[];
  readonly services: readonly Service[];
  /** In order of their destinations, outside ones last, and services. */
  readonly columns: readonly MatrixColumn[];
  readonly decisions: readonly NumberedDecision[];
  readonly judge: FlowJudge;
}

export class TooManyFlows extends Error {
  constructor(groups: number, services: number) {
    super(`${groups} groups of endpoints and ${services} services are more flows than a matrix can hold`);
    this.name = "TooManyFlows";
  }
}

/** `services` null: those that policies and endpoints mention. Throws TooManyFlows. */
export function buildMatrix(inventory: Inventory, program: Program, services: readonly Service[] | null): Matrix {
  const asked = services ?? listServices([listMentions(inventory)]);
  const groups = groupEndpoints(listEndpoints(inventory, "apart"), program);
  if (groups.length ** 2 * asked.length * flowFamilies.length > maxFlows) {
    throw new TooManyFlows(groups.length, asked.length);
  }
  const judge = new FlowJudge(program);
  const isOutside = (group: EndpointGroup): boolean => group.members[0]?.kind === "outside";
  const inside = groups.flatMap((group, i) => (isOutside(group) ? [] : [i]));
  const order = [...inside, ...groups.flatMap((group, i) => (isOutside(group) ? [i] : []))];
  const columns = order.flatMap((destination) => {
    const perService = asked.map((service) => judgeColumn(judge, groups, destination, service));
    return mergeColumns(destination, asked, perService);
  });
  return { groups, services: asked, columns, decisions: judge.decisions, judge };
}

function judgeColumn(
  judge: FlowJudge,
  groups: readonly EndpointGroup[],
  destination: number,
  service: Service,
): Int32Array {
  const cells = new Int32Array(groups.length * flowFamilies.length).fill(-1);
  const to = groups[destination] as EndpointGroup;
  groups.forEach((from, source) => {
    const pair = pairOf(from, to);
    if (pair === null || (pair[0].kind === "outside" && pair[1].kind === "outside")) return;
    flowFamilies.forEach((family, f) => {
      cells[source * flowFamilies.length + f] = judge.judge(pair[0], pair[1], service, family);
    });
  });
  return cells;
}

function mergeColumns(
  destination: number,
  asked: readonly Service[],
  perService: readonly Int32Array[],
): readonly MatrixColumn[] {
  const merged = new Map<string, { services: Service[]; cells: Int32Array }>();
  asked.forEach((service, i) => {
    const cells = perService[i] as Int32Array;
    // A service that can't reach it at all, such as ping6 for IPv4, says nothing.
    if (cells.every((cell) => cell < 0)) return;
    const key = cells.join();
    const column = merged.get(key);
    if (column) column.services.push(service);
    else merged.set(key, { services: [service], cells });
  });
  const possible = [...merged.values()].flatMap((column) => column.services);
  return [...merged.values()].map(({ services, cells }) => ({
    destination,
    services,
    cells,
    label: formatServices(services, possible),
  }));
}

/** The decisions of one cell, by family. */
export function cellOf(column: MatrixColumn, source: number): readonly number[] {
  return flowFamilies.map((_, f) => column.cells[source * flowFamilies.length + f] as number);
}

export function stateOf(matrix: Matrix, column: MatrixColumn, source: number): CellState {
  const states = cellOf(column, source).flatMap((number) => matrix.decisions[number]?.state ?? []);
  const [first] = states;
  if (first === undefined) return "none";
  return states.every((state) => state === first) ? first : "mixed";
}

/** True where nobody reaches the destination by this column's services. */
export function isClosedToAll(matrix: Matrix, column: MatrixColumn): boolean {
  return matrix.groups.every((_, source) => ["closed", "none"].includes(stateOf(matrix, column, source)));
}
