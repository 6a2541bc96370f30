import Maintenance
import Postgres
import Timekeeping

/// What a report asks the server beyond the checks. Each part reads in a read-only transaction of its own, takes ACCESS
/// SHARE at most, waits 200 ms for a lock and runs 5 s; one that fails is unknown, and the others go on.
struct ReportQueries {
  let session: Session
  /// Of the history.
  let schema: String
  let role: String
  let clean: ReportCleaning

  private static let begin = """
    begin isolation level read committed read only;
    set local statement_timeout = '5s'; set local lock_timeout = '200ms';
    set local idle_in_transaction_session_timeout = '30s'; set local search_path = pg_catalog;
    set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local jit = off;
    """

  /// A moment as ISO 8601 in UTC, for SQL.
  private static func moment(_ expression: String) -> String {
    "to_char(\(expression) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
  }

  func part<Value: Sendable & Encodable>(
    _ body: @Sendable (borrowing Connection) throws -> ReportPart<Value>
  ) async -> ReportPart<Value> {
    do {
      return try await session.run { connection in
        try connection.execute(Self.begin)
        defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
        return try body(connection)
      }
    } catch {
      return .unknown(gap(error))
    }
  }

  /// Why something could not be read, from any error.
  func gap(_ error: any Error) -> ReportGap {
    guard let error = error as? PostgresError else {
      return ReportGap(clean("could not look: \(error)"), remedy: nil)
    }
    let remedy: String? =
      switch error.sqlState {
      case "42501": grants
      case "57014": "look when the server is less busy"
      case "55P03": "look again when the lock is gone"
      default: error.hint
      }
    return ReportGap(clean("could not look: \(error.message)"), remedy: clean(remedy))
  }

  /// The statements that let the role read the history.
  var grants: String {
    let (schema, role) = (Quoting.identifier(schema), Quoting.identifier(role))
    return
      "grant usage on schema \(schema) to \(role); grant select on all tables in schema \(schema) to \(role);"
  }

  /// Of a table of the history: its quoted name where the role may read it.
  private func table<Value>(
    _ name: String, on connection: borrowing Connection,
    _ body: (String) throws -> ReportPart<Value>
  ) throws -> ReportPart<Value> {
    let sight = try connection.query(
      """
      select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v')
      """, [schema, name])
    guard sight.rowCount > 0 else { return .absent }
    let label = Quoting.identifier(schema, name)
    guard sight.isTrue(0, 0) else {
      let (schema, role) = (Quoting.identifier(schema), Quoting.identifier(role))
      return .unknown(
        ReportGap(
          clean("the table \(label) may not be read by this role"),
          remedy: clean("grant usage on schema \(schema) to \(role); grant select on \(label) to \(role);")))
    }
    return try body(label)
  }

  // MARK: The history

  /// The newest first.
  func migrationLog(limit: Int) async -> ReportPart<ReportList<ReportMigrations.Event>> {
    await part { connection in
      try table("migration_log", on: connection) { table in
        let result = try connection.query(
          """
          select \(Self.moment("at")), action, name, actor, reason, count(*) over () from \(table)
          order by id desc limit \(limit)
          """)
        let rows = (0..<result.rowCount).map { row in
          ReportMigrations.Event(
            time: result.text(row, 0), action: clean(result.text(row, 1)), name: clean(result.text(row, 2)),
            actor: clean(result.text(row, 3)), reason: clean(result[row, 4]))
        }
        return .known(ReportList(rows, omitted: (result.integer(0, 5) ?? 0) - rows.count))
      }
    }
  }

  /// The newest first.
  func deployments(limit: Int) async -> ReportPart<ReportList<ReportDeployment>> {
    await part { connection in
      try table("deployments", on: connection) { table in
        let result = try connection.query(
          """
          select id, \(Self.moment("started_at")), \(Self.moment("ended_at")), state, count(*) over () from \(table)
          order by started_at desc nulls last, id desc limit \(limit)
          """)
        let steps =
          result.rowCount > 0 ? try self.steps(of: result.text(0, 0), in: table, on: connection) : []
        let rows = (0..<result.rowCount).map { row in
          ReportDeployment(
            id: clean(result.text(row, 0)), started: result[row, 1], ended: result[row, 2],
            state: clean(result.text(row, 3)), steps: row == 0 ? steps : [])
        }
        guard !rows.isEmpty else { return .absent }
        return .known(ReportList(rows, omitted: (result.integer(0, 4) ?? 0) - rows.count))
      }
    }
  }

