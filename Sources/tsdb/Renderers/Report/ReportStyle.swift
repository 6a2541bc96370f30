/// The look of the page: one column, light and dark, on paper. Nothing is fetched.
enum ReportStyle {
  static let sheet: Markup = """
    :root {
      color-scheme: light dark;
      --paper: #ffffff; --soft: #f6f6f4; --line: #dcdcd6; --ink: #1c1d1f; --quiet: #585c63; --link: #1d4e89;
      --bar: #3f6ea3; --track: #e4e6e8; --amber: #c08a1e;
      --ok: #19643a; --ok-soft: #e7f3ea; --warning: #7a4a00; --warning-soft: #fdf1d6;
      --critical: #a01420; --critical-soft: #fce8e8; --unknown: #474c57; --unknown-soft: #ebedf0;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #16181b; --soft: #1e2125; --line: #353a41; --ink: #e8e9eb; --quiet: #a9afb8; --link: #9cc3f2;
        --bar: #7ea9d9; --track: #2c3137; --amber: #d3a23c;
        --ok: #84d6a4; --ok-soft: #17301f; --warning: #f0c570; --warning-soft: #372a0c;
        --critical: #ffa3a3; --critical-soft: #421719; --unknown: #c5cbd4; --unknown-soft: #2a2f36;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
    body {
      margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI",
      Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; font-variant-numeric: tabular-nums;
    }
    .page { max-width: 72rem; margin: 0 auto; padding: 3rem 2rem 4rem; }
    a { color: var(--link); text-underline-offset: 0.15em; }
    .skip { position: absolute; left: -100rem; }
    .skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: 0.5rem 1rem; outline: 2px solid var(--link); }
    h1, h2, h3 { line-height: 1.2; font-weight: 600; letter-spacing: -0.012em; text-wrap: balance; }
    h1 { font-size: 2.25rem; margin: 0.25rem 0 0.75rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.375rem; margin: 0 0 0.35rem; }
    h3 { font-size: 1rem; margin: 2rem 0 0.5rem; }
    p { margin: 0 0 0.75rem; max-width: 46rem; }
    .kicker { color: var(--quiet); font-size: 0.8125rem; letter-spacing: 0.08em; text-transform: uppercase; margin: 0; }
    .facts { display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; margin: 0; font-size: 0.9375rem; }
    .facts div { display: flex; gap: 0.5rem; min-width: 0; }
    .facts dt { color: var(--quiet); }
    .facts dd { margin: 0; overflow-wrap: anywhere; }
    .lead { color: var(--quiet); margin-bottom: 1.25rem; }
    section { margin-top: 3.5rem; }
    section > h2 { padding-top: 1.25rem; border-top: 1px solid var(--line); }
    .verdict { margin-top: 2.5rem; border: 1px solid var(--line); border-left: 6px solid var(--unknown); padding: 1.75rem 2rem 2rem; border-radius: 4px; }
    .verdict > h2 { border: 0; padding: 0; font-size: 1.75rem; }
    .verdict.ok { border-left-color: var(--ok); } .verdict.warning { border-left-color: var(--warning); }
    .verdict.critical { border-left-color: var(--critical); }
    .verdict.ok > h2 { color: var(--ok); } .verdict.warning > h2 { color: var(--warning); }
    .verdict.critical > h2 { color: var(--critical); } .verdict.unknown > h2 { color: var(--unknown); }
    .areas { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2.5rem; margin: 1.5rem 0 0; }
    .areas > div { border-top: 1px solid var(--line); padding-top: 0.75rem; }
    .areas dt { font-weight: 600; display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; }
    .areas dd { margin: 0.15rem 0 0; color: var(--quiet); font-size: 0.9375rem; }
    .areas a { color: inherit; }
    .steps { margin: 0; padding: 0; list-style: none; counter-reset: step; }
    .steps > li { counter-increment: step; position: relative; padding: 0 0 0 2.75rem; margin: 1rem 0 0; }
    .steps > li::before {
      content: counter(step); position: absolute; left: 0; top: -0.05rem; width: 1.75rem; height: 1.75rem; line-height: 1.7rem;
      text-align: center; border: 1px solid currentColor; border-radius: 50%; font-weight: 600; font-size: 0.9375rem;
    }
    .steps p { margin: 0; } .steps .say { font-weight: 600; } .steps .why { color: var(--quiet); }
    .chip {
      display: inline-block; white-space: nowrap; font-size: 0.8125rem; font-weight: 600; line-height: 1.5; padding: 0 0.55rem;
      border-radius: 2rem; color: var(--unknown); background: var(--unknown-soft); border: 1px solid transparent;
    }
    .chip.ok { color: var(--ok); background: var(--ok-soft); }
    .chip.warning { color: var(--warning); background: var(--warning-soft); }
    .chip.critical { color: var(--critical); background: var(--critical-soft); }
    .chip .sign { display: inline-block; min-width: 0.9em; text-align: center; margin-right: 0.3em; }
    .contents { margin: 2rem 0 0; font-size: 0.9375rem; }
    .contents ul { margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0.35rem 1.5rem; }
    .scroll { overflow-x: auto; margin: 0 0 0.5rem; }
    .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
    table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; line-height: 1.45; }
    caption { text-align: left; color: var(--quiet); font-size: 0.875rem; padding: 0 0 0.5rem; }
    th, td { text-align: left; vertical-align: top; padding: 0.45rem 1.25rem 0.45rem 0; border-bottom: 1px solid var(--line); }
    th:last-child, td:last-child { padding-right: 0; }
    thead th { color: var(--quiet); font-size: 0.8125rem; font-weight: 600; border-bottom-color: var(--quiet); vertical-align: bottom; }
    tbody th { font-weight: 400; }
    tbody tr.group th { font-weight: 600; padding-top: 1.25rem; border-bottom-color: var(--quiet); }
    .number { text-align: right; white-space: nowrap; }
    .when, .short { white-space: nowrap; } .short .name { overflow-wrap: normal; }
    .name { font: 0.875rem/1.45 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; unicode-bidi: isolate; }
    .wide { min-width: 14rem; }
    .quiet { color: var(--quiet); font-size: 0.875rem; }
    .more { color: var(--quiet); font-size: 0.875rem; margin: 0.5rem 0 0; overflow-wrap: anywhere; }
    th[scope="row"] .name { display: inline-block; min-width: 12rem; } th.short .name, .calendar th .name { min-width: 0; }
    td .name { display: inline-block; min-width: 9rem; } td.short .name { min-width: 0; }
    code { overflow-wrap: anywhere; }
    code, pre { font: 0.8125rem/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
    pre { margin: 0.35rem 0 0; padding: 0.5rem 0.75rem; background: var(--soft); border-radius: 3px; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 60rem; }
    .gap { border-left: 3px solid var(--unknown); padding: 0.25rem 0 0.25rem 1rem; margin: 0.5rem 0 1rem; max-width: 60rem; }
    .gap p { margin: 0; }
    .bar { display: block; width: 100%; min-width: 6rem; height: 0.5rem; margin-top: 0.4rem; }
    .barcell { width: 24%; min-width: 7rem; }
    .track { fill: var(--track); } .fill { fill: var(--bar); }
    .fill.warning { fill: var(--warning); } .fill.critical { fill: var(--critical); }
    .seg.proved { fill: var(--ok); } .seg.attested { fill: var(--bar); } .seg.failed { fill: var(--critical); }
    .seg.not-applicable { fill: var(--line); } .seg.unknown { fill: var(--amber); } .seg.unbound { fill: var(--quiet); }
    .ladder .bar { height: 0.75rem; margin-top: 0.3rem; }
    .timeline { display: block; width: 100%; min-width: 44rem; height: auto; }
    .timeline text { fill: var(--quiet); font-size: 13px; font-family: inherit; }
    .timeline .grid { stroke: var(--line); } .timeline .lane { stroke: var(--quiet); stroke-width: 1; }
    .mark { stroke-width: 2; stroke: var(--paper); fill: var(--bar); }
    .mark.hollow { fill: var(--paper); stroke: var(--bar); } .mark.gone { fill: var(--track); stroke: var(--quiet); stroke-width: 1; }
    .mark.proof { fill: var(--ok); stroke: var(--paper); }
    .cross { stroke: var(--critical); stroke-width: 2.5; fill: none; }
    .now { stroke: var(--ink); }
    .legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; padding: 0; margin: 0.75rem 0 0; list-style: none; font-size: 0.875rem; color: var(--quiet); }
    .legend svg { vertical-align: -0.2em; margin-right: 0.4em; }
    .calendar { font-size: 0.875rem; }
    .calendar th, .calendar td { padding: 0.4rem 0.25rem; text-align: center; white-space: nowrap; }
    .calendar th:first-child { text-align: left; padding-right: 1rem; }
    abbr { text-decoration: none; }
    .day { border-radius: 3px; display: inline-block; min-width: 1.9rem; padding: 0.05rem 0.2rem; font-weight: 600; font-size: 0.8125rem; }
    .day.ok { color: var(--ok); background: var(--ok-soft); } .day.warning { color: var(--warning); background: var(--warning-soft); }
    .day.critical { color: var(--critical); background: var(--critical-soft); } .day.none { color: var(--quiet); font-weight: 400; }
    .aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: 0.875rem; }
    @media (max-width: 40rem) {
      .page { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.75rem; } .verdict { padding: 1.25rem 1.25rem 1.5rem; }
      .verdict > h2 { font-size: 1.375rem; } section { margin-top: 2.75rem; } .steps > li { padding-left: 2.5rem; }
    }
    @media print {
      :root {
        color-scheme: light; --paper: #ffffff; --soft: #f4f4f2; --line: #cfcfc9; --ink: #000000; --quiet: #45484d; --link: #1d4e89;
        --bar: #3f6ea3; --track: #e4e6e8; --amber: #c08a1e; --ok: #19643a; --ok-soft: #e7f3ea; --warning: #7a4a00; --warning-soft: #fdf1d6;
        --critical: #a01420; --critical-soft: #fce8e8; --unknown: #474c57; --unknown-soft: #ebedf0;
      }
      @page { margin: 16mm 14mm 18mm; }
      html { font-size: 9.5pt; }
      body { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      .page { max-width: none; padding: 0; }
      .contents, .skip { display: none; }
      section { margin-top: 2rem; } h2, h3, caption, .lead { break-after: avoid; } th[scope="row"] .name, td .name { min-width: 0; }
      .verdict { margin-top: 1.25rem; break-inside: avoid; }
      tr, .steps > li, .timeline, .gap { break-inside: avoid; }
      thead { display: table-header-group; break-after: avoid; }
      .scroll { overflow: visible; } .timeline { min-width: 0; } .wide { min-width: 0; }
      .calendar th, .calendar td { padding: 0.3rem 0.05rem; } .day { min-width: 1.5rem; }
      a { color: inherit; text-decoration: none; }
    }
    """
}
