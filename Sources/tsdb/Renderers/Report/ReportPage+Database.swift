import Maintenance
import Operations
import Timekeeping

/// What is in the database: views, tables, sequences, indexes, ages; and the checks.
extension ReportPage {
  func views(_ views: ReportViews) -> Markup {
    let shown = shown(views.views)
    let rows = shown.rows.map { view -> [Markup] in
      let period = view.periodSeconds.map { Double($0) }
      let age = view.ageSeconds.map { Double($0) }
      // As the check judges: two periods, six periods.
      let share = if let age, let period, period > 0 { age / period } else { 0.0 }
      let status: HealthStatus = share > 6 ? .critical : share > 2 ? .warning : .ok
      let refreshed: Markup =
        view.isPopulated ? timeAndAge(view.refreshed) : chip(.critical) + "<br/>\(word(.notPopulated))"
      return [
        name(view.name), refreshed, view.periodSeconds.map { "\(format.span($0))" } ?? "–",
        view.job.map(name) ?? "\(word(.noJob))",
        view.ageSeconds == nil ? "–" : bar(share / 6, status) + (status == .ok ? "" : chip(status)),
        view.bytes.map { "\(format.bytes($0))" } ?? "–",
      ]
    }
    let columns = [
      Column(word(.view)), Column(word(.refreshed), "when"), Column(word(.due), "when"),
      Column(word(.job), "short"),
      Column(word(.age), "barcell"), Column(word(.size), "number"),
    ]
    return (views.gap.map(gap) ?? "") + table(word(.viewsCaption), columns, rows) + shown.more
  }

  func retention(_ list: ReportList<ReportBacklog>) -> Markup {
    let shown = shown(list)
    let rows = shown.rows.map { row -> [Markup] in
      var cells: [Markup] = [name(row.table), name(row.job), "\(format.span(row.keepSeconds))"]
      switch row.rows {
      case .known(let rows) where rows.count == 0: cells += [chip("ok", "✓", word(.nothingOverdue)), "–"]
      case .known(let rows):
        let count = format.number(rows.count)
        cells += [
          chip("warning", "!", rows.hasMore ? word(.moreThan, count) : count), timeAndAge(rows.oldest),
        ]
      case .unknown(let gap): cells += [self.gap(gap), "–"]
      case .absent: cells += ["–", "–"]
      }
      return cells
    }
    let columns = [
      Column(word(.table)), Column(word(.job), "short"), Column(word(.keep), "when"),
      Column(word(.overdueRows)),
      Column(word(.oldest), "when"),
    ]
    return table(word(.retentionCaption), columns, rows) + shown.more
  }

  func tables(_ tables: ReportTables) -> Markup {
    let largest = Double(tables.tables.rows.first?.bytes ?? 1)
    let shown = shown(tables.tables)
    let rows = shown.rows.map { table -> [Markup] in
      let partitions: Markup? =
        table.partitions > 0
        ? "<br/><span class=\"quiet\">\(word(.partitions, format.number(table.partitions)))</span>" : nil
      return [
        name(table.name) + (partitions ?? ""), bar(Double(table.bytes) / max(1, largest)),
        "\(format.bytes(table.bytes))", "\(format.bytes(table.indexBytes))",
        table.rows.map { "\(format.number($0))" } ?? "–",
      ]
    }
    let columns = [
      Column(word(.table)), Column(word(.share), "barcell"), Column(word(.size), "number"),
      Column(word(.indexSize), "number"), Column(word(.rows), "number"),
    ]
    let caption = word(.tablesCaption, format.number(shown.rows.count), format.number(tables.tables.count))
    return table(caption, columns, rows)
      + "<p class=\"more\">\(word(.ofAll, format.bytes(tables.totalBytes)))</p>"
  }

  func sequences(_ list: ReportList<ReportSequence>) -> Markup {
    let shown = shown(list, limit: 10)
    let rows = shown.rows.map { sequence -> [Markup] in
      if let gap = sequence.gap {
        return [name(sequence.name), sequence.column.map(name) ?? "–", self.gap(gap), "–", "–"]
      }
      let status: HealthStatus =
        sequence.isEndless ? .ok : sequence.used > 90 ? .critical : sequence.used > 75 ? .warning : .ok
      let left = sequence.last.map { sequence.limit.subtractingReportingOverflow($0) }
      return [
        name(sequence.name), sequence.column.map(name) ?? "–",
        bar(sequence.used / 100, status) + (status == .ok ? "" : chip(status)),
        "\(format.percent(sequence.used))",
        sequence.isEndless
          ? "\(word(.endless))"
          : left.map { $0.overflow ? "–" : "\(format.number($0.partialValue.magnitude))" } ?? "–",
      ]
    }
    let columns = [
      Column(word(.sequence)), Column(word(.column)), Column(word(.share), "barcell"),
      Column(word(.used), "number"),
      Column(word(.left), "number"),
    ]
    return table(word(.sequencesCaption), columns, rows) + shown.more
  }

