import Postgres
import Synchronization

/// Looks, from a connection of its own, at what a long statement is doing and waiting for.
///
/// The connection is opened only once a statement has run for 100 ms, so quick runs do not pay for
/// it. A failure to look is not a failure of the run.
public final class StatementWatch: Sendable {
  private struct Current {
    let name: String
    let processID: Int
    let since: ContinuousClock.Instant
  }

  private struct State {
    var current: Current?
    var lastBlockers: [BlockingSession] = []
    var lastReport: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  private let session: Session
  private let report: RunReporter

  /// How long a statement runs unwatched, and how often it is looked at.
  private static let interval = Duration.milliseconds(100)
  /// How often the same news is told.
  private static let reportInterval = Duration.seconds(2)

  public init(settings: ConnectionSettings, report: @escaping RunReporter) {
    session = Session(settings, applicationName: "tsdb watch")
    self.report = report
  }

  /// Watches until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: Self.interval)
      guard let current = state.withLock({ $0.current }),
        ContinuousClock.now - current.since >= Self.interval
      else { continue }
      await look(at: current)
    }
    await session.close()
  }

  /// Runs `body` as the statement to watch.
  func watching<Result: ~Copyable, Failure: Error>(
    _ name: String, processID: Int, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    state.withLock {
      $0 = State(current: Current(name: name, processID: processID, since: .now))
    }
    defer { state.withLock { $0.current = nil } }
    return try body()
  }

  /// Who was seen blocking the last watched statement, most recently.
  var lastBlockers: [BlockingSession] { state.withLock { $0.lastBlockers } }

  private func look(at current: Current) async {
    let sql = BlockingSession.query(blocking: current.processID)
    let progress = """
      select phase, greatest(blocks_done, tuples_done), greatest(blocks_total, tuples_total)
      from pg_catalog.pg_stat_progress_create_index where pid = \(current.processID)
      """
    let seen = try? await session.run { connection in
      let blockers = try BlockingSession.read(connection.query(sql))
      let row = try connection.query(progress)
      let phase = row.rowCount > 0 ? row[0, 0] : nil
      return (blockers, phase, Int64(row.integer(0, 1) ?? 0), Int64(row.integer(0, 2) ?? 0))
    }
    guard let (blockers, phase, done, total) = seen else { return }
    let isNews = state.withLock { state in
      guard state.current?.since == current.since else { return false }
      if !blockers.isEmpty { state.lastBlockers = blockers }
      let now = ContinuousClock.now
      if let last = state.lastReport, now - last < Self.reportInterval { return false }
      guard !blockers.isEmpty || phase != nil else { return false }
      state.lastReport = now
      return true
    }
    guard isNews else { return }
    if !blockers.isEmpty {
      let seconds = Double((ContinuousClock.now - current.since).milliseconds) / 1000
      report(.blocked(name: current.name, by: blockers, seconds: seconds))
    }
    if let phase { report(.indexProgress(name: current.name, phase: phase, done: done, total: total)) }
  }
}
