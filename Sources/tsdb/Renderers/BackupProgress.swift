import Backups
import Synchronization

/// Shows how a backup goes, on standard error: a bar on a terminal, or with `--json` one document a line.
final class BackupProgress: Sendable {
  private let invocation: Invocation
  private let started = ContinuousClock.now
  private let state = Mutex(State())

  private struct State {
    var phase = BackupEvent.Phase.locking
    var lastLine: ContinuousClock.Instant?
  }

  /// How often a program that reads JSON lines hears of the progress.
  private static let lineInterval = Duration.seconds(1)

  init(_ invocation: Invocation) {
    self.invocation = invocation
  }

  var report: BackupReporter { { [self] event in show(event) } }

  /// The result: the last document of the stream, or text.
  func finished<Result: Encodable>(_ result: Result, text: (Result, Style) -> String) {
    invocation.progress.finish()
    Terminal.writeOutput(
      invocation.options.json
        ? JSONText.encodeLine(FinishedLine(result: result)) : text(result, invocation.outputStyle))
  }

  private func show(_ event: BackupEvent) {
    if invocation.options.json {
      showLine(event)
      return
    }
    switch event {
    case .phase(let phase):
      state.withLock { $0.phase = phase }
      invocation.progress.live(Self.title(phase))
    case .progress(let progress):
      invocation.progress.live(text(progress))
    case .snapshot(let id):
      if invocation.options.verbose { invocation.progress.note("snapshot \(id)") }
    case .tableFinished(let name, let rows, let bytes):
      if invocation.options.verbose {
        invocation.progress.note("\(name): \(counted(Int(rows), "row")), \(ByteCount.text(bytes))")
      }
    case .waitingBehind(let sessions):
      for waiting in sessions {
        invocation.progress.warning(Self.text(waiting), detail: waiting.query, hint: nil)
      }
    case .removed(let leftover):
      invocation.progress.note("removed what an interrupted run had left: \(leftover)")
    case .warning(let message, let detail, let hint):
      invocation.progress.warning(message, detail: detail, hint: hint)
    }
  }

  /// One document for a program to follow.
  private struct Line: Encodable {
    var event: String
    var phase: BackupEvent.Phase?
    var progress: BackupEvent.Progress?
    var snapshot: String?
    var table: String?
    var rows: Int64?
    var bytes: Int64?
    var waiting: [BackupEvent.Waiting]?
    var message: String?
    var detail: String?
    var hint: String?
  }

  private func showLine(_ event: BackupEvent) {
    switch event {
    case .phase(let phase): write(Line(event: "phase", phase: phase))
    case .progress(let progress):
      let now = ContinuousClock.now
      let isDue = state.withLock { state in
        if let last = state.lastLine, now - last < Self.lineInterval { return false }
        state.lastLine = now
        return true
      }
      if isDue { write(Line(event: "progress", progress: progress)) }
    case .snapshot(let id): write(Line(event: "snapshot", snapshot: id))
    case .tableFinished(let name, let rows, let bytes):
      write(Line(event: "table", table: name, rows: rows, bytes: bytes))
    case .waitingBehind(let sessions): write(Line(event: "waiting", waiting: sessions))
    case .removed(let leftover): write(Line(event: "removed", message: leftover))
    case .warning(let message, let detail, let hint):
      write(Line(event: "warning", message: message, detail: detail, hint: hint))
    }
  }

  private func write(_ line: Line) { Terminal.writeOutput(JSONText.encodeLine(line)) }

  private static func title(_ phase: BackupEvent.Phase) -> String {
    switch phase {
    case .locking: "locking the tables"
    case .schema: "reading the schema"
    case .data: "reading the data"
    case .largeObjects: "reading large objects"
    case .finishing: "writing to disk"
    }
  }

  private static func text(_ waiting: BackupEvent.Waiting) -> String {
    "\(waiting.user)\(waiting.application.isEmpty ? "" : " (\(waiting.application))"), process \(waiting.processID), "
      + "waits for \(waiting.mode) on \(waiting.relation) until this backup ends"
  }

  private func text(_ progress: BackupEvent.Progress) -> String {
    let elapsed = (ContinuousClock.now - started).seconds
    return ProgressLine.text(
      done: progress.sizeDone, total: progress.size, bytes: progress.bytes, seconds: elapsed,
      what: "\(progress.tablesDone)/\(progress.tables) tables", style: invocation.errorStyle)
  }
}
