import Deployments
import Postgres

/// What the application has written since a deployment, which a rollback would lose.
public struct RollbackWrites: Sendable, Encodable, Equatable {
  /// Since the deployment's own steps came to an end; nil where that is not known.
  public let sinceDeployment: WrittenRows?
  /// Since the backup, with what the deployment itself wrote; nil where that is not known.
  public let sinceBackup: WrittenRows?
  /// Why the number is not known; nil where one is.
  public let gap: String?

  static let none = RollbackWrites(sinceDeployment: nil, sinceBackup: nil, gap: nil)
}

/// Asks the live database how much was written.
enum DeploymentWrites {
  /// The counters by now; nil where they cannot be read, which stops nothing.
  ///
  /// - Parameter waitsForOwn: until the sessions that tsdb has closed have reported what they wrote.
  static func count(_ access: DatabaseAccess, waitsForOwn: Bool = false) async -> WriteCounters? {
    let schema = access.project.configuration.historySchema
    return await ask(access) { session in
      if waitsForOwn {
        for _ in 0..<40 {
          let isAlone = try await session.run { try hasOwnSessions(on: $0) == false }
          if isAlone { break }
          try await Task.sleep(for: .milliseconds(50))
        }
      }
      return try await session.run { try WriteCounters(on: $0, excluding: schema) }
    }
  }

  /// What was written since the deployment, by the counters of its record and those of now.
  static func since(_ record: DeploymentRecord, _ access: DatabaseAccess) async -> RollbackWrites {
    guard record.writesAtBackup != nil || record.writesAtEnd != nil else {
      return unknown("the deployment has not noted what had been written before it")
    }
    let schema = access.project.configuration.historySchema
    let (end, backup) = (record.writesAtEnd, record.writesAtBackup)
    let answer = await ask(access) { session in
      try await session.run { connection in
        let now = try WriteCounters(on: connection, excluding: schema)
        let sinceEnd = try written(since: end, now, excluding: schema, on: connection)
        // What was written to a table that is gone is missing in the other count as well.
        let sinceBackup =
          end == nil || sinceEnd != nil
          ? try written(since: backup, now, excluding: schema, on: connection) : nil
        return (sinceEnd, sinceBackup, isComparable: (end ?? backup)?.isComparable(to: now) == true)
      }
    }
    guard let (sinceEnd, sinceBackup, isComparable) = answer else {
      return unknown("the live database could not be asked")
    }
    guard sinceEnd == nil, sinceBackup == nil else {
      return RollbackWrites(sinceDeployment: sinceEnd, sinceBackup: sinceBackup, gap: nil)
    }
    return unknown(
      isComparable
        ? "tables were dropped since, and their counts with them"
        : "the server's statistics began anew since, or the database is another one")
  }

  private static func written(
    since earlier: WriteCounters?, _ now: WriteCounters, excluding schema: String,
    on connection: borrowing Connection
  ) throws(PostgresError) -> WrittenRows? {
    guard let earlier, let rows = WrittenRows(from: earlier, to: now),
      try !earlier.hasLostTables(on: connection, excluding: schema)
    else { return nil }
    return rows
  }

  private static func unknown(_ gap: String) -> RollbackWrites {
    RollbackWrites(sinceDeployment: nil, sinceBackup: nil, gap: gap)
  }

  /// A backend reports its counts before it leaves the list of sessions.
  /// Source: src/backend/utils/activity/pgstat.c, `pgstat_shutdown_hook`.
  private static func hasOwnSessions(on connection: borrowing Connection) throws -> Bool {
    try connection.query(
      """
      select exists (select from pg_catalog.pg_stat_activity
        where datname = pg_catalog.current_database() and application_name like 'tsdb%'
          and application_name <> $1 and pid <> pg_catalog.pg_backend_pid())
      """, [DatabaseLock.sessionName]
    ).isTrue(0, 0)
  }

  private static func ask<Answer: Sendable>(
    _ access: DatabaseAccess, _ body: (Session) async throws -> Answer
  ) async -> Answer? {
    var settings = access.settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    let session = Session(settings, applicationName: "tsdb deploy")
    let answer = try? await body(session)
    await session.close()
    return answer
  }
}
