import Checklists
import Maintenance
import Operations
import Timekeeping

/// Deployments, their checklist and the migrations.
extension ReportPage {
  func deployments(_ list: ReportList<ReportDeployment>) -> Markup {
    let shown = shown(list)
    let rows = shown.rows.map { row -> [Markup] in
      [
        name(row.id), chip(row.state), time(row.started),
        row.ended == nil ? "\(word(.running))" : time(row.ended),
      ]
    }
    let columns = [
      Column("ID"), Column(word(.state)), Column(word(.started), "when"), Column(word(.ended), "when"),
    ]
    return table(word(.deployment), isTitled: true, columns, rows) + shown.more
      + steps(list.rows.first?.steps ?? [])
  }

  private func steps(_ steps: [ReportDeployment.Step]) -> Markup {
    guard !steps.isEmpty else { return "" }
    let rows = steps.map { step -> [Markup] in
      let because: Markup? = step.because.map {
        "<br/><span class=\"quiet\">\(word(.skippedBecause, $0.text))</span>"
      }
      return [
        name(step.step), chip(step.outcome) + (because ?? ""), time(step.started), duration(step),
        step.summary.map(english) ?? "–",
      ]
    }
    let columns = [
      Column(word(.step), "short"), Column(word(.state)), Column(word(.started), "when"),
      Column(word(.duration), "number"), Column(word(.result), "wide"),
    ]
    return "<h3>\(word(.stepsTitle))</h3>" + table(word(.stepsCaption), columns, rows)
  }

  private func duration(_ step: ReportDeployment.Step) -> Markup {
    guard let start = format.time(step.started), let end = format.time(step.ended) else { return "–" }
    return "\(format.span(end - start))"
  }

  /// Of a deployment or of one of its steps.
  private func chip(_ state: ReportText) -> Markup {
    let text = ReportState.text(state.text, language, isOfDeployment: true)
    return switch state.text {
    case "deployed", "done": chip("ok", "✓", text)
    case "failed", "rolling-back": chip("critical", "✕", text)
    case "running": chip("warning", "…", text)
    case "skipped": chip("warning", "–", text)
    default: chip("", "–", text)
    }
  }

  // MARK: The checklist

  func checklist(_ list: ReportChecklist) -> Markup {
    let stranger: Markup? =
      list.isOfThisDatabase == false ? "<p>\(chip(.unknown)) \(word(.otherDatabase))</p>" : nil
    return """
      \(stranger)
      \(ladder(list))
      \(items(list))
      <p class="more">\(word(.evidenceIs, list.document.text, moment(list.started), list.sha256))</p>
      """
  }

  private func ladder(_ list: ReportChecklist) -> Markup {
    let rows = list.phases.map { phase -> Markup in
      let total = phase.counts.values.reduce(0, +)
      let proved = phase.counts[ProbeState.proved.rawValue] ?? 0
      let others = ReportSummary(facts: facts, language: language, format: format)
        .counts(phase.counts.filter { $0.key != ProbeState.proved.rawValue })
      let label = word(phase.phase.reportWord)
      return """
        <tr><th scope="row">\(label)</th><td class="barcell">\(rung(phase.counts, total, label))</td>\
        <td class="number">\(format.number(proved)) / \(format.number(total))</td><td>\(others.isEmpty ? "–" : others)</td></tr>
        """
    }.joined("\n")
    let head = [(word(.phase), ""), (word(.share), ""), (word(.ofItems), "number"), (word(.others), "")]
      .map { "<th scope=\"col\" class=\"\($0.1)\">\($0.0)</th>" as Markup }.joined()
    return scrolling(
      word(.ladderCaption),
      """
      <table class="ladder"><caption>\(word(.ladderCaption))</caption><thead><tr>\(head)</tr></thead>
      <tbody>\(rows)</tbody></table>
      """)
  }

