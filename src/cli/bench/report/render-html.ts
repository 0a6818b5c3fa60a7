/** A result as one page that needs nothing else: goals, plots, ratios, and every figure. Works from a file, offline. Pure. */
import { colorOf, distributionPlots, growthPlots, type Plot, ratioPlots } from "./plots.ts";
import { factLines, headline } from "./render-text.ts";
import type { BenchResult } from "./result.ts";
import { benchStyle } from "./style.ts";
import { escapeXml } from "./svg.ts";
import { figureTables, goalTable, type Table } from "./tables.ts";

export function renderHtml(result: BenchResult): string {
  const sections = [
    result.goals.length > 0 ? `<h2>Goals</h2>\n${renderTable(goalTable(result))}` : "",
    plotSection("Ratios", ratioPlots(result)),
    plotSection("Distributions", distributionPlots(result), renderLegend(result)),
    plotSection("How it grows", growthPlots(result)),
    `<details><summary>All figures</summary>\n${figureTables(result).map(renderTable).join("\n")}\n</details>`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeXml(headline(result))}</title>
<style>${benchStyle}</style>
</head>
<body>
<h1>What enforcement costs</h1>
<p>${escapeXml(headline(result))}</p>
${factLines(result)
  .map((line) => `<p class="dim">${escapeXml(line.trim())}</p>`)
  .join("\n")}
${sections.filter((section) => section !== "").join("\n")}
</body>
</html>
`;
}

function plotSection(title: string, plots: readonly Plot[], legend = ""): string {
  if (plots.length === 0) return "";
  const figures = plots.map(
    (plot) => `<figure><h3>${escapeXml(plot.title)}</h3><p class="dim">${escapeXml(plot.note)}</p>${plot.svg}</figure>`,
  );
  return `<h2>${escapeXml(title)}</h2>\n${legend}<div class="plots">\n${figures.join("\n")}\n</div>`;
}

function renderLegend(result: BenchResult): string {
  const drawn = result.variants.filter((v) => result.distributions.some((d) => d.variant === v.name));
  const items = drawn.map((v) => `<li><i class="c${colorOf(result, v.name)}"></i>${escapeXml(v.title)}</li>`);
  return `<ul class="legend">${items.join("")}</ul>\n`;
}

function renderTable({ title, columns, rows }: Table): string {
  const head = columns.map((column) => `<th scope="col">${escapeXml(column)}</th>`).join("");
  const body = rows.map(({ head: name, cells }) => {
    const data = cells.map(
      (cell) => `<td${cell === "ok" || cell === "missed" ? ` class="${cell}"` : ""}>${escapeXml(cell)}</td>`,
    );
    return `<tr><th scope="row">${escapeXml(name)}</th>${data.join("")}</tr>`;
  });
  return `<div class="scroll" tabindex="0"><table><caption>${escapeXml(title)}</caption><thead><tr><th></th>${head}</tr></thead><tbody>
${body.join("\n")}
</tbody></table></div>`;
}
