import Deployments
import Postgres

/// Keeps the deployments and rollbacks of other copies of the project away from a database, from wherever they run.
///
/// A session lock: the server gives it up with the connection, also when this process is killed. Behind a pooler, which
/// lends sessions to others, there is none; backups, and with them whole deployments, do not work there either.
public actor DatabaseLock {
  /// Of all locks of this kind: "tsdb" in ASCII, and two. The second key is the hash of the history's schema.
  private static let key = 0x7473_6464
  /// A server notices the end of a killed client's connection at once, and frees what it held a little later.
  private static let patience = Duration.seconds(3)

  /// Of the session, which has nothing to report of rows.
  static let sessionName = "tsdb deploy lock"

  private let session: Session
  private let schema: String
  private var isReleased = false

  /// One that is taken by ``require()``.
  public init(_ access: DatabaseAccess) {
    session = Session(access.settings, applicationName: Self.sessionName)
    schema = access.project.configuration.historySchema
  }

  /// Takes the lock, or makes sure that it is still held; takes it again where the connection was lost.
  ///
  /// - Throws: `DeploymentError` of kind `tryAgain` when another session has it.
  public func require() async throws(DeploymentError) {
    guard !isReleased else { return }
    let deadline = ContinuousClock.now + Self.patience
    var mayConnectAgain = true
    while true {
      let holder: String?
      do {
        holder = try await attempt()
      } catch let error as PostgresError where error.origin == .connectionLost && mayConnectAgain {
        mayConnectAgain = false
        continue
      } catch let error as PostgresError {
        throw DeploymentError.running(error)
      } catch {
        throw DeploymentError(.interrupted, "interrupted")
      }
      guard let holder else { return }
      guard ContinuousClock.now < deadline, !Task.isCancelled else {
        throw DeploymentError(
          .tryAgain, "another deployment or rollback of this database is running",
          detail: "It holds the database from another copy of the project: \(holder).",
          hint: "wait for its end, and type the same command again")
      }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Gives it up for good: a swap ends every session of the database.
  public func release() async {
    isReleased = true
    await session.close()
  }

  /// Taking it again in the session that has it only counts; one that was opened anew takes it anew.
  ///
  /// - Returns: who has it; nil where it is held now, or cannot be.
  private func attempt() async throws -> String? {
    let (schema, key) = (schema, Self.key)
    return try await session.run { connection in
      let isPooled =
        try connection.query("select pg_catalog.pg_backend_pid()").integer(0, 0)
        != connection.announcedProcessID
      if isPooled { return nil }
      let isOurs = try connection.query(
        "select pg_catalog.pg_try_advisory_lock(\(key), pg_catalog.hashtext($1))", [schema]
      ).isTrue(0, 0)
      guard isOurs else { return try Self.holder(schema, on: connection) }
      // It is idle for as long as a step takes.
      _ = try connection.query(
        """
        select pg_catalog.set_config(s.name, '0', false) from pg_catalog.pg_settings as s
        where s.name = 'idle_session_timeout'
        """)
      return nil
    }
  }

  private static func holder(
    _ schema: String, on connection: borrowing Connection
  ) throws(PostgresError) -> String {
    let found = try connection.query(
      """
      select pg_catalog.format('process %s of the server%s, since %s', l.pid,
        coalesce(', from ' || pg_catalog.host(a.client_addr), ''),
        coalesce(pg_catalog.to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'an unknown time'))
      from pg_catalog.pg_locks as l left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.classid = \(key)
        and l.objid = (pg_catalog.hashtext($1)::bigint & 4294967295)::oid
        and l.database = (
          select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
      limit 1
      """, [schema])
    return found.rowCount > 0 ? found.text(0, 0) : "a session that has ended just now"
  }
}
