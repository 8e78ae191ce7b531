"""How the page looks: on a phone first, then wider; light or dark as the reader's machine is; on paper."""

from __future__ import annotations

STYLE = """
:root { --ink: #1c2430; --soft: #5b6778; --line: #d9dfe7; --paper: #fff; --field: #f4f6f9; --same: #7b8796;
  --changed: #c2410c; --detail: #b58a00; --rule: #4f7cac; --error: #7f1d1d; --good: #2f6f4f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf2; --soft: #a3afbf; --line: #364152; --paper: #141a22; --field: #1d2530; --same: #64748b;
    --changed: #f08a4b; --detail: #d9b13b; --rule: #7fa8d6; --error: #f87171; --good: #6fcf97; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5; font-size: 16px;
  font-family: system-ui, -apple-system, "Segoe UI", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic",
    sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.25rem; margin: 0 0 .75rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
h4 { font-size: .85rem; margin: .75rem 0 .25rem; color: var(--soft); }
p { margin: .25rem 0; } small { color: var(--soft); font-weight: normal; font-size: .8rem; }
.name { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .8rem; color: var(--soft);
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: .15rem 1rem; margin: .75rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
section > h3:first-child { margin-top: 0; }
section { border-top: 2px solid var(--line); margin-top: 1.5rem; padding-top: 1.25rem; }
svg { display: block; width: 100%; height: 1rem; border-radius: 3px; }
.headline { background: var(--field); border-radius: 8px; padding: .75rem 1rem; }
.rate { font-size: 1.05rem; } .rate b { font-size: 2.25rem; line-height: 1.1; color: var(--changed); }
ul { padding-left: 1.1rem; margin: .25rem 0; }
.directions, .legend, .segments, .differences { list-style: none; padding: 0; }
.directions, .legend { display: flex; flex-wrap: wrap; gap: .15rem 1.25rem; }
.composition { margin-top: 1rem; } .composition svg { height: 1.5rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem; }
rect.unchanged { fill: var(--same); } i.unchanged { background: var(--same); }
rect.rule { fill: var(--rule); } i.rule { background: var(--rule); }
rect.detail { fill: var(--detail); } i.detail { background: var(--detail); }
rect.changed { fill: var(--changed); } i.changed { background: var(--changed); }
rect.error { fill: var(--error); } i.error { background: var(--error); }
rect.track { fill: var(--line); } rect.average { fill: var(--soft); } rect.reach { fill: var(--rule); }
.wide { overflow-x: auto; }
.matrix { border-collapse: separate; border-spacing: 2px; font-size: .9rem; min-width: 100%; }
.matrix th { font-weight: 600; padding: .3rem .5rem; text-align: center; }
.matrix tr > th:first-child { text-align: left; }
.matrix td { padding: .3rem .5rem; text-align: center; border-radius: 4px; }
.matrix tr:first-child td { font-size: .75rem; color: var(--soft); text-align: left; }
.matrix td small { display: block; color: inherit; opacity: .75; }
.matrix .none { color: var(--soft); }
.matrix .same { background: color-mix(in srgb, var(--same) calc(var(--share) * 45%), var(--field)); }
.matrix .moved { background: color-mix(in srgb, var(--changed) calc(var(--share) * 60% + 10%), var(--field)); }
.causes { padding-left: 1.5rem; } .causes > li { margin: .9rem 0; } .causes > li::marker { color: var(--soft); }
.causes svg { height: .6rem; } .sentence { font-weight: 600; overflow-wrap: anywhere; }
details { font-size: .9rem; } summary { cursor: pointer; color: var(--soft); }
del { text-decoration: none; background: color-mix(in srgb, var(--changed) 18%, transparent); border-radius: 3px;
  padding: 0 .25rem; overflow-wrap: anywhere; }
ins { text-decoration: none; background: color-mix(in srgb, var(--good) 22%, transparent); border-radius: 3px;
  padding: 0 .25rem; overflow-wrap: anywhere; }
.segments li, .differences li { display: grid; grid-template-columns: 1fr; gap: .1rem;
  margin: .5rem 0; align-items: center; }
.value { font-weight: 600; overflow-wrap: anywhere; } .segments small { white-space: nowrap; }
.differences p { margin: 0; } .differences small { display: inline-block; margin-right: .75rem; }
.higher, .lower, .broken { color: var(--changed); } .holds { color: var(--good); } .open { color: var(--soft); }
@media (min-width: 40rem) { .segments li { grid-template-columns: 8rem 1fr 13rem; gap: .75rem; margin: .35rem 0; }
  .differences li { grid-template-columns: 11rem 1fr 17rem; gap: .75rem; }
  .segments small { display: block; } dl { grid-template-columns: max-content 1fr; } }
footer { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .75rem; color: var(--soft);
  font-size: .85rem; }
@media print { .headline { border: 1px solid var(--line); } .causes > li { break-inside: avoid; } }
"""
