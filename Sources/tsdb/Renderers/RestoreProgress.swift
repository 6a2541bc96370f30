import Backups
import Synchronization

/// Shows how a restore goes, on standard error: a bar on a terminal, or with `--json` one document a line.
final class RestoreProgress: Sendable {
  private let invocation: Invocation
  private let state = Mutex(State())

  private struct State {
    var phase = RestorePhase.verify
    var started = ContinuousClock.now
    var lastLine: ContinuousClock.Instant?
    var entry = ""
  }

  private static let lineInterval = Duration.seconds(1)

  init(_ invocation: Invocation) {
    self.invocation = invocation
  }

  var report: RestoreReporter { { [self] event in show(event) } }

  /// The result: the last document of the stream, or text.
  func finished<Result: Encodable>(_ result: Result, text: (Result, Style) -> String) {
    invocation.progress.finish()
    Terminal.writeOutput(
      invocation.options.json
        ? JSONText.encodeLine(FinishedLine(result: result)) : text(result, invocation.outputStyle))
  }

  private func show(_ event: RestoreEvent) {
    if case .phase(let phase) = event {
      state.withLock { state in
        state.phase = phase
        state.started = .now
        state.entry = ""
      }
    }
    if invocation.options.json {
      showLine(event)
      return
    }
    switch event {
    case .phase(let phase): invocation.progress.live(Self.title(phase))
    case .progress(let phase, let done, let total):
      let (started, entry) = state.withLock { ($0.started, $0.entry) }
      invocation.progress.live(
        ProgressLine.text(
          done: done, total: total, bytes: done, seconds: (ContinuousClock.now - started).seconds,
          what: entry.isEmpty ? Self.title(phase) : entry, style: invocation.errorStyle))
    case .entry(let label, let number, let total):
      let line = "\(number)/\(total) \(label)"
      state.withLock { $0.entry = line }
      if invocation.options.verbose {
        invocation.progress.note(line)
      } else {
        invocation.progress.live(line)
      }
    case .removedLeftover(let name):
      invocation.progress.note("dropped the database \"\(name)\", which an interrupted restore had left")
    case .retrying(let entry, let attempt, let reason):
      invocation.progress.note("\(entry) is run again (attempt \(attempt)): \(reason)")
    case .note(let text): invocation.progress.note(text)
    }
  }

  /// One document for a program to follow.
  private struct Line: Encodable {
    var event: String
    var phase: RestorePhase?
    var done: Int64?
    var total: Int64?
    var entry: String?
    var database: String?
    var message: String?
  }

  private func showLine(_ event: RestoreEvent) {
    switch event {
    case .phase(let phase): write(Line(event: "phase", phase: phase))
    case .progress(let phase, let done, let total):
      let now = ContinuousClock.now
      let isDue = state.withLock { state in
        if let last = state.lastLine, now - last < Self.lineInterval { return false }
        state.lastLine = now
        return true
      }
      if isDue { write(Line(event: "progress", phase: phase, done: done, total: total)) }
    case .entry(let label, let number, let total):
      write(Line(event: "entry", done: Int64(number), total: Int64(total), entry: label))
    case .removedLeftover(let name): write(Line(event: "removed", database: name))
    case .retrying(let entry, _, let reason): write(Line(event: "retrying", entry: entry, message: reason))
    case .note(let text): write(Line(event: "note", message: text))
    }
  }

  private func write(_ line: Line) { Terminal.writeOutput(JSONText.encodeLine(line)) }

  private static func title(_ phase: RestorePhase) -> String {
    switch phase {
    case .verify: "verifying the files"
    case .preflight: "looking at the server"
    case .create: "making the database"
    case .preData: "making tables, types and functions"
    case .data: "loading the data"
    case .postData: "building indexes and constraints"
    case .privileges: "granting privileges"
    case .late: "refreshing materialized views"
    case .analyze: "gathering statistics"
    case .check: "comparing with the archive"
    case .finish: "finishing"
    }
  }
}

extension RestoreReport {
  func text(style: Style, isDryRun: Bool) -> String {
    var lines: [String] = []
    let seconds = Double(milliseconds) / 1000
    let size = "\(counted(tables, "table")), \(counted(Int(rows), "row")), \(ByteCount.text(bytes))"
    if isDryRun {
      lines.append("would restore \(source) into \"\(database)\": \(size); nothing was changed")
    } else {
      let proof =
        switch checked {
        case _ where tables == 0: "there were no rows to compare"
        case "content": "every row was read again and is equal"
        case "counts": "the numbers of rows are equal"
        default: "nothing was compared"
        }
      lines.append(
        "\(style.good("restored")) \(source) into \"\(database)\" in \(ProgressLine.duration(seconds))")
      lines.append("\(size); \(proof)")
    }
    if let stateOf { lines.append(style.faint("state of \(stateOf)")) }
    lines += notes.map { "note: \(Terminal.printable($0))" }
    lines += leftOut.map { "left out: \(Terminal.printable($0))" }
    lines += removedLeftovers.map {
      isDryRun
        ? "would drop \"\($0)\", which an interrupted restore left"
        : "dropped \"\($0)\", left by an interrupted restore"
    }
    return lines.joined(separator: "\n")
  }
}
