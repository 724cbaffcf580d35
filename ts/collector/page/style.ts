/** How the page looks, by day and by night. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --ground: #f6f8fa; --card: #fff; --line: #dfe5ea; --text: #16212b; --quiet: #5d6b78;
  --river: #0b7285; --fresh: #d9f3f6; --warn: #b4540a;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e151b; --card: #151f27; --line: #263440; --text: #e3ebf1; --quiet: #8fa0ae;
    --river: #4cc4d6; --fresh: #17404a; --warn: #f0a35e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.5 system-ui, sans-serif; }
header, .bar { display: flex; align-items: center; justify-content: space-between; gap: 1rem; }
header { padding: 1rem clamp(1rem, 3vw, 2rem); border-bottom: 1px solid var(--line); background: var(--card); }
h1 { margin: 0; font-size: 1.15rem; letter-spacing: -.01em; display: flex; align-items: center; gap: .5rem; }
h1 span { color: var(--quiet); font-weight: 400; }
h1 svg { width: 1.9rem; fill: none; stroke: var(--river); stroke-width: 2.2; stroke-linecap: round; }
h2 { margin: 0; font-size: .95rem; }
#state { margin: 0; color: var(--quiet); display: flex; align-items: center; gap: .45rem; }
#state::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: currentColor; }
#state.live { color: var(--river); }
#state.away { color: var(--warn); }
main {
  display: grid; grid-template-columns: minmax(13rem, 18rem) minmax(0, 1fr); align-items: start;
  gap: 1rem; padding: 1rem clamp(1rem, 3vw, 2rem); max-width: 90rem; margin: auto;
}
main:has(#topics:empty) { grid-template-columns: minmax(0, 1fr); max-width: 52rem; }
#topics:empty { display: none; }
#topics { display: grid; gap: 1rem; }
article, #records { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
article { padding: .8rem 1rem; }
article h2 { display: flex; justify-content: space-between; gap: .5rem; overflow-wrap: anywhere; }
article h2 b { font-variant-numeric: tabular-nums; }
article.letters h2 { color: var(--warn); }
article p { margin: 0 0 .5rem; color: var(--quiet); font-size: .85rem; }
.partition {
  display: grid; grid-template-columns: 1.6rem 1fr auto; align-items: center; gap: .5rem;
  font-size: .85rem; font-variant-numeric: tabular-nums; color: var(--quiet);
}
.partition progress { width: 100%; height: .4rem; appearance: none; border: 0; border-radius: 1rem; overflow: hidden; background: var(--ground); }
.partition progress::-webkit-progress-bar { background: var(--ground); }
.partition progress::-webkit-progress-value { background: var(--river); border-radius: 1rem; }
.partition progress::-moz-progress-bar { background: var(--river); }
.bar { padding: .7rem 1rem; border-bottom: 1px solid var(--line); }
button {
  font: inherit; color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: .4rem; padding: .15rem .8rem; cursor: pointer;
}
button:hover, button[aria-pressed="true"] { border-color: var(--river); color: var(--river); }
:focus-visible { outline: 2px solid var(--river); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th { text-align: left; font-weight: 500; color: var(--quiet); font-size: .8rem; padding: .5rem 1rem; }
td { padding: .4rem 1rem; border-top: 1px solid var(--line); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
td, pre { unicode-bidi: isolate; }
th:nth-child(1) { width: 8.5rem; } th:nth-child(4) { width: 22%; } th:nth-child(5) { width: 7rem; }
.number { text-align: right; }
td:nth-child(1), td:nth-child(5) { font-variant-numeric: tabular-nums; color: var(--quiet); }
td:nth-child(2) { font-weight: 550; }
td:nth-child(3) { font-family: var(--mono); font-size: .8rem; }
#rows tr.record { cursor: pointer; }
#rows tr.fresh { animation: arrive 2s ease-out; }
#rows tr.record:hover { background: var(--ground); }
@keyframes arrive { from { background: var(--fresh); } }
@media (prefers-reduced-motion: reduce) { #rows tr.fresh { animation: none; } }
pre {
  margin: 0; padding: .8rem 1rem; background: var(--ground); border-radius: .4rem; font: .8rem/1.55 var(--mono);
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto;
}
td.detail p { margin: 0 0 .5rem; color: var(--quiet); font: .75rem var(--mono); overflow-wrap: anywhere; }
td.detail { padding: 0 1rem .8rem; border-top: 0; white-space: normal; font-variant-numeric: normal; color: inherit; }
#empty { padding: 1rem; color: var(--quiet); }
#empty p { margin-top: 0; }
[hidden] { display: none !important; }
@media (max-width: 46rem) {
  main, main:has(#topics:empty) { grid-template-columns: minmax(0, 1fr); }
  th, td { padding-inline: .7rem; }
  th:nth-child(1) { width: 7.4rem; } th:nth-child(5) { width: 4.5rem; }
  th:nth-child(3), tr.record td:nth-child(3) { display: none; }
  th:nth-child(4) { width: 28%; }
}
`
