import Postgres

/// Indexes that a failed or cancelled build left: no query uses them, and a later CREATE INDEX IF NOT EXISTS takes them
/// for done.
enum InvalidIndexesCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "invalid-indexes", looksAt: "indexes that are not valid or not ready and that nobody is building")

  struct Index: Sendable, Equatable {
    /// Quoted and qualified where SQL needs it.
    let name: String
    let table: String
    let isReady: Bool
    /// Of a partitioned table: invalid until every partition has one.
    let isPartitioned: Bool
    /// REINDEX CONCURRENTLY's own, by its name.
    let isLeftover: Bool
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [Index] {
    // pg_stat_progress_create_index shows every role who builds, and pg_locks on which table.
    let result = try connection.query(
      """
      select format('%I.%I', n.nspname, c.relname), i.indrelid::regclass, i.indisready, c.relkind = 'I',
        c.relname ~ '_cc(new|old)[0-9]*$'
      from pg_index as i join pg_class as c on c.oid = i.indexrelid join pg_namespace as n on n.oid = c.relnamespace
      where not (i.indisvalid and i.indisready and i.indislive) and c.relpersistence <> 't'
        and not exists (
          select from pg_stat_progress_create_index as p
          join pg_locks as l on l.pid = p.pid and l.locktype = 'relation' and l.database = p.datid
          where l.relation = i.indrelid and l.mode = 'ShareUpdateExclusiveLock' and l.granted)
      order by 1
      """)
    return (0..<result.rowCount).map {
      Index(
        name: result.text($0, 0), table: result.text($0, 1), isReady: result.isTrue($0, 2),
        isPartitioned: result.isTrue($0, 3), isLeftover: result.isTrue($0, 4))
    }
  }

  static func verdict(_ indexes: [Index], _ context: HealthContext) -> HealthFinding {
    let problems = indexes.map { index in
      if index.isPartitioned {
        return HealthProblem(
          .warning, "index \(index.name) on \(index.table) lacks a part",
          detail: "It is invalid until every partition has an index attached to it.",
          remedy: "create the index on each partition, then: alter index \(index.name) attach partition …;")
      }
      return HealthProblem(
        .critical, "index \(index.name) on \(index.table) is invalid",
        detail: index.isReady
          ? "A build failed. No query uses it, and every write pays for it."
          : "A build failed. No query uses it.",
        remedy: index.isLeftover
          ? "drop index concurrently \(index.name);" : "reindex index concurrently \(index.name);")
    }
    return HealthFinding(
      name, problems: problems, several: "invalid indexes", fine: "no invalid indexes",
      performance: [PerformanceData("invalid_indexes", Double(indexes.count))])
  }
}
