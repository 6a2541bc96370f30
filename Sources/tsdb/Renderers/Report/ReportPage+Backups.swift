import Maintenance
import Operations
import Timekeeping

/// Backups: over time, and one by one.
extension ReportPage {
  func backups(_ backups: ReportBackups) -> Markup {
    var notes = backups.gaps.map(gap).joined()
    if !backups.isRepositoryThere { notes += "<p>\(word(.repositoryAway))</p>" }
    if backups.foreign > 0 { notes += "<p>\(word(.foreignBackups, format.number(backups.foreign)))</p>" }
    let facts: [(String, Markup)] = [
      (word(.newestBackup), backups.newest == nil ? "\(word(.noUsable))" : timeAndAgeInline(backups.newest)),
      (
        word(.lastProof),
        backups.newestProof == nil ? "\(word(.neverProven))" : timeAndAgeInline(backups.newestProof)
      ),
    ]
    let list = facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as Markup }.joined()
    return notes + "<dl class=\"facts\">\(list)</dl>" + timeline(backups) + rows(backups)
  }

  private func timeAndAgeInline(_ text: String?) -> Markup {
    guard let text, let time = format.time(text) else { return "–" }
    return self.time(text) + " (\(format.ago(time)))"
  }

  private func rows(_ backups: ReportBackups) -> Markup {
    let shown = shown(backups.backups, limit: 15)
    let rows = shown.rows.map { row -> [Markup] in
      let status: HealthStatus? =
        switch row.state {
        case "proven", "verified": .ok
        case "damaged": .critical
        case "abandoned": .warning
        default: nil
        }
      let detail: Markup? = row.detail.map { "<br/><span class=\"quiet\">\(english($0))</span>" }
      return [
        name(row.id) + (row.label.map { "<br/><span class=\"quiet\">\($0.text)</span>" } ?? ""),
        chip(status?.style ?? "", status?.sign ?? "–", ReportState.text(row.state, language))
          + (detail ?? ""),
        row.bytes.map { "\(format.bytes($0))" } ?? "–", row.rows.map { "\(format.number($0))" } ?? "–",
        row.seconds.map { "\(format.span($0))" } ?? "–", time(row.verified), time(row.proven),
      ]
    }
    let columns = [
      Column(word(.backup)), Column(word(.state)), Column(word(.size), "number"),
      Column(word(.rows), "number"),
      Column(word(.duration), "number"), Column(word(.verified), "when"), Column(word(.proven), "when"),
    ]
    return table(word(.backupsCaption), isTitled: true, columns, rows) + shown.more
  }

  // MARK: The timeline

  private enum Place {
    static let (width, height) = (960.0, 148.0)
    static let (left, right) = (96.0, 30.0)
    static let (backups, proofs, axis) = (34.0, 84.0, 118.0)
  }

  private func timeline(_ backups: ReportBackups) -> Markup {
    let times = backups.backups.rows.compactMap { row in format.time(row.started).map { (row, $0) } }
    let trials = backups.trials.rows.compactMap { row in format.time(row.time).map { (row, $0) } }
    guard let oldest = (times.map(\.1) + trials.map(\.1)).min() else { return "" }
    // A week at least, a quarter at most.
    let end = format.now
    let start = max(min(oldest + -43_200, end + -7 * 86_400), end + -92 * 86_400)
    let span = Double(max(1, end - start))
    func x(_ time: UTCTime) -> String {
      let share = max(0, min(1, Double(time - start) / span))
      return Self.decimal(Place.left + share * (Place.width - Place.left - Place.right))
    }
    let shownBackups = times.filter { $0.1 >= start }
    let shownTrials = trials.filter { $0.1 >= start }
    let marks = shownBackups.reversed().map { row, time in mark(row, x(time)) }.joined()
    let proofs = shownTrials.reversed().map { trial, time in
      trial.succeeded ? diamond(x(time), Place.proofs) : cross(x(time), Place.proofs)
    }.joined()
    let description = word(
      .timelineDescription, format.number(shownBackups.count), format.number(shownTrials.count),
      format.date(start),
      format.date(end))
    let older = backups.backups.count - shownBackups.count
    let picture: Markup = """
      <svg class="timeline" viewBox="0 0 960 148" width="960" height="148" role="img" aria-labelledby="timeline-title timeline-text">
      <title id="timeline-title">\(word(.timeline))</title><desc id="timeline-text">\(description)</desc>
      \(grid(start, end, x))
      <line class="lane" x1="\(Self.decimal(Place.left))" x2="930" y1="34" y2="34"/>
      <line class="lane" x1="\(Self.decimal(Place.left))" x2="930" y1="84" y2="84"/>
      <text x="0" y="39">\(word(.axisBackups))</text><text x="0" y="89">\(word(.axisProofs))</text>
      <g>\(marks)</g><g>\(proofs)</g>
      </svg>
      """
    return "<h3>\(word(.timeline))</h3>" + scrolling(word(.timeline), picture) + legend
      + (older > 0 ? "<p class=\"more\">\(word(.timelineOlder, format.number(older)))</p>" : "")
      + "<h3>\(word(.backupsCaption))</h3>"
  }

  private func mark(_ row: ReportBackups.Backup, _ x: String) -> Markup {
    switch row.state {
    case "damaged", "abandoned": cross(x, Place.backups)
    case "verified", "proven": circle(x, "")
    case "removed": circle(x, " gone", "4")
    default: circle(x, " hollow")
    }
  }

  private func circle(_ x: String, _ style: String, _ radius: String = "6") -> Markup {
    "<circle class=\"mark\(style)\" cx=\"\(x)\" cy=\"34\" r=\"\(radius)\"/>"
  }

  private func diamond(_ x: String, _ y: Double) -> Markup {
    "<path class=\"mark proof\" transform=\"translate(\(x) \(Self.decimal(y)))\" d=\"M0 -8 L8 0 L0 8 L-8 0 Z\"/>"
  }

  private func cross(_ x: String, _ y: Double) -> Markup {
    "<path class=\"cross\" transform=\"translate(\(x) \(Self.decimal(y)))\" d=\"M-5 -5 L5 5 M-5 5 L5 -5\"/>"
  }

  /// A line with its date for each day, week or month, whichever are not too many.
  private func grid(_ start: UTCTime, _ end: UTCTime, _ x: (UTCTime) -> String) -> Markup {
    let days = (end - start) / 86_400
    let step: Int64 = days <= 10 ? 1 : days <= 31 ? 4 : 14
    var lines: [Markup] = []
    var day = format.zone.local(start).day + 1
    let last = format.zone.local(end).day
    while day <= last {
      let date = UTCTime(secondsSince1970: day * 86_400).date
      let moment = format.zone.utcTimes(ofLocal: date.year, date.month, date.day, 0, 0).first
      if let moment, moment >= start, moment <= end {
        lines.append(
          """
          <line class="grid" x1="\(x(moment))" x2="\(x(moment))" y1="12" y2="118"/>\
          <text x="\(x(moment))" y="138" text-anchor="middle">\(date.day) \(format.month(date.month))</text>
          """)
      }
      day += step
    }
    return lines.joined()
      + "<line class=\"now\" x1=\"\(x(end))\" x2=\"\(x(end))\" y1=\"12\" y2=\"118\"/>"
      + "<text x=\"\(x(end))\" y=\"8\" text-anchor=\"middle\">\(word(.today))</text>"
  }

  private var legend: Markup {
    func entry(_ shape: Markup, _ text: ReportWord) -> Markup {
      """
      <li><svg viewBox="-10 -10 20 20" width="18" height="18" aria-hidden="true">\(shape)</svg>\(word(text))</li>
      """
    }
    return """
      <ul class="legend">\
      \(entry("<circle class=\"mark hollow\" r=\"6\"/>", .markBackup))\
      \(entry("<circle class=\"mark\" r=\"6\"/>", .markVerified))\
      \(entry("<circle class=\"mark gone\" r=\"4\"/>", .markRemoved))\
      \(entry("<path class=\"mark proof\" d=\"M0 -8 L8 0 L0 8 L-8 0 Z\"/>", .markProof))\
      \(entry("<path class=\"cross\" d=\"M-5 -5 L5 5 M-5 5 L5 -5\"/>", .markDamaged))</ul>
      """
  }
}
