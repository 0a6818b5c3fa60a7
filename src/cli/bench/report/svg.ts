/**
 * Plots as inline SVG, drawn for the width of a phone and set side by side where there is room: text is never smaller than
 * it is drawn here. Colours come from the page's style, so that they follow light and dark. Pure.
 */

export const plotWidth = 360;
const margin = { left: 50, right: 12, top: 10, bottom: 34 } as const;

export interface Scale {
  /** 0 is the axis' beginning, 1 its end; outside of that for values beyond. */
  readonly at: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

export interface Line {
  /** Which of the page's colours. */
  readonly color: number;
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface LinePlot {
  readonly label: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly xTitle: string;
  readonly lines: readonly Line[];
  /** Marks every point: for few of them. */
  readonly hasDots: boolean;
}

export function renderLines({ label, x, y, xTitle, lines, hasDots }: LinePlot, height = 230): string {
  const inner = { width: plotWidth - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const px = (value: number): number => margin.left + clamp(x.at(value)) * inner.width;
  const py = (value: number): number => margin.top + (1 - clamp(y.at(value))) * inner.height;
  const grid = [
    ...y.ticks.map(({ value, label: text }) => {
      const at = round(py(value));
      const line = `<line class="grid" x1="${margin.left}" x2="${plotWidth - margin.right}" y1="${at}" y2="${at}"/>`;
      return `${line}<text class="tick" text-anchor="end" x="${margin.left - 6}" y="${at + 4}">${escapeXml(text)}</text>`;
    }),
    ...x.ticks.map(({ value, label: text }) => {
      const at = round(px(value));
      const line = `<line class="grid" x1="${at}" x2="${at}" y1="${margin.top}" y2="${height - margin.bottom}"/>`;
      return `${line}<text class="tick" text-anchor="middle" x="${at}" y="${height - margin.bottom + 14}">${escapeXml(text)}</text>`;
    }),
  ];
  const drawn = lines.map(({ color, name, points }) => {
    const path = points.map(([a, b], i) => `${i === 0 ? "M" : "L"}${round(px(a))} ${round(py(b))}`).join("");
    const dots = hasDots
      ? points.map(([a, b]) => `<circle cx="${round(px(a))}" cy="${round(py(b))}" r="3"/>`).join("")
      : "";
    return `<g class="c${color}"><title>${escapeXml(name)}</title><path d="${path}"/>${dots}</g>`;
  });
  const axis = `<text class="tick" text-anchor="middle" x="${margin.left + inner.width / 2}" y="${height - 4}">${escapeXml(xTitle)}</text>`;
  return svg(label, height, [...grid, axis, ...drawn]);
}

export interface Bar {
  readonly name: string;
  readonly color: number;
  readonly value: number;
  /** Where the values of single rotations lie. */
  readonly low: number;
  readonly high: number;
  readonly text: string;
}

/** Horizontal bars from 0, each below its name, with a mark at 1. */
export function renderBars(label: string, bars: readonly Bar[]): string {
  const rowHeight = 34;
  const height = bars.length * rowHeight + 8;
  // A single far-off rotation must not squeeze the rest.
  const most = Math.max(1.2, ...bars.map(({ value }) => value * 1.15));
  const width = plotWidth - 92;
  const px = (value: number): number => round(clamp(value / most) * width);
  const rows = bars.map(({ name, color, value, low, high, text }, i) => {
    const top = i * rowHeight + 4;
    return [
      `<text class="name" x="0" y="${top + 11}">${escapeXml(name)}</text>`,
      `<g class="c${color}"><rect x="0" y="${top + 15}" width="${Math.max(1, px(value))}" height="12" rx="2"/></g>`,
      `<line class="one" x1="${px(1)}" x2="${px(1)}" y1="${top + 13}" y2="${top + 29}"/>`,
      `<line class="range" x1="${px(low)}" x2="${px(high)}" y1="${top + 21}" y2="${top + 21}"/>`,
      `<text class="value" text-anchor="end" x="${plotWidth}" y="${top + 25}">${escapeXml(text)}</text>`,
    ].join("");
  });
  return svg(label, height, rows);
}

function svg(label: string, height: number, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${plotWidth} ${height}" role="img" aria-label="${escapeXml(label)}">${parts.join("")}</svg>`;
}

/** Powers of ten, with 2 and 5 between them where they would be few. */
export function logScale(least: number, most: number, format: (value: number) => string): Scale {
  const low = Math.log10(least);
  const high = Math.max(Math.log10(most), low + 0.1);
  const decades = Math.ceil(high) - Math.floor(low) + 1;
  const steps = high - low > 2.5 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 5];
  const ticks = Array.from({ length: decades }, (_, i) => 10 ** (Math.floor(low) + i))
    .flatMap((power) => steps.map((step) => step * power))
    .filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
  return {
    at: (value) => (Math.log10(Math.max(value, 1e-12)) - low) / (high - low),
    ticks: ticks.map((value) => ({ value, label: format(value) })),
  };
}

/** From 0, with round numbers for ticks. */
export function linearScale(most: number, format: (value: number) => string): Scale {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9) / 4));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => most / s <= 5) ?? power * 10;
  const count = Math.max(1, Math.ceil(most / step));
  const ticks = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { at: (value) => value / (count * step), ticks: ticks.map((value) => ({ value, label: format(value) })) };
}

/** The tail as wide as the middle: 0, 90, 99, 99.9 % are equally far from each other. */
export function ninesScale(most: number): Scale {
  const at = (share: number): number => -Math.log10(Math.max(1 - share, 1e-12)) / most;
  const shares = [0, 0.5, 0.9, 0.99, 0.999, 0.9999].filter((share) => at(share) <= 1.001);
  return { at, ticks: shares.map((value) => ({ value, label: `${Number((value * 100).toFixed(2))} %` })) };
}

/** One place for each name. */
export function nameScale(names: readonly string[]): Scale {
  const at = (index: number): number => (index + 0.5) / names.length;
  return { at, ticks: names.map((label, value) => ({ value, label })) };
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
