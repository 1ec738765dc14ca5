// The style sheet of report.html: light and dark by the reader's preference.
#pragma once

namespace sesame {

inline constexpr const char* kReportStyle = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b1f27; --faint: #667085; --rule: #e3e6ec;
  --c0: #2563eb; --c1: #d97706; --c2: #059669; --c3: #9333ea; --c4: #db2777; --c5: #0891b2; --wrong: #dc2626; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b1f28; --ink: #e6e9ef; --faint: #98a2b3;
  --rule: #2d3340; --c0: #6ea0ff; --c1: #f5b04c; --c2: #3fcf9b; --c3: #c08cff; --c4: #ff7ab8; --c5: #4fd0e6;
  --wrong: #ff6b6b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Noto Sans",
  "Noto Sans CJK SC", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 12px; }
h3 { font-size: 15px; margin: 0 0 8px; overflow-wrap: anywhere; }
.sub, .faint { color: var(--faint); } .sub { margin: 4px 0 0; overflow-wrap: anywhere; }
.faint { font-size: 13px; margin: 6px 0 0; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 16px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 18px; min-width: 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 18px; min-width: 128px; }
.tile b { display: block; font-size: 28px; line-height: 1.2; font-variant-numeric: tabular-nums; font-weight: 650; }
.tile span { color: var(--faint); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--faint); font-size: 13px; }
tr:last-child td { border-bottom: 0; }
.facts td:first-child { color: var(--faint); width: 42%; overflow-wrap: normal; }
.scroll { overflow-x: auto; }
.confusion { width: auto; } .confusion td, .confusion th { border: 0; padding: 8px 12px; text-align: center;
  overflow-wrap: normal; white-space: nowrap; }
.confusion td { min-width: 74px; border: 2px solid var(--card); border-radius: 6px; }
.confusion th.row { text-align: right; vertical-align: middle; }
.confusion small { display: block; opacity: .75; font-size: 12px; }
.mistakes td.text { width: 60%; min-width: 200px; } .mistakes th { white-space: nowrap; }
.mistakes td.number { white-space: nowrap; } 
.mistakes td.label { max-width: 220px; min-width: 84px; white-space: normal; overflow-wrap: break-word; }
.text p { margin: 0 0 4px; max-height: 12em; overflow-y: auto; white-space: pre-wrap; }
.text p + p { border-top: 1px dashed var(--rule); padding-top: 4px; }
.gold { color: var(--c2); font-weight: 600; } .predicted { color: var(--wrong); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; min-height: 20px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.legend .faint { margin: 0; }
.bars { display: grid; grid-template-columns: minmax(0, max-content) 1fr max-content; gap: 6px 12px; align-items: center; margin: 8px 0; }
.bars .key { overflow-wrap: anywhere; max-width: 260px; } .bars small { color: var(--faint); }
.track { background: var(--rule); border-radius: 4px; height: 12px; min-width: 40px; }
.track i { display: block; height: 100%; border-radius: 4px; background: var(--c0); }
svg { display: block; width: 100%; height: auto; margin-top: 4px; }
svg text { font: 12px system-ui, "Noto Sans", sans-serif; fill: var(--faint); }
.grid { stroke: var(--rule); } .axis { stroke: var(--faint); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .raw { fill: none; stroke-width: 1; opacity: .35; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
.d0 { fill: var(--c0); } .d1 { fill: var(--c1); } .d2 { fill: var(--c2); } .d3 { fill: var(--c3); }
.d4 { fill: var(--c4); } .d5 { fill: var(--c5); }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); } .b3 { background: var(--c3); }
.b4 { background: var(--c4); } .b5 { background: var(--c5); }
.bar { fill: var(--c0); } .bar:hover { fill: var(--c1); }
.dot { fill: var(--c0); opacity: .55; } .dot:hover { opacity: 1; } .diagonal { stroke: var(--faint); stroke-dasharray: 5 4; }
.strip { fill: var(--faint); opacity: 0; } .strip:hover { opacity: .18; }
@media print { body { background: none; } .card, .tile { break-inside: avoid; } }
)css";

}  // namespace sesame
