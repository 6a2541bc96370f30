import Maintenance
import Operations

extension MaintainRun {
  /// Such as `public.t: deleted, 5000 rows, 1.2 MB, 340 ms`.
  static func text(of object: JobObject) -> String {
    var parts = [object.action]
    if let rows = object.rows { parts.append(counted(Int(rows), "row")) }
    if let bytes = object.bytes { parts.append(ByteCount.text(bytes)) }
    if let milliseconds = object.milliseconds { parts.append("\(milliseconds) ms") }
    let detail = object.detail.map { ": \($0)" } ?? ""
    return "\(object.name): \(parts.joined(separator: ", "))\(detail)"
  }
}

extension MaintainRun.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    if runs.isEmpty { lines.append("nothing is due" + (next.map { "; the next job is due at \($0)" } ?? "")) }
    for run in runs {
      var parts = ["\(run.milliseconds) ms"]
      if run.rows > 0 { parts.append(counted(Int(run.rows), "row")) }
      if run.yields > 0 { parts.append("gave way \(counted(run.yields, "time"))") }
      if let backlog = run.backlog, backlog > 0 { parts.append("\(backlog) left") }
      let word = colour(run.outcome, style)
      let reason = run.reason.map { ": \(Terminal.printable($0))" } ?? ""
      lines.append("\(word) \(run.job)\(reason) \(style.faint("(\(parts.joined(separator: ", ")))"))")
      let worked = run.objects.filter { !$0.neededNothing }
      lines += worked.prefix(20).map { "   \(Terminal.printable(MaintainRun.text(of: $0)))" }
      if worked.count > 20 { lines.append("   and \(worked.count - 20) more") }
      let idle = run.objects.count - worked.count
      if idle > 0 { lines.append(style.faint("   \(counted(idle, "object")) needed nothing")) }
    }
    lines += waiting.map { "\(style.faint("--")) \($0.job) waits: \($0.reason)" }
    return lines.joined(separator: "\n")
  }

  private func colour(_ outcome: JobOutcome, _ style: Style) -> String {
    switch outcome {
    case .ok: style.good("ok")
    case .failed: style.bad("failed")
    case .partial, .skipped, .running: style.careful(outcome.rawValue)
    }
  }
}

extension MaintainStatus.Result {
  func text(style: Style) -> String {
    var table = TextTable(["JOB", "STATE", "LAST RUN", "OUTCOME", "LAST SUCCESS", "TAKES", "NEXT", "NOTE"])
    for job in jobs {
      var note: [String] = []
      if job.skipsInARow > 0 { note.append("skipped \(counted(job.skipsInARow, "time"))") }
      if let backlog = job.backlog, backlog > 0 { note.append("\(backlog) left") }
      // Why a job waits says what its last run failed for.
      if let reason = job.lastReason, job.state != "waiting" || !job.reason.contains(reason) {
        note.append(reason)
      }
      if job.state == "waiting" { note.append(job.reason) }
      table.add([
        job.job, job.state, job.lastRun ?? "never", job.lastOutcome?.rawValue ?? "",
        job.lastSuccess ?? "never",
        job.medianMilliseconds.map { ProgressLine.duration(Double($0) / 1000) } ?? "", job.next ?? "",
        Terminal.printable(note.joined(separator: "; ")),
      ])
    }
    return table.text(style: style) { column, cell in
      switch (column, cell) {
      case (3, "failed"): style.bad(cell)
      case (3, "partial"), (3, "skipped"), (1, "waiting"): style.careful(cell)
      case (3, "ok"): style.good(cell)
      default: cell
      }
    }
  }
}

extension MaintainPlan.Result {
  func text(style: Style) -> String {
    let running = jobs.filter(\.runs)
    var lines: [String] = []
    for job in running {
      let takes = job.expectedMilliseconds.map { ", takes \(ProgressLine.duration(Double($0) / 1000))" } ?? ""
      lines.append(
        "\(style.bold(job.job)) \(style.faint("(\(job.kind), \(job.schedule)\(takes)): \(job.reason)"))")
      if let problem = job.problem {
        lines.append("  \(style.bad("cannot look:")) \(Terminal.printable(problem))")
      }
      lines += Self.lines(job.steps, style)
      if job.steps.isEmpty, job.problem == nil { lines.append("  nothing to do") }
      lines += job.notes.map { "  note: \(Terminal.printable($0))" }
    }
    for job in jobs where !job.runs { lines.append("\(style.faint("--")) \(job.job): \(job.reason)") }
    lines.append("would run \(counted(running.count, "job")) at \(at); nothing was changed")
    return lines.joined(separator: "\n")
  }
}

extension MaintainPlan.Result {
  /// A line for each step, and its locks where they differ from those of the step before.
  private static func lines(_ steps: [MaintainPlan.Step], _ style: Style) -> [String] {
    var lines: [String] = []
    var locks: [String] = []
    for step in steps.prefix(40) {
      if step.locks != locks { lines += step.locks.map { "  \(style.faint(Terminal.printable($0)))" } }
      locks = step.locks
      let detail = step.detail.map { $0.isEmpty ? "" : ": \($0)" } ?? ""
      lines.append("    \(Terminal.printable("\(step.object): \(step.action)\(detail)"))")
    }
    if steps.count > 40 { lines.append("    and \(steps.count - 40) more") }
    return lines
  }
}

extension JobObject {
  /// It was looked at, and was as it should be.
  fileprivate var neededNothing: Bool { action == "skipped" && detail?.hasPrefix("nothing to do") == true }
}
