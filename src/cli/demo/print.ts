/** The demo's screen, line by line; pure. Widths are counted before colours are put on. */
import type { LatencyRow } from "./latency.ts";
import type { LiveReport } from "./live.ts";
import { cellOf, isAsExpected, type Outcome } from "./matrix.ts";
import type { Style } from "./style.ts";
import { type Endpoint, endpoints } from "./topology.ts";

const labelWidth = 10;
const proseWidth = 86;

/** ` kernel   text`, the name dimmed. */
export function printFact(style: Style, name: string, text: string): string {
  return ` ${style.dim(name.padEnd(8))} ${text}`;
}

/** A line that begins under the text of the one before. */
export function printMore(text: string): string {
  return `${" ".repeat(10)}${text}`;
}

/** Breaks prose at words, but not a command that somebody may want to copy: it begins a line and keeps it. */
export function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(" ")) {
    if (line !== "" && line.length + 1 + word.length > proseWidth && !text.includes(": aws ")) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/**
 * The matrix of the first service of every endpoint. A cell says what was observed (✓ got through, ✗ didn't) and what
 * was expected (`open`, or who closes it); where the two disagree it is marked, and told in full below.
 */
export function printMatrix(style: Style, outcomes: readonly Outcome[]): string[] {
  const right = outcomes.filter(isAsExpected).length;
  const verdict = `${right} of ${outcomes.length} observed as expected`;
  const title = " who reaches whom";
  const width = labelWidth + endpoints.reduce((sum, e) => sum + columnWidth(e), 0);
  const gap = " ".repeat(Math.max(2, width - title.length - verdict.length));
  const paintVerdict = right === outcomes.length ? style.good : style.bad;
  return [
    `${style.bold(title)}${gap}${paintVerdict(verdict)}`,
    header((e) => e.name),
    style.dim(header((e) => portOf(e))),
    ...endpoints.map((from) => row(style, outcomes, from)),
    style.dim(" ✓ observed open  ✗ observed closed · expected: open, or closed by  sg security group"),
    style.dim(" acl network ACL  np NetworkPolicy · IPv4 and IPv6 alike; ping and other ports are counted too"),
    ...printMismatches(style, outcomes),
  ];
}

/** `open sg IPv6 tcp 80 web → db`, for each outcome that wasn't expected; the first few. */
export function printMismatches(style: Style, outcomes: readonly Outcome[], limit = 6): string[] {
  const wrong = outcomes.filter((o) => !isAsExpected(o));
  const lines = wrong.slice(0, limit).map(({ probe, expected, isOpen }) => {
    const what = probe.protocol === "icmp" ? "ping" : `${probe.protocol} ${probe.port}`;
    const pair = `${probe.from.name} → ${probe.to.name} ${what} over ${probe.family === "ipv4" ? "IPv4" : "IPv6"}`;
    return style.bad(` ! ${pair}: expected ${expected}, observed ${isOpen ? "open" : "closed"}`);
  });
  return wrong.length > limit ? [...lines, style.bad(` ! and ${wrong.length - limit} more`)] : lines;
}

export function printLive(style: Style, report: LiveReport): string[] {
  const ms = (time: number | null): string => (time === null ? style.bad("never") : `after ${time.toFixed(1)} ms`);
  const cut = report.how === "none" ? style.bad("was not cut") : `was cut ${ms(report.cutAfterMs)} (${report.how})`;
  return [
    printFact(style, "live", "NetworkPolicy nginx lost its peer openfaas-fn while figlet was connected"),
    printMore(
      `→ new connections denied ${ms(report.deniedAfterMs)}, the open one ${cut}; restored ${ms(report.restoredAfterMs)}`,
    ),
  ];
}

export function printLatency(style: Style, rows: readonly LatencyRow[]): string[] {
  const cells = (texts: readonly string[]): string => texts.map((text) => text.padStart(10)).join("");
  const micro = (value: number): string => `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} µs`;
  return [
    `${style.bold(" first packet of a flow")} ${cells(["p50", "p99", "p99.9"])}`,
    ...rows.map((row) => {
      const lost = row.lost > 0 ? style.bad(`  ${row.lost} lost`) : "";
      const label = `   ${row.name}`.padEnd(24);
      return `${label}${cells([micro(row.p50), micro(row.p99), micro(row.p999)])}${lost}`;
    }),
    style.dim(
      `   UDP there and back, ${rows[0]?.samples ?? 0} flows each, in turns; the rest of a flow never leaves the kernel`,
    ),
  ];
}

function header(text: (endpoint: Endpoint) => string): string {
  return `${" ".repeat(labelWidth)}${endpoints.map((e) => text(e).padEnd(columnWidth(e))).join("")}`.trimEnd();
}

function row(style: Style, outcomes: readonly Outcome[], from: Endpoint): string {
  const cells = endpoints.map((to) => {
    const text = from === to ? "·" : cellText(cellOf(outcomes, from, to, to.services[0]));
    return paintCell(style, text)(text.padEnd(columnWidth(to)));
  });
  return ` ${from.name.padEnd(labelWidth - 1)}${cells.join("")}`.trimEnd();
}

/** `✓ open`, `✗ sg`; `! sg` where any of its outcomes contradicts what was expected. */
export function cellText(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return "?";
  const words = [...new Set(outcomes.map((o) => o.expected))].join("/");
  if (!outcomes.every(isAsExpected)) return `! ${words}`;
  return `${outcomes.every((o) => o.isOpen) ? "✓" : "✗"} ${words}`;
}

function paintCell(style: Style, text: string): (text: string) => string {
  if (text.startsWith("!")) return style.bad;
  if (text.startsWith("✓")) return style.good;
  return text === "·" ? style.dim : style.warn;
}

function columnWidth(endpoint: Endpoint): number {
  return Math.max(endpoint.name.length + 1, 7);
}

function portOf({ services: [first] }: Endpoint): string {
  return first.protocol === "tcp" ? String(first.port) : `${first.port}/${first.protocol}`;
}
