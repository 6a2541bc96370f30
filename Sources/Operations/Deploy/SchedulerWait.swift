import Postgres
import Timekeeping

/// Waits until a scheduler, not a hand, has run the jobs: an entry that is installed proves nothing.
struct SchedulerWait: Sendable {
  /// What its runs are recorded as.
  let trigger: String
  /// Jobs that are enabled.
  let jobs: [String]
  /// Of the records of runs.
  let schema: String
  let limit: Duration

  enum Outcome: Sendable, Equatable {
    /// How many of the jobs have a record of a run that ended.
    case ran(Int)
    case silent
  }

  /// How often it looks.
  private static let interval = Duration.seconds(2)

  /// - Parameter since: runs that began earlier do not count.
  /// - Throws: `PostgresError`, `CancellationError`.
  func run(_ session: Session, since: UTCTime, note: (String) -> Void) async throws -> Outcome {
    let deadline = ContinuousClock.now + limit
    var isAnnounced = false
    var best = Outcome.silent
    while true {
      let seen = try await session.run { try look(since: since, on: $0) }
      if seen.called > 0 { best = .ran(seen.ended) }
      if seen.called > 0, seen.running == 0, seen.ended >= jobs.count { return best }
      guard ContinuousClock.now + Self.interval < deadline else { return best }
      if !isAnnounced {
        note("waiting up to \(limit.spanText) for \(trigger) to call maintenance")
        isAnnounced = true
      }
      try await Task.sleep(for: Self.interval)
    }
  }

  private struct Sight {
    /// Runs of the scheduler that came to an end of their own.
    var called = 0
    /// Jobs that have ended once, whoever called them.
    var ended = 0
    var running = 0
  }

  private func look(since: UTCTime, on connection: borrowing Connection) throws(PostgresError) -> Sight {
    let table = Quoting.identifier(schema, "job_runs")
    guard try connection.query("select to_regclass($1) is not null", [table]).isTrue(0, 0) else {
      return Sight()
    }
    let row = try connection.query(
      """
      select
        count(*) filter (where triggered_by = $1 and outcome in ('ok', 'partial') and started_at > $2::timestamptz),
        count(distinct job) filter (where outcome <> 'running' and job = any(string_to_array($3, chr(31)))),
        count(*) filter (where outcome = 'running')
      from \(table)
      """, [trigger, since.description, jobs.joined(separator: "\u{1F}")])
    return Sight(
      called: row.integer(0, 0) ?? 0, ended: row.integer(0, 1) ?? 0, running: row.integer(0, 2) ?? 0)
  }
}
