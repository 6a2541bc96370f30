import Postgres

/// Another session that stands in the way.
///
/// Its query is left out on purpose: it may hold customer data or secrets.
public struct BlockingSession: Sendable, Equatable, CustomStringConvertible {
  /// 0 where it is a prepared transaction, which belongs to no process.
  public let processID: Int
  public let user: String
  public let application: String
  /// As in `pg_stat_activity.state`, such as `idle in transaction`.
  public let state: String
  /// How long its transaction, or else its session, has been open.
  public let ageSeconds: Int

  /// What a role without the rights of `pg_read_all_stats` sees of another role's session.
  private static let hiddenState = "state not visible"

  /// The sessions in the way of process `processID`, and the prepared transactions that hold a lock on what it
  /// waits for.
  static func query(blocking processID: Int) -> String {
    """
    select \(columns) from pg_catalog.pg_stat_activity a
    where a.pid = any (pg_catalog.pg_blocking_pids(\(processID)))
    union all
    select distinct 0, p.owner, '', p.gid, extract(epoch from clock_timestamp() - p.prepared)::bigint
    from pg_catalog.pg_prepared_xacts p
      join pg_catalog.pg_locks own on own.transactionid = p.transaction and own.pid is null and own.granted
      join pg_catalog.pg_locks held on held.virtualtransaction = own.virtualtransaction and held.pid is null
        and held.granted
      join pg_catalog.pg_locks waiting on waiting.pid = \(processID) and not waiting.granted
        and (waiting.database, waiting.relation) is not distinct from (held.database, held.relation)
        and waiting.transactionid is not distinct from held.transactionid
    where 0 = any (pg_catalog.pg_blocking_pids(\(processID)))
    """
  }

  static let columns = """
    a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, '\(hiddenState)'),
    coalesce(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)::bigint
    """

  static func read(_ result: borrowing QueryResult) -> [BlockingSession] {
    (0..<result.rowCount).map { row in
      BlockingSession(
        processID: result.integer(row, 0) ?? 0, user: result.text(row, 1), application: result.text(row, 2),
        state: result.text(row, 3), ageSeconds: result.integer(row, 4) ?? 0)
    }
  }

  /// What ends it.
  var ending: String {
    processID == 0
      ? "rollback prepared \(Quoting.literal(state))" : "select pg_terminate_backend(\(processID))"
  }

  public var description: String {
    if processID == 0 {
      return "prepared transaction \(Quoting.literal(state)) of user \(user), \(ageSeconds) s old"
    }
    let who = [
      user.isEmpty ? nil : "user \(user)", application.isEmpty ? nil : "application \"\(application)\"",
    ]
    return
      (["process \(processID)"] + who.compactMap { $0 } + [
        state == Self.hiddenState ? state : "\(state) for \(ageSeconds) s"
      ])
      .joined(separator: ", ")
  }
}
