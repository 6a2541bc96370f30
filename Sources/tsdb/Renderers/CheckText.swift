import Maintenance
import Operations

extension HealthReport {
  /// As the Monitoring Plugins guidelines want it: one line with all performance data, then one line for each
  /// problem.
  ///
  /// A bar and a line end have a meaning there, so what comes from the server or a file is shown without.
  func text(isQuiet: Bool) -> String {
    ([Plugin.line(status, summary, performance: findings.flatMap(\.performance))] + (isQuiet ? [] : lines))
      .joined(separator: "\n")
  }

  /// The findings with the worst status, then the others that are not fine.
  var summary: String {
    let bad = findings.filter { $0.status != .ok }
    guard !bad.isEmpty else {
      return HealthText.count(Int64(findings.count), "check", "checks") + (database.map { " of \($0)" } ?? "")
    }
    let ordered = bad.filter { $0.status == status } + bad.filter { $0.status != status }
    let shown = ordered.prefix(5).map {
      $0.status == status ? $0.summary : "\($0.status.word): \($0.summary)"
    }
    return shown.joined(separator: "; ") + (bad.count > 5 ? "; and \(bad.count - 5) more" : "")
  }

  /// At most 20 of a check: some readers take no more than 8 kB. `--json` has them all.
  private var lines: [String] {
    findings.flatMap { finding in
      let shown = finding.problems.prefix(20).map { problem in
        var line = "\(problem.status.word) \(finding.check): \(problem.summary)"
        if let detail = problem.detail { line += ". \(detail)" }
        if let remedy = problem.remedy { line += " -> \(remedy)" }
        return Plugin.printable(line)
      }
      let rest = finding.problems.count - shown.count
      return shown + (rest > 0 ? ["\(finding.status.word) \(finding.check): and \(rest) more"] : [])
    }
  }

}

/// What monitoring systems read of a plugin.
enum Plugin {
  static func line(_ status: HealthStatus, _ summary: String, performance: [PerformanceData] = []) -> String {
    let summary = printable(summary)
    let data = performance.map(\.text).joined(separator: " ")
    return "TSDB \(status.word) - \(summary.count > 800 ? summary.prefix(800) + "…" : summary[...])"
      + (data.isEmpty ? "" : " | \(data)")
  }

  /// On one line and without a bar, behind which performance data is looked for.
  static func printable(_ text: String) -> String {
    Terminal.printable(
      text.replacing("\r\n", with: " ").replacing("\n", with: " ").replacing("\t", with: " ")
        .replacing("|", with: "¦"))
  }
}

/// The checks, as `--list` shows them.
struct CheckList: Encodable {
  let checks: [HealthCheckDescription]

  func text(style: Style) -> String {
    checks.map { check in
      var lines = [style.bold(check.name), "  looks at: \(check.looksAt)"]
      if check.rights != "none" { lines.append("  needs: \(check.rights)") }
      for threshold in check.thresholds {
        let limits = [("warning", threshold.warning), ("critical", threshold.critical)].compactMap {
          name, value in
          value.map { "\(name) \(threshold.text($0))" }
        }
        lines.append(
          "  \(threshold.name): \(threshold.meaning)"
            + (limits.isEmpty ? "" : "; \(limits.joined(separator: ", "))"))
      }
      return lines.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
