import Checklists
import Deployments
import Operations
import Timekeeping

extension DeploymentRecord.Step where Name == DeploymentStep {
  /// How long the last attempt took; empty where it has no end.
  var duration: String {
    guard outcome != .skipped, let seconds = StepClock.seconds(from: started, to: ended) else { return "" }
    return seconds < 10
      ? "\(Int(seconds * 10) / 10).\(Int(seconds * 10) % 10) s" : ProgressLine.duration(seconds)
  }

  private func mark(_ style: Style) -> String {
    let word = outcome.rawValue.padding(to: 7)
    return switch outcome {
    case .done: findings.isEmpty ? style.good(word) : style.careful(word)
    case .failed: style.bad(word)
    case .skipped: style.faint(word)
    case .running: style.careful(word)
    }
  }

  /// While it goes on; what was done stands in the result.
  func brief(style: Style) -> String {
    "\(mark(style))  \(step.rawValue)" + (duration.isEmpty ? "" : style.faint(" (\(duration))"))
  }

  /// Such as `done     backup     4.0 s  …`.
  func line(style: Style) -> String {
    let (name, mark) = (step.rawValue.padding(to: 9), mark(style))
    let what = Terminal.printable(summary ?? because ?? "")
    return "\(mark)  \(name)  \(duration.padding(to: 10))  \(what)"
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}

extension Deploy.Result {
  func text(style: Style) -> String {
    var lines = [headline(style)]
    for entry in record.steps.sorted(by: { $0.step < $1.step }) {
      lines.append(entry.line(style: style))
      lines += entry.findings.prefix(20).map { "           \(style.faint("-")) \(Terminal.printable($0))" }
      if entry.findings.count > 20 { lines.append("           and \(entry.findings.count - 20) more") }
    }
    if let checklist {
      lines.append("checklist: \(ChecklistText.counts(checklist.counts))")
      lines.append("  filled in: \(Terminal.printable(checklist.filled))")
      lines.append(
        "  evidence:  \(Terminal.printable(checklist.evidence)), sha256 \(checklist.evidenceSHA256)")
    }
    if let report { lines.append("report:    \(Terminal.printable(report))") }
    lines.append("record:    \(Terminal.printable(directory))")
    lines.append("way back:  \(wayBack)")
    return lines.joined(separator: "\n")
  }

  private var wayBack: String {
    if record.state == .rolledBack { return "was taken" }
    if hasWayBack {
      let backup = record.backup
      return
        "tsdb rollback, to the backup \(backup?.id ?? "") (\(backup?.isProven == true ? "proven" : "not proven"))"
    }
    if record.hasChangedDatabase, record.backup == nil {
      return "none: the deployment has no backup of its own"
    }
    return "not needed: nothing of it has reached the database"
  }

  private func headline(_ style: Style) -> String {
    let time = record.ended.flatMap { UTCTime($0) }.flatMap { end in
      UTCTime(record.started).map { " in \(ProgressLine.duration(Double(end - $0)))" }
    }
    let name = "\(record.id) of \"\(Terminal.printable(record.database))\""
    switch record.state {
    case .deployed:
      let head = record.headAfter.map { ", at \($0)" } ?? ""
      return hasFindings
        ? "\(style.careful("deployed, with findings")) \(name)\(time ?? "")\(head)"
        : "\(style.good("deployed")) \(name)\(time ?? "")\(head)"
    case .rolledBack: return "\(style.bad("failed, and rolled back")) \(name)"
    default: return "\(style.bad("failed")) \(name)"
    }
  }
}

extension DeployPlan.Result {
  func text(style: Style) -> String {
    var lines = [
      resumes.map { "would continue \($0) of \"\(Terminal.printable(database))\"" }
        ?? "would deploy to \"\(Terminal.printable(database))\""
        + (givesUp.map { ", anew: \($0) would be given up" } ?? "")
    ]
    if let refusal { lines.append("\(style.bad("refused:")) \(refusal)") }
    for step in steps {
      let time = step.expectedSeconds.map { "about \(ProgressLine.duration(Double($0)))" } ?? ""
      let action = step.action.padding(to: 4)
      let mark = step.action == "run" ? style.good(action) : style.faint(action)
      lines.append(
        "\(mark)  \(step.step.rawValue.padding(to: 9))  \(time.padding(to: 12))  \(Terminal.printable(step.what))"
      )
    }
    for problem in problems {
      lines.append("\(style.bad("in the way:")) \(Terminal.printable(problem.problem))")
      if let remedy = problem.remedy {
        lines.append("  \(style.good("hint:")) \(Terminal.printable(remedy))")
      }
    }
    lines += notes.map { "note: \(Terminal.printable($0))" }
    lines.append(
      hasWayBack
        ? "way back: tsdb rollback, to the deployment's own backup"
        : "\(style.careful("way back: none")), as the deployment has no backup of its own")
    if let expectedSeconds {
      lines.append(
        "expected: about \(ProgressLine.duration(Double(expectedSeconds))), as earlier deployments took")
    }
    lines.append("nothing was changed")
    return lines.joined(separator: "\n")
  }
}