  /// In their order; empty where the record has none.
  private func steps(
    of id: String, in table: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [ReportDeployment.Step] {
    let result = try connection.query(
      """
      select s ->> 'step', s ->> 'outcome', s ->> 'started', s ->> 'ended', s ->> 'summary', s ->> 'because'
      from \(table) as d cross join lateral jsonb_array_elements(
        case when jsonb_typeof(d.detail -> 'steps') = 'array' then d.detail -> 'steps' else '[]' end) as s
      where d.id = $1 limit 50
      """, [id])
    return (0..<result.rowCount).map { row in
      ReportDeployment.Step(
        step: clean(result.text(row, 0)), outcome: clean(result.text(row, 1)), started: result[row, 2],
        ended: result[row, 3], summary: clean(result[row, 4]), because: clean(result[row, 5]))
    }
  }

  struct BackupRecordList: Sendable, Encodable {
    let records: [ReportBackupReading.Record]
    func encode(to encoder: any Encoder) throws {}
  }

  /// The newest first.
  func backupRecords(limit: Int) async -> ReportPart<BackupRecordList> {
    await part { connection in
      try table("backups", on: connection) { table in
        let result = try connection.query(
          """
          select id, state, \(Self.moment("started_at")), floor(extract(epoch from finished_at - started_at))::bigint,
            size_bytes, row_count, label, \(Self.moment("verified_at")), \(Self.moment("proven_at"))
          from \(table) where database = current_database() order by started_at desc limit \(limit)
          """)
        func number(_ row: Int, _ column: Int) -> Int64? { result[row, column].flatMap { Int64($0) } }
        return .known(
          BackupRecordList(
            records: (0..<result.rowCount).map { row in
              ReportBackupReading.Record(
                id: result.text(row, 0), state: result.text(row, 1), started: result[row, 2],
                seconds: number(row, 3), bytes: number(row, 4), rows: number(row, 5), label: result[row, 6],
                verified: result[row, 7], proven: result[row, 8])
            }))
      }
    }
  }

  struct RunList: Sendable, Encodable {
    var runs: [CalendarRun] = []
    var failures: [ReportJobs.Failure] = []
    var failureCount = 0
    var firstRun: UTCTime?
    var unread = 0
    func encode(to encoder: any Encoder) throws {}
  }

  /// The runs since a moment, the newest first.
  func runs(since start: UTCTime, limit: Int, failures: Int) async -> ReportPart<RunList> {
    await part { connection in
      try table("job_runs", on: connection) { table in
        var list = RunList()
        func time(_ text: String?) -> UTCTime? {
          text.flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
        }
        let first = try connection.query(
          "select floor(extract(epoch from min(started_at)))::bigint from \(table)")
        list.firstRun = time(first[0, 0])
        let result = try connection.query(
          """
          select job, floor(extract(epoch from slot))::bigint, floor(extract(epoch from started_at))::bigint, outcome
          from \(table) where started_at >= $1::timestamptz or slot >= $1::timestamptz order by id desc limit $2
          """, [start.description, "\(limit + 1)"])
        list.runs = (0..<min(limit, result.rowCount)).compactMap { row in
          guard let started = time(result[row, 2]), let outcome = JobOutcome(rawValue: result.text(row, 3))
          else {
            return nil
          }
          return CalendarRun(
            job: result.text(row, 0), slot: time(result[row, 1]), started: started, outcome: outcome)
        }
        if result.rowCount > limit {
          let count = try connection.query(
            "select count(*) from \(table) where started_at >= $1::timestamptz or slot >= $1::timestamptz",
            [start.description])
          list.unread = max(1, (count.integer(0, 0) ?? 0) - limit)
        }
        let bad = try connection.query(
          """
          select job, \(Self.moment("max(started_at)")), outcome, reason, count(*), count(*) over () from \(table)
          where outcome in ('failed', 'skipped', 'partial') and started_at >= $1::timestamptz
          group by job, outcome, reason order by max(started_at) desc, job limit \(failures)
          """, [start.description])
        list.failures = (0..<bad.rowCount).compactMap { row in
          JobOutcome(rawValue: bad.text(row, 2)).map {
            ReportJobs.Failure(
              job: clean(bad.text(row, 0)), last: bad.text(row, 1), outcome: $0, reason: clean(bad[row, 3]),
              count: bad.integer(row, 4) ?? 1)
          }
        }
        list.failureCount = bad.integer(0, 5) ?? 0
        return .known(list)
      }
    }
  }

  // MARK: Relations

  func tables(limit: Int) async -> ReportPart<ReportTables> {
    await part { connection in
      let result = try connection.query(
        """
        with sized as (
          select coalesce(pg_partition_root(c.oid), c.oid::regclass) as root, pg_total_relation_size(c.oid) as total,
            pg_indexes_size(c.oid) as indexes, case when c.reltuples >= 0 then c.reltuples end as rows,
            c.relispartition as is_part
          from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
          where c.relkind in ('r', 'm') and c.relpersistence <> 't'
            and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        )
        select format('%I.%I', n.nspname, r.relname), sum(s.total)::bigint, sum(s.indexes)::bigint, sum(s.rows)::bigint,
          count(*) filter (where s.is_part), count(*) over (), (sum(sum(s.total)) over ())::bigint
        from sized as s join pg_class as r on r.oid = s.root join pg_namespace as n on n.oid = r.relnamespace
        group by r.oid, n.nspname, r.relname order by 2 desc nulls last, 1 limit \(limit)
        """)
      guard result.rowCount > 0 else { return .absent }
      func number(_ row: Int, _ column: Int) -> Int64? { result[row, column].flatMap { Int64($0) } }
      let rows = (0..<result.rowCount).map { row in
        ReportTables.Table(
          name: clean(result.text(row, 0)), bytes: number(row, 1) ?? 0, indexBytes: number(row, 2) ?? 0,
          rows: number(row, 3), partitions: result.integer(row, 4) ?? 0)
      }
      return .known(
        ReportTables(
          tables: ReportList(rows, omitted: (result.integer(0, 5) ?? 0) - rows.count),
          totalBytes: number(0, 6) ?? 0))
    }
  }

  /// Of materialized views, by their quoted names.
  func viewSizes() async -> [String: Int64] {
    struct Sizes: Sendable, Encodable {
      let bytes: [String: Int64]
    }
    let part: ReportPart<Sizes> = await part { connection in
      let result = try connection.query(
        """
        select format('%I.%I', n.nspname, c.relname), pg_total_relation_size(c.oid) from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace where c.relkind = 'm'
        """)
      let pairs = (0..<result.rowCount).compactMap { row in
        result[row, 1].flatMap { Int64($0) }.map { (result.text(row, 0), $0) }
      }
      return .known(Sizes(bytes: Dictionary(pairs) { first, _ in first }))
    }
    return part.value?.bytes ?? [:]
  }

  struct Unused: Sendable, Encodable {
    let indexes: ReportList<ReportIndexes.Index>
    let countedSince: String?
  }

  /// Indexes of no constraint that nothing has read, the largest first.
  func unusedIndexes(limit: Int) async -> ReportPart<Unused> {
    await part { connection in
      let since = try connection.query(
        """
        select \(Self.moment("greatest(stats_reset, pg_postmaster_start_time())")) from pg_stat_database
        where datname = current_database()
        """)
      let result = try connection.query(
        """
        select format('%I.%I', s.schemaname, s.indexrelname), format('%I.%I', s.schemaname, s.relname),
          pg_relation_size(s.indexrelid), count(*) over ()
        from pg_stat_user_indexes as s join pg_index as i on i.indexrelid = s.indexrelid
        where s.idx_scan = 0 and i.indisvalid and not i.indisunique and not i.indisexclusion and not i.indisreplident
          and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
        order by 3 desc nulls last, 1 limit \(limit)
        """)
      let rows = (0..<result.rowCount).map { row in
        ReportIndexes.Index(
          name: clean(result.text(row, 0)), table: clean(result.text(row, 1)), original: nil,
          bytes: result[row, 2].flatMap { Int64($0) })
      }
      return .known(
        Unused(
          indexes: ReportList(rows, omitted: (result.integer(0, 3) ?? 0) - rows.count),
          countedSince: since[0, 0]))
    }
  }
}

extension ReportServer {
  /// What the server says of itself.
  static func read(
    on connection: borrowing Connection, settings: Postgres.ConnectionSettings, clean: ReportCleaning
  ) throws(PostgresError) -> ReportServer {
    let facts = try connection.query(
      """
      select pg_catalog.current_database(), current_user, pg_catalog.current_setting('server_version'),
        pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute'),
        pg_catalog.floor(extract(epoch from pg_catalog.pg_postmaster_start_time()))::pg_catalog.int8,
        pg_catalog.pg_database_size(pg_catalog.current_database()), pg_catalog.pg_is_in_recovery()
      """)
    let identifier =
      facts.isTrue(0, 3)
      ? try connection.query("select system_identifier from pg_catalog.pg_control_system()")[0, 0] : nil
    let reached = connection.narrowed(settings)
    let place = [reached["host"], reached["port"]].compactMap { $0 }.joined(separator: ":")
    return ReportServer(
      host: clean(place), database: clean(facts.text(0, 0)), role: clean(facts.text(0, 1)),
      version: clean(facts.text(0, 2)), systemIdentifier: identifier,
      started: UTCTime(secondsSince1970: Int64(facts.text(0, 4)) ?? 0).description,
      bytes: facts[0, 5].flatMap { Int64($0) }, isInRecovery: facts.isTrue(0, 6))
  }
}
