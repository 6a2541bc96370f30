import Maintenance
import Operations

/// Shows how jobs go: live on a terminal, nothing where nobody looks, and up to five lines of what failed.
struct MaintainProgress: Sendable {
  private let invocation: Invocation
  /// Somebody looks: a terminal, or --verbose.
  private let isWatched: Bool

  init(_ invocation: Invocation) {
    self.invocation = invocation
    isWatched = Terminal.isErrorTerminal || invocation.options.verbose
  }

  var report: MaintainRun.Reporter { { show($0) } }

  private func show(_ event: MaintainRun.Event) {
    switch event {
    case .began(let job, let reason):
      if invocation.options.verbose { note("\(job): \(reason)") }
      invocation.progress.live(job)
    case .job(let job, let event): show(job, event)
    case .ended: break
    case .warning(let message, let detail, let hint):
      invocation.progress.warning(message, detail: detail, hint: hint)
    }
  }

  private func show(_ job: String, _ event: JobEvent) {
    switch event {
    case .began(let object, let phase): invocation.progress.live("\(job): \(object) \(phase)")
    case .progress(let object, let done, let total):
      let share = total.map { $0 > 0 ? " \(min(100, done * 100 / $0)) %" : "" } ?? " \(done)"
      invocation.progress.live("\(job): \(object)\(share)")
    case .yielded(let object, let waiter, let milliseconds):
      note("\(job): \(object) gave way to session \(waiter) after \(milliseconds) ms")
    case .waiting(let object, let reason): note("\(job): \(object) waits: \(reason)")
    case .finished(let object):
      if invocation.options.verbose { note("\(job): \(MaintainRun.text(of: object))") }
    case .healed(let what): note("\(job): healed: \(what)")
    case .note(let text): note("\(job): \(text)")
    case .warning(let message, let detail, let hint):
      // Where nobody looks a warning would be a mail every five minutes; it is recorded, and "tsdb check" tells of
      // what matters.
      if isWatched { invocation.progress.warning("\(job): \(message)", detail: detail, hint: hint) }
    }
  }

  private func note(_ text: String) {
    if isWatched { invocation.progress.note(Terminal.printable(text)) }
  }

  /// The result, where somebody or a program looks, and what failed.
  ///
  /// - Parameter areNamed: whether the jobs were asked for by name; then one that was skipped is told of as well.
  func finished(_ result: MaintainRun.Result, areNamed: Bool) {
    invocation.progress.finish()
    if invocation.options.json {
      invocation.print(result) { _, _ in "" }
    } else if Terminal.isOutputTerminal || invocation.options.verbose {
      invocation.print(result) { $0.text(style: $1) }
    }
    let failed = result.runs.filter { $0.outcome == .failed }
    let style = invocation.errorStyle
    // Never more than five lines.
    let shown = areNamed ? 2 : 3
    for run in failed.prefix(shown) {
      let state = run.sqlState.map { " (SQLSTATE \($0))" } ?? ""
      Terminal.writeError(
        "\(style.bad("error:")) \(run.job) failed: \(Self.oneLine(run.reason ?? "no reason was given"))\(state)"
      )
    }
    if failed.count > shown {
      Terminal.writeError("\(style.bad("error:")) and \(failed.count - shown) more failed")
    }
    if areNamed {
      for run in result.runs.filter({ $0.outcome == .skipped }).prefix(failed.isEmpty ? 5 : 1) {
        Terminal.writeError(
          "\(style.careful("skipped:")) \(run.job): \(Self.oneLine(run.reason ?? "no reason was given"))")
      }
    }
    guard let first = failed.first else { return }
    let hint = first.hint ?? "see \"tsdb maintain status\"; to run it now: tsdb maintain \(first.job)"
    Terminal.writeError("\(style.good("hint:")) \(Self.oneLine(hint))")
  }

  private static func oneLine(_ text: String) -> String {
    Terminal.printable(text.split(whereSeparator: \.isNewline).joined(separator: "; "))
  }
}
