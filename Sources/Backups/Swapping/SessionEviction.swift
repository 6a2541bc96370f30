import Postgres
import Synchronization

/// Ends, from a connection of its own, the sessions that ALTER DATABASE RENAME waits for.
///
/// It ends nobody before the renaming session holds its lock on the database, after which nobody can
/// come any more: a session is never ended for nothing.
final class SessionEviction: Sendable {
  /// What was done and seen.
  struct Outcome: Sendable {
    var ended: [SwapSession] = []
    /// Those that could not be ended, with the server's reason.
    var refused: [Int: String] = [:]
    /// The sessions that were there when it looked last.
    var remaining: [SwapSession] = []
    /// When new sessions of the live database were first seen to be held back.
    var closedSince: ContinuousClock.Instant?
  }

  private struct State {
    var isOver = false
    var outcome = Outcome()
    /// When each database was first seen locked.
    var locked: [Int: ContinuousClock.Instant] = [:]
  }

  private let state = Mutex(State())
  private let renamer: Int
  private let live: Int
  private let grace: Duration

  /// How often it looks. The server itself looks ten times a second.
  private static let interval = Duration.milliseconds(10)

  /// - Parameters:
  ///   - renamer: the process id of the session that renames.
  ///   - live: the object id of the database whose name is taken.
  ///   - grace: how long a session may go on with its transaction.
  init(renamer: Int, live: Int, grace: Duration) {
    self.renamer = renamer
    self.live = live
    self.grace = grace
  }

  /// Makes ``run(on:)`` return after its present look.
  func finish() { state.withLock { $0.isOver = true } }

  /// Looks and ends sessions until ``finish()``.
  ///
  /// A failure to look is not a failure of the swap: the server then says who was in the way.
  func run(on session: Session) async -> Outcome {
    while !state.withLock({ $0.isOver }) {
      try? await session.run { connection in
        // Asked here again: the session may have waited for its connection.
        if !state.withLock({ $0.isOver }) { try look(connection) }
      }
      try? await Task.sleep(for: Self.interval)
    }
    return state.withLock { $0.outcome }
  }

  private func look(_ connection: borrowing Connection) throws(PostgresError) {
    // Autovacuum is ended by ALTER DATABASE itself, a parallel worker goes with its leader. What kind a session
    // of another role is, the server may not tell; autovacuum has no role.
    let rows = try connection.query(
      """
      select l.objid, a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), a.state,
        coalesce(a.backend_type, 'client backend') = 'client backend'
      from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a
        on a.datid = l.objid and coalesce(a.backend_type, '') not in ('autovacuum worker', 'parallel worker')
          and (a.backend_type is not null or a.usesysid is not null)
      where l.pid = \(renamer) and l.locktype = 'object' and l.classid = 'pg_catalog.pg_database'::regclass
        and l.mode = 'AccessExclusiveLock' and l.granted
      """)
    let now = ContinuousClock.now
    var remaining: [SwapSession] = []
    for row in 0..<rows.rowCount {
      let database = rows.integer(row, 0) ?? 0
      let lockedSince = state.withLock { state in
        if database == live, state.outcome.closedSince == nil { state.outcome.closedSince = now }
        return state.locked[database, default: now]
      }
      state.withLock { $0.locked[database] = lockedSince }
      guard let process = rows.integer(row, 1) else { continue }
      let session = SwapSession(
        processID: process, role: rows.text(row, 2), application: rows.text(row, 3), state: rows[row, 4])
      remaining.append(session)
      let hasNothingToLose = ["idle", "idle in transaction (aborted)"].contains(session.state)
      if hasNothingToLose || !rows.isTrue(row, 5) || now - lockedSince >= grace { end(session, connection) }
    }
    state.withLock { $0.outcome.remaining = remaining }
  }

  private func end(_ session: SwapSession, _ connection: borrowing Connection) {
    let process = session.processID
    if state.withLock({ $0.outcome.refused[process] != nil }) { return }
    do {
      let isSent = try connection.query("select pg_terminate_backend(\(process))").isTrue(0, 0)
      state.withLock { state in
        let isKnown = state.outcome.ended.contains { $0.processID == process }
        if isSent, !isKnown { state.outcome.ended.append(session) }
      }
    } catch {
      if !connection.isBroken { state.withLock { $0.outcome.refused[process] = error.message } }
    }
  }
}
