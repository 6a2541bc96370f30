import Postgres

/// Notices who waits behind the locks of a backup.
struct LockWatch: Sendable {
  let session: Session
  /// The server process that holds the locks.
  let holder: Int

  /// Sessions that wait for a lock because of this backup, longest first.
  ///
  /// - Throws: ``PostgresError``; a watch that fails is no reason to end a backup.
  func look() async throws -> [BackupEvent.Waiting] {
    let holder = holder
    return try await session.run { connection in
      let result = try connection.query(
        """
        select a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
          coalesce(l.relation::pg_catalog.regclass::text, l.locktype), l.mode,
          coalesce(pg_catalog.left(a.query, 80), ''),
          extract(epoch from pg_catalog.clock_timestamp() - coalesce(a.query_start, a.backend_start))::bigint
        from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
        where not l.granted and l.pid <> $1::int
          and $1::int = any (pg_catalog.pg_blocking_pids(l.pid))
        order by 7 desc
        """, [String(holder)])
      return (0..<result.rowCount).map { row in
        BackupEvent.Waiting(
          processID: result.integer(row, 0) ?? 0, user: result.text(row, 1),
          application: result.text(row, 2), relation: result.text(row, 3), mode: result.text(row, 4),
          query: result.text(row, 5), seconds: Double(result.integer(row, 6) ?? 0))
      }
    }
  }
}