  /// A step of the ladder: the states side by side.
  private func rung(_ counts: [String: Int], _ total: Int, _ label: String) -> Markup {
    var x = 0.0
    let segments = ProbeState.allCases.compactMap { state -> Markup? in
      guard let count = counts[state.rawValue], total > 0 else { return nil }
      let width = Double(count) / Double(total) * 100
      defer { x += width }
      return """
        <rect class="seg \(state.rawValue)" x="\(Self.decimal(x))" width="\(Self.decimal(width))" height="8"/>
        """
    }.joined()
    let summary = ReportSummary(facts: facts, language: language, format: format).counts(counts)
    return """
      <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" width="120" height="8" role="img">\
      <title>\(label)</title><desc>\(summary)</desc><rect class="track" width="100" height="8"/>\(segments)</svg>
      """
  }

  private func items(_ list: ReportChecklist) -> Markup {
    let shown = shown(list.items, limit: rows * 4)
    let groups = ChecklistPhase.allCases.map { phase -> Markup in
      let items = shown.rows.filter { $0.phase == phase }
      guard !items.isEmpty else { return "" }
      return "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"3\">\(word(phase.reportWord))</th></tr>\n"
        + items.map(row).joined("\n")
    }.joined("\n")
    let head = [word(.item), word(.state), word(.seen)].map { "<th scope=\"col\">\($0)</th>" as Markup }
      .joined()
    return "<h3>\(word(.itemsCaption))</h3>"
      + scrolling(
        word(.itemsCaption),
        """
        <table><caption class="aside">\(word(.itemsCaption))</caption><thead><tr>\(head)</tr></thead>
        <tbody>\(groups)</tbody></table>
        """) + shown.more
  }

  private func row(_ item: ReportChecklist.Item) -> Markup {
    let section: Markup? = item.section.map { "<br/><span class=\"quiet\">\($0.text)</span>" }
    let by: Markup? = item.attestedBy.map {
      "<br/><span class=\"quiet\">\(word(.attestedBy, $0.text))</span>"
    }
    let remedy: Markup? =
      item.state == .proved
      ? nil : item.remedy.map { "<br/><code class=\"quiet\" lang=\"en\">\($0.text)</code>" }
    return """
      <tr><th scope="row">\(item.item.text)\(section)</th><td>\(chip(item.state))\(by)</td>\
      <td class="wide">\(english(item.observed))\(remedy)</td></tr>
      """
  }

  private func chip(_ state: ProbeState) -> Markup {
    let (style, sign) =
      switch state {
      case .proved: ("ok", "✓")
      case .attested: ("ok", "✎")
      case .failed: ("critical", "✕")
      case .unknown: ("warning", "?")
      case .unbound: ("", "·")
      case .notApplicable: ("", "–")
      }
    return chip(style, sign, word(state.reportWord))
  }

  // MARK: Migrations

  func migrations(_ migrations: ReportMigrations) -> Markup {
    let shown = shown(migrations.migrations)
    let rows = shown.rows.map { row -> [Markup] in
      let status: HealthStatus =
        switch row.state {
        case "applied", "cosmetic-edit": .ok
        case "pending", "changed-repeatable": .warning
        default: .critical
        }
      return [
        name(row.name), chip(status.style, status.sign, ReportState.text(row.state, language)),
        row.version.map { "\($0.text)" } ?? "–",
        time(row.applied), row.appliedBy.map { "\($0.text)" } ?? "–",
        row.milliseconds.map { "\(format.milliseconds(Int64($0)))" } ?? "–",
      ]
    }
    let columns = [
      Column(word(.migration)), Column(word(.state)), Column(word(.version)), Column(word(.applied), "when"),
      Column(word(.appliedBy)), Column(word(.duration), "number"),
    ]
    return table(word(.migrationsCaption), columns, rows) + shown.more + "<h3>\(word(.log))</h3>"
      + part(migrations.log, empty: .noMigrations, log)
  }

  private func log(_ list: ReportList<ReportMigrations.Event>) -> Markup {
    let shown = shown(list, limit: 15)
    let rows = shown.rows.map { event -> [Markup] in
      [
        time(event.time), english(event.action), name(event.name), "\(event.actor.text)",
        event.reason.map { "\($0.text)" } ?? "–",
      ]
    }
    let columns = [
      Column(word(.when), "when"), Column(word(.action)), Column(word(.name)), Column(word(.actor)),
      Column(word(.reason)),
    ]
    return table(word(.logCaption), columns, rows) + shown.more
  }
}
