import Maintenance
import Operations

extension ScheduleResult {
  func text(style: Style) -> String {
    var lines: [String] = []
    for change in changes {
      let isChange = !["unchanged", "absent"].contains(change.action)
      let action = isDryRun && isChange ? "would be \(change.action)" : change.action
      lines.append(
        "\(isChange ? style.careful(action) : style.good(action)): \(Terminal.printable(change.place))")
      if isDryRun, isChange { lines.append(coloured(change.diff, style)) }
    }
    if !taken.isEmpty {
      lines.append("pg_cron does: \(taken.joined(separator: ", "))")
      lines.append("  disable these in tsdb.yaml (enabled: false), or both do them")
    }
    if !left.isEmpty {
      lines.append("left to tsdb maintain:")
      lines += left.map { "  \($0.job): \(Terminal.printable($0.reason))" }
    }
    if !calls.isEmpty {
      lines.append(
        "next calls (UTC): " + calls.map { String($0.dropFirst(11).prefix(5)) }.joined(separator: ", "))
    }
    if !commands.isEmpty {
      lines.append("systemd does not run here; where it does, type:")
      lines += commands.map { "  \($0)" }
    }
    return lines.joined(separator: "\n")
  }

  func diffText(style: Style) -> String {
    changes.filter { !$0.diff.isEmpty }.map { coloured($0.diff, style) }.joined(separator: "\n")
  }

  private func coloured(_ diff: String, _ style: Style) -> String {
    diff.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).map { line in
      let text = Terminal.printable(line)
      return line.hasPrefix("+") ? style.good(text) : line.hasPrefix("-") ? style.bad(text) : text
    }.joined(separator: "\n").trimmingLineEnd
  }
}

extension String {
  fileprivate var trimmingLineEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}

extension ScheduleShow.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    if entries.isEmpty { lines.append("nothing is installed here") }
    for entry in entries {
      lines.append("\(style.bold(entry.name)): \(entry.target.rawValue), \(Terminal.printable(entry.place))")
      lines += entry.text.split(separator: "\n").map { "  \(Terminal.printable(String($0)))" }
      if !entry.next.isEmpty {
        lines.append("  \(style.faint("next calls")) " + entry.next.map(\.text).joined(separator: ", "))
      }
      lines.append("")
    }
    if !jobs.isEmpty {
      var table = TextTable(["JOB", "SCHEDULE (\(zone))", "NEXT (UTC)", "LOCAL"])
      for job in jobs {
        let first = job.next.first
        table.add([
          job.name, job.isEnabled ? job.schedule : "disabled", first?.utcText ?? "", first?.local ?? "",
        ])
        for moment in job.next.dropFirst() { table.add(["", "", moment.utcText, moment.local]) }
      }
      lines.append(table.text(style: style))
    }
    lines += warnings.map { "\(style.careful("warning:")) \(Terminal.printable($0))" }
    return lines.joined(separator: "\n")
  }
}

extension ScheduleShow.Result.Moment {
  fileprivate var utcText: String { utc.prefix(10) + " " + utc.dropFirst(11).prefix(5) }
  fileprivate var text: String {
    let time = "\(utc.dropFirst(11).prefix(5)) UTC"
    return local.hasSuffix(" UTC") ? time : "\(time) (\(local.dropFirst(11)))"
  }
}
