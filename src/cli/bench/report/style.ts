/** The look of the bench's page: plots side by side where there is room, below each other on a phone; light and dark. */
export const colorCount = 10;

const light = [
  "#5c6873",
  "#8a6d3b",
  "#b3261e",
  "#d9772b",
  "#1f6fd1",
  "#0a8f6a",
  "#7a3fbf",
  "#c2187e",
  "#3c8aa8",
  "#5b7f12",
];
const dark = [
  "#a5b1bc",
  "#d3b478",
  "#ff8a80",
  "#ffb070",
  "#7fb2ff",
  "#4fd6ae",
  "#c39bff",
  "#ff8ccd",
  "#86cfe6",
  "#b4d66b",
];

const variables = (colors: readonly string[]): string => colors.map((color, i) => `--c${i}: ${color};`).join(" ");

export const benchStyle = `
:root { color-scheme: light dark; --page: #fbfbfa; --text: #1d2125; --dim: #5b6873; --line: #d9dee2; --panel: #ffffff;
  --good: #cdeccf; --good-text: #10421a; --bad: #f3d3d0; --bad-text: #6d1710; ${variables(light)} }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --text: #e6e9ec; --dim: #98a4af; --line: #333a41; --panel: #1c2126;
    --good: #1d4d2b; --good-text: #c9f2d0; --bad: #55231f; --bad-text: #ffd6d1; ${variables(dark)} }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 16px; max-width: 1240px; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 4px; font-size: 21px; font-weight: 650; }
h2 { margin: 28px 0 8px; font-size: 17px; font-weight: 650; }
h3 { margin: 0 0 6px; font-size: 14px; font-weight: 600; }
p { margin: 0 0 4px; }
.dim { color: var(--dim); font-size: 13px; }
.legend { list-style: none; margin: 8px 0 12px; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; }
.legend i { display: inline-block; width: 18px; height: 4px; margin-right: 6px; vertical-align: middle; border-radius: 2px;
  background: currentColor; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 12px; }
figure { margin: 0; padding: 10px 12px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
figure .dim { margin-top: -4px; }
svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg .tick, svg .value { fill: var(--dim); } svg .name, svg .value { fill: var(--text); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .one { stroke: var(--dim); stroke-dasharray: 3 3; }
svg .range { stroke: var(--text); stroke-width: 1.5; opacity: .7; }
svg path { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
svg circle, svg rect { fill: currentColor; }
${Array.from({ length: colorCount }, (_, i) => `.c${i} { color: var(--c${i}); }`).join(" ")}
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); margin-bottom: 12px; }
table { border-collapse: collapse; font-size: 13px; width: 100%; overflow-wrap: normal; }
caption { text-align: left; padding: 8px 10px 4px; font-weight: 600; }
th, td { padding: 4px 10px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { color: var(--dim); font-weight: 400; border-top: 0; }
tbody th { text-align: left; font-weight: 400; white-space: normal; min-width: 150px; }
td.ok { background: var(--good); color: var(--good-text); } td.missed { background: var(--bad); color: var(--bad-text); }
@media (max-width: 480px) { th, td { padding: 4px 5px; } table { font-size: 12px; } tbody th { min-width: 110px; } }
summary { cursor: pointer; margin: 28px 0 8px; font-size: 17px; font-weight: 650; }
`;
