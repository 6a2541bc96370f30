import Postgres

/// Another session that stands in the way.
///
/// Its query is left out on purpose: it may hold customer data or secrets.
public struct BlockingSession: Sendable, Equatable, CustomStringConvertible {
  public let processID: Int
  public let user: String
  public let application: String
  /// As in `pg_stat_activity.state`, such as `idle in transaction`.
  public let state: String
  /// How long its transaction, or else its session, has been open.
  public let ageSeconds: Int

  static let columns = """
    a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, 'state not visible'),
    coalesce(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)::bigint
    """

  static func read(_ result: borrowing QueryResult) -> [BlockingSession] {
    (0..<result.rowCount).map { row in
      BlockingSession(
        processID: result.integer(row, 0) ?? 0, user: result.text(row, 1), application: result.text(row, 2),
        state: result.text(row, 3), ageSeconds: result.integer(row, 4) ?? 0)
    }
  }

  public var description: String {
    let who = [
      user.isEmpty ? nil : "user \(user)", application.isEmpty ? nil : "application \"\(application)\"",
    ]
    return (["process \(processID)"] + who.compactMap { $0 } + ["\(state) for \(ageSeconds) s"])
      .joined(separator: ", ")
  }
}
