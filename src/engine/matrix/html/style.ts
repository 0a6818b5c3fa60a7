/** The look of the matrix's page. Colours differ in lightness too, and every cell has its word. */
export const matrixStyle = `
:root { color-scheme: light dark; --page: #fbfbfa; --text: #1d2125; --dim: #62707c; --line: #d9dee2; --panel: #ffffff;
  --good: #cdeccf; --good-text: #10421a; --bad: #f3d3d0; --bad-text: #6d1710; --half: #fbe6b4; --half-text: #5a3d00;
  --focus: #1259c3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --text: #e6e9ec; --dim: #98a4af; --line: #333a41; --panel: #1c2126;
    --good: #1d4d2b; --good-text: #c9f2d0; --bad: #55231f; --bad-text: #ffd6d1; --half: #57430f; --half-text: #ffe9b0;
    --focus: #7fb2ff; }
}
* { box-sizing: border-box; }
html, body { height: 100%; }
body { margin: 0; display: flex; flex-direction: column; background: var(--page); color: var(--text);
  font: 14px/1.45 system-ui, sans-serif; }
header { padding: 16px 20px 8px; }
h1 { margin: 0; font-size: 20px; font-weight: 650; }
.where { margin: 0 0 8px; color: var(--dim); }
.legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; }
.legend i { display: inline-block; padding: 0 8px; border-radius: 4px; font-style: normal; }
.tools { display: flex; flex-wrap: wrap; gap: 8px 20px; margin-top: 10px; }
input[type=search] { font: inherit; padding: 3px 8px; border: 1px solid var(--line); border-radius: 6px;
  background: var(--panel); color: inherit; }
main { flex: 1; min-height: 0; display: flex; }
.scroll { overflow: auto; margin: 4px 20px 12px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--panel); align-self: flex-start; max-height: calc(100% - 16px); max-width: calc(100% - 40px); }
table { border-collapse: separate; border-spacing: 0; }
th { font-weight: 600; text-align: left; white-space: nowrap; }
thead th { background: var(--panel); padding: 6px 10px; position: sticky; z-index: 2; }
thead tr:first-child th { top: 0; height: 32px; border-left: 1px solid var(--line); }
thead tr:nth-child(2) th { top: 32px; }
th.service { font-weight: 400; color: var(--dim); vertical-align: bottom; padding: 2px 6px 6px; text-align: center;
  border-bottom: 1px solid var(--line); }
th.service span { display: inline-block; width: max-content; max-width: 130px; white-space: normal; font-size: 12px; line-height: 1.25; }
th.corner { left: 0; z-index: 3; color: var(--dim); font-weight: 400; vertical-align: bottom; border-left: 0 !important;
  border-bottom: 1px solid var(--line); border-right: 1px solid var(--line); }
tbody th { position: sticky; left: 0; z-index: 1; background: var(--panel); padding: 3px 12px; max-width: 320px;
  overflow: hidden; text-overflow: ellipsis; border-right: 1px solid var(--line); }
td { padding: 4px 8px; text-align: center; white-space: nowrap; cursor: default; border: 1px solid var(--panel);
  min-width: 56px; font-size: 13px; }
.first { border-left: 1px solid var(--line); }
.good { background: var(--good); color: var(--good-text); }
.bad { background: var(--bad); color: var(--bad-text); }
.half { background: var(--half); color: var(--half-text); }
td.none { color: var(--dim); }
td.lit { outline: 2px solid var(--dim); outline-offset: -2px; }
td:focus, input:focus-visible { outline: 3px solid var(--focus); outline-offset: -3px; }
table:not(.all) .shut, .gone { display: none; }
td.faded:not(:focus) { opacity: .22; }
#why { border-top: 1px solid var(--line); background: var(--panel); padding: 12px 20px 16px; min-height: 132px;
  max-height: 40vh; overflow: auto; }
#why h2 { margin: 0 0 4px; font-size: 15px; }
#why p { margin: 0 0 2px; max-width: 110ch; white-space: pre-wrap; }
#why .dim { color: var(--dim); }
#why code { font: 12.5px ui-monospace, monospace; user-select: all; overflow-wrap: anywhere; }
`;
