import Maintenance
import Operations
import Timekeeping

extension ReportFacts {
  /// The verdict, a line for each area, and what to do next.
  func text(style: Style) -> String {
    let zone = (try? TimeZoneRules(named: timeZone)) ?? .utc
    let format = ReportFormat(language: .en, zone: zone, now: UTCTime(time) ?? .now)
    let summary = ReportSummary(facts: self, language: .en, format: format)
    let place =
      "\(server.database.text) on \(server.host.text), PostgreSQL \(server.version.text), role \(server.role.text)"
    var lines = ["\(Self.word(verdict.status, style, width: 0)): \(place)"]
    for area in verdict.areas {
      let name = area.subject.rawValue.padded(to: 11)
      let status = area.status.map { Self.word($0, style, width: 9) } ?? style.faint("–".padded(to: 9))
      lines.append("  \(name)  \(status)  \(summary.line(area.subject))")
    }
    if !verdict.next.isEmpty { lines.append("next:") }
    for (index, step) in verdict.next.enumerated() {
      let more = step.count > 1 ? " (and \(step.count - 1) more)" : ""
      lines.append("  \(index + 1). \(step.detail.text)\(more)")
      if let remedy = step.remedy { lines.append("     \(style.faint(remedy.text))") }
    }
    if verdict.omitted > 0 {
      lines.append("  and \(verdict.omitted) more: tsdb check, tsdb report --html FILE")
    }
    return Terminal.printable(
      lines.joined(separator: "\n").replacing("\u{A0}", with: " ").replacing("\u{202F}", with: " "))
  }

  private static func word(_ status: HealthStatus, _ style: Style, width: Int) -> String {
    let text = status.reportWord.text(.en).lowercased().padded(to: width)
    return switch status {
    case .ok: style.good(text)
    case .critical: style.bad(text)
    case .warning, .unknown: style.careful(text)
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
