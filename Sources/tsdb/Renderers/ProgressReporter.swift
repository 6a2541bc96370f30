import Migrations
import Synchronization

/// Shows what a runner reports, on standard error.
final class ProgressReporter: Sendable {
  enum Detail: Sendable {
    case none
    case files
    case statements
  }

  private struct State {
    var isLineOpen = false
    var lastDrawn: ContinuousClock.Instant?
    var index = 0
    var total = 0
  }

  private let detail: Detail
  /// Whether one line is redrawn in place.
  private let isLive: Bool
  private let style: Style
  private let state = Mutex(State())

  init(detail: Detail, isLive: Bool, style: Style) {
    self.detail = detail
    self.isLive = isLive
    self.style = style
  }

  var report: RunReporter { { [self] event in show(event) } }

  /// Clears the live line before a result is printed.
  func finish() {
    state.withLock { clear(&$0) }
  }

  /// Redraws the live line, where there is one.
  func live(_ text: String) {
    guard isLive else { return }
    state.withLock { draw(text, &$0) }
  }

  /// A line that stays; left out with --quiet.
  func note(_ text: String) {
    guard detail != .none else { return }
    write(text)
  }

  /// A warning, which is always shown.
  func warning(_ message: String, detail more: String?, hint: String?) {
    write(Self.warningText(message, detail: more, hint: hint, style: style))
  }

  private func write(_ text: String) {
    state.withLock { state in
      clear(&state)
      Terminal.writeError(text)
    }
  }

  private static func warningText(
    _ message: String, detail more: String?, hint: String?, style: Style
  ) -> String {
    [
      "\(style.careful("warning:")) \(Terminal.printable(message))",
      more.map { "\(style.faint("detail:")) \(indented($0))" },
      hint.map { "\(style.good("hint:")) \(Terminal.printable($0))" },
    ].compactMap { $0 }.joined(separator: "\n")
  }

  private func show(_ event: RunEvent) {
    state.withLock { state in
      switch event {
      case .started(_, let index, let total):
        (state.index, state.total) = (index, total)
      case .statement(let name, let index, let total, let tag, let line):
        if detail == .statements {
          Terminal.writeError("\(name):\(line): \(tag.lowercased())")
        } else if isLive {
          draw(
            "\(bar(index, total)) [\(state.index + 1)/\(state.total)] \(name) \(index + 1)/\(total) \(tag.lowercased())",
            &state)
        }
      default:
        guard let text = text(of: event) else { return }
        clear(&state)
        Terminal.writeError(text)
      }
    }
  }

  /// The line for an event; nil where the chosen detail leaves it out. Warnings are always shown.
  private func text(of event: RunEvent) -> String? {
    switch event {
    case .started, .statement: nil
    case .finished(let name, let milliseconds, let statements):
      detail == .none
        ? nil
        : "\(style.good("ok")) \(name) \(style.faint("(\(counted(statements, "statement")), \(milliseconds) ms)"))"
    case .appliedElsewhere(let name):
      detail == .none ? nil : "\(style.faint("--")) \(name) was applied by another run"
    case .notice(_, let severity, let message, let more, let hint, let location):
      noticeText(severity: severity, message: message, detail: more, hint: hint, location: location)
    case .waitingForRunner(let holder):
      "waiting for another run" + (holder.map { ": \($0)" } ?? "")
    case .blocked(let name, let sessions, let seconds):
      "\(name) has waited \(Int(seconds)) s for a lock, blocked by "
        + sessions.map(\.description).joined(separator: "; ")
    case .retrying(let name, let attempt, let total, let pause, let blockers):
      "\(name) did not get its lock"
        + (blockers.isEmpty ? "" : " (blocked by \(blockers.map(\.description).joined(separator: "; ")))")
        + ": attempt \(attempt) of \(total) in \(pause.milliseconds) ms"
    case .indexProgress(let name, let phase, let done, let total):
      detail == .none ? nil : "\(name): \(phase)" + (total > 0 ? " \(done * 100 / total) %" : "")
    case .recovered(let name, let statement, let outcome):
      "\(name): \(statement) of an interrupted run: \(outcome)"
    case .warning(let message, let more, let hint):
      Self.warningText(message, detail: more, hint: hint, style: style)
    }
  }

  private func noticeText(
    severity: String, message: String, detail more: String?, hint: String?, location: SourceLocation
  ) -> String? {
    let isWarning = severity == "WARNING"
    guard isWarning || detail != .none else { return nil }
    let label = isWarning ? style.careful("warning:") : "notice:"
    return [
      "\(label) \(Terminal.printable(message)) \(style.faint("(\(location))"))",
      more.map { "\(style.faint("detail:")) \(Self.indented($0))" },
      hint.map { "\(style.good("hint:")) \($0)" },
    ].compactMap { $0 }.joined(separator: "\n")
  }

  private static func indented(_ text: String) -> String {
    Terminal.printable(text).split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: "\n        ")
  }

  func bar(_ done: Int, _ total: Int) -> String {
    let width = 16
    let filled = total > 0 ? done * width / total : 0
    return String(repeating: "━", count: filled) + style.faint(String(repeating: "─", count: width - filled))
  }

  private func draw(_ line: String, _ state: inout State) {
    // Twenty times a second is more than the eye can follow, and a slow terminal must not slow the run.
    let now = ContinuousClock.now
    if let last = state.lastDrawn, now - last < .milliseconds(50) { return }
    state.lastDrawn = now
    // Colour codes take no room, so a coloured line may be cut a little early.
    Terminal.writeErrorRaw(
      "\r\u{1B}[K" + String(line.prefix(Terminal.width + (style.isColoured ? 8 : 0) - 1)))
    state.isLineOpen = true
  }

  private func clear(_ state: inout State) {
    guard state.isLineOpen else { return }
    Terminal.writeErrorRaw("\r\u{1B}[K")
    state.isLineOpen = false
  }
}
