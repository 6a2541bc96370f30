import Postgres
import Timekeeping

extension JobRecords {
  /// What is known of these jobs, in one round trip; empty where no run was ever recorded or the table is missing.
  ///
  /// - Throws: `PostgresError`; where rights are missing its hint names the GRANT.
  public func histories(
    of jobs: [String], on connection: borrowing Connection
  ) throws(PostgresError) -> [String: JobHistory] {
    let result: QueryResult
    do {
      result = try onCatalogPath(connection) { (connection) throws(PostgresError) in
        try connection.query(historyQuery, [Quoting.textArray(jobs)])
      }
    } catch {
      if error.isUndefinedTable || error.sqlState == "3F000" { return [:] }
      throw error.isInsufficientPrivilege ? withGrant(error, on: connection) : error
    }
    var histories: [String: JobHistory] = [:]
    for row in 0..<result.rowCount {
      histories[result.text(row, 0)] = JobHistory(
        lastSuccess: Self.run(result, row, from: 1), lastRun: Self.run(result, row, from: 10),
        skipsInARow: result.integer(row, 19) ?? 0, lastSkipReason: result[row, 20],
        medianMilliseconds: result[row, 21].flatMap { Int64($0) })
    }
    return histories
  }

  /// Runs `body` where unqualified names are those of pg_catalog. On the role's own path, a function or an operator that
  /// anybody made in `public` and that fits the arguments better would be called with this role's rights.
  ///
  /// In a transaction, so that nothing stays set behind a pooler.
  func onCatalogPath<Result: ~Copyable>(
    _ connection: borrowing Connection, _ body: (borrowing Connection) throws(PostgresError) -> Result
  ) throws(PostgresError) -> Result {
    let isNested = connection.isInTransaction
    let owners = try connection.execute(
      (isNested ? "" : "begin; ") + "set local search_path = pg_catalog, pg_temp; "
        + RecordsOwner.query(schema: table.schema, table: "job_runs"))
    do throws(PostgresError) {
      if let refusal = RecordsOwner.refusal(owners, schema: table.schema, table: "job_runs") { throw refusal }
      let result = try body(connection)
      if !isNested { try connection.execute("commit") }
      return result
    } catch {
      if !isNested, connection.isInTransaction { _ = try? connection.execute("rollback") }
      throw error
    }
  }

  private func withGrant(_ error: PostgresError, on connection: borrowing Connection) -> PostgresError {
    let schema = Quoting.identifier(table.schema)
    let result = try? connection.query(
      "select current_user, pg_catalog.has_schema_privilege($1, 'usage')", [table.schema])
    guard let result else { return error }
    let rights =
      result.isTrue(0, 1) ? "select, insert, update, delete on \(table.name)" : "usage on schema \(schema)"
    return PostgresError(
      origin: error.origin, sqlState: error.sqlState, message: error.message, detail: error.detail,
      hint: error.hint ?? "grant \(rights) to \(Quoting.identifier(result.text(0, 0)))")
  }

  private static let columns =
    ["id", "slot", "started_at", "ended_at", "outcome", "reason", "row_count", "backlog", "triggered_by"]

  private static func run(_ result: borrowing QueryResult, _ row: Int, from column: Int) -> JobHistory.Run? {
    func time(_ offset: Int) -> UTCTime? {
      result[row, column + offset].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
    }
    guard let id = result[row, column].flatMap({ Int64($0) }), let started = time(2),
      let outcome = JobOutcome(rawValue: result.text(row, column + 4))
    else { return nil }
    return JobHistory.Run(
      id: id, slot: time(1), started: started, ended: time(3), outcome: outcome,
      reason: result[row, column + 5], rows: Int64(result.integer(row, column + 6) ?? 0),
      backlog: result[row, column + 7].flatMap { Int64($0) }, trigger: result.text(row, column + 8))
  }

  private var historyQuery: String {
    func columns(_ alias: String) -> String {
      Self.columns.map { name in
        name == "slot" || name.hasSuffix("_at")
          ? "floor(extract(epoch from \(alias).\(name)))::bigint" : "\(alias).\(name)"
      }.joined(separator: ", ")
    }
    return """
      select j.name, \(columns("s")), \(columns("r")), k.count, k.reason, m.median
      from unnest($1::text[]) as j (name)
      left join lateral (
        select * from \(table.name) as t where t.job = j.name and t.outcome in ('ok', 'partial')
        order by t.id desc limit 1) as s on true
      left join lateral (
        select * from \(table.name) as t where t.job = j.name and t.outcome <> 'skipped'
        order by t.id desc limit 1) as r on true
      left join lateral (
        select count(*) as count, (array_agg(t.reason order by t.id desc))[1] as reason
        from \(table.name) as t where t.job = j.name and t.outcome = 'skipped' and t.id > coalesce(r.id, 0)
          and (r.ended_at is null or t.started_at > r.ended_at)
      ) as k on true
      left join lateral (
        select (percentile_cont(0.5) within group (order by extract(epoch from d.ended_at - d.started_at)) * 1000)::bigint
          as median
        from (select t.started_at, t.ended_at from \(table.name) as t
          where t.job = j.name and t.outcome in ('ok', 'partial') order by t.id desc limit 10) as d
      ) as m on true
      """
  }
}