  // MARK: Indexes

  func indexes(_ indexes: ReportIndexes) -> Markup {
    var parts: Markup = "<h3>\(word(.invalidTitle))</h3>"
    parts += list(indexes.invalid, empty: .noInvalid, caption: .invalidCaption, .critical)
    parts += "<h3>\(word(.duplicateTitle))</h3>"
    parts += list(indexes.duplicate, empty: .noDuplicate, caption: .duplicateCaption, .warning)
    parts += "<h3>\(word(.unusedTitle))</h3>"
    if let since = format.time(indexes.countedSince) {
      let seconds = format.now - since
      parts += "<p class=\"quiet\">\(word(.countedSince, format.moment(since), format.span(seconds)))"
      parts += seconds < 28 * 86_400 ? " \(word(.shortWindow))</p>" : "</p>"
    }
    return parts
      + part(indexes.unused, empty: .noUnused) { list($0, empty: .noUnused, caption: .unusedCaption, nil) }
  }

  private func list(
    _ list: ReportList<ReportIndexes.Index>, empty: ReportWord, caption: ReportWord, _ status: HealthStatus?
  ) -> Markup {
    guard list.count > 0 else { return "<p>\(status == nil ? "" : chip(.ok) + " ")\(word(empty))</p>" }
    let hasOriginals = list.rows.contains { $0.original != nil }
    let hasSizes = list.rows.contains { $0.bytes != nil }
    let shown = shown(list, limit: 20)
    let rows = shown.rows.map { index -> [Markup] in
      [name(index.name), name(index.table)] + (hasOriginals ? [index.original.map(name) ?? "–"] : [])
        + (hasSizes ? [index.bytes.map { "\(format.bytes($0))" } ?? "–"] : [])
    }
    let columns =
      [Column(word(.index)), Column(word(.table))] + (hasOriginals ? [Column(word(.sameAs))] : [])
      + (hasSizes ? [Column(word(.size), "number")] : [])
    return table(word(caption), columns, rows) + shown.more
  }

  // MARK: Wraparound

  func wraparound(_ wraparound: ReportWraparound) -> Markup {
    let end = Double(max(1, wraparound.failsafeAge))
    let shown = shown(wraparound.databases, limit: 20)
    let rows = shown.rows.map { age -> [Markup] in
      let share = Double(age.transactions) / end
      let late = Double(wraparound.freezeMaxAge + 100_000_000)
      let status: HealthStatus = share > 1 ? .critical : Double(age.transactions) > late ? .warning : .ok
      return [
        name(age.database), bar(share, status) + (status == .ok ? "" : chip(status)),
        "\(format.number(age.transactions))", "\(format.number(age.multixacts))",
      ]
    }
    let columns = [
      Column(word(.database)), Column(word(.share), "barcell"), Column(word(.transactions), "number"),
      Column(word(.multixacts), "number"),
    ]
    let oldest = wraparound.oldestRelation.map { " " + word(.oldestRelation, $0.text) } ?? ""
    let limits = word(.limits, format.number(wraparound.freezeMaxAge), format.number(wraparound.failsafeAge))
    return table(word(.wraparoundCaption), columns, rows) + shown.more
      + "<p class=\"more\">\(limits + oldest)</p>"
  }

  // MARK: Checks

  /// The worst first.
  var checks: Markup {
    let order: [HealthStatus] = [.critical, .unknown, .warning, .ok]
    let sorted = order.flatMap { status in facts.checks.filter { $0.status == status } }
    let rows = sorted.map { check -> [Markup] in
      let problems = check.problems.rows.prefix(max(3, min(8, self.rows / 8)))
      let rest = check.problems.count - problems.count
      let text = problems.enumerated().map { index, problem in
        // The same help for all of them stands below the last.
        let next = index + 1 < problems.count ? problems[index + 1].remedy : nil
        return self.problem(problem, remedy: next == problem.remedy ? nil : problem.remedy)
      }.joined()
      return [
        "\(ReportReason(check.name, language).title)<br/><span class=\"quiet\">\(check.name)</span>",
        chip(check.status),
        problems.isEmpty ? english(check.summary) : text + more(rest),
      ]
    }
    return table(
      word(.checksCaption), isTitled: true,
      [Column(word(.check)), Column(word(.state)), Column(word(.problem), "wide")], rows
    )
  }

  private func problem(_ problem: ReportProblem, remedy: ReportText?) -> Markup {
    let detail: Markup? = problem.detail.map { " <span class=\"quiet\">\(english($0))</span>" }
    let help: Markup? = remedy.map { "<br/><code class=\"quiet\" lang=\"en\">\($0.text)</code>" }
    return "<p>\(english(problem.summary))\(detail)\(help)</p>"
  }
}
