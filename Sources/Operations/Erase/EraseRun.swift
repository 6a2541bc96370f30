import Maintenance
import Postgres

/// The transaction of an erasure.
struct EraseRun: Sendable {
  struct Outcome: Sendable {
    var database = ""
    var tables: [Erase.Result.Table] = []
    var left: [Erase.Result.Place] = []
    /// Tables and views with texts that this role may not read.
    var unsearched: [String] = []
    /// Whether the server's log takes down the parameters of statements, the address among them.
    var isLogged = false
    var record: Int?
  }

  let address: ErasedAddress
  /// Nil for a dry run.
  let key: ErasureKey?
  let schema: String
  let lockTimeout: Duration

  private var isDryRun: Bool { key == nil }
  private var table: String { Quoting.identifier(schema, "erasures") }

  func run(on connection: borrowing Connection) throws -> Outcome {
    try connection.execute(
      """
      begin isolation level \(isDryRun ? "repeatable read read only" : "read committed");
      set local search_path = pg_catalog;
      set local row_security = off;
      set local lock_timeout = \(max(1, Int(lockTimeout / .milliseconds(1))));
      set local client_min_messages = warning;
      set local log_parameter_max_length_on_error = 0
      """)
    do {
      let outcome = try work(on: connection)
      try connection.execute(isDryRun ? "rollback" : "commit")
      return outcome
    } catch {
      if !connection.isBroken { _ = try? connection.execute("rollback") }
      throw error
    }
  }

  private func work(on connection: borrowing Connection) throws -> Outcome {
    var outcome = Outcome()
    outcome.database = try connection.query("select current_database()").text(0, 0)
    outcome.isLogged = try keepOutOfLog(on: connection)
    outcome.unsearched = try unreadable(on: connection)
    // Nobody adds rows to the sessions while they are erased.
    let sessions = try connection.query(
      ErasedTable.sessions + (isDryRun ? "" : " for update"), [address.pattern]
    ).rows().compactMap { $0[0] }
    let parameters: [String?] = [
      try pseudonym(on: connection), address.pattern, address.jsonPattern, Quoting.textArray(sessions),
    ]
    for table in ErasedTable.all {
      let rows = try count(table, parameters, on: connection)
      if rows > 0 {
        outcome.tables.append(
          Erase.Result.Table(table: table.name, action: table.action.rawValue, rows: rows))
      }
    }
    if let key {
      for table in ErasedTable.all { _ = try connection.query(table.statement, parameters) }
      try refreshViews(on: connection)
      outcome.left = try places(on: connection)
      try refuseLeftovers(outcome.left)
      if !outcome.tables.isEmpty { outcome.record = try record(outcome, key, on: connection) }
    } else {
      let erased = Self.erasedColumns
      outcome.left = try places(on: connection).filter { !erased.contains("\($0.relation).\($0.column)") }
    }
    return outcome
  }

  /// Turns off the logging of parameters for this transaction, where the role may.
  ///
  /// - Returns: whether statements are logged with their parameters all the same.
  private func keepOutOfLog(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    let facts = try connection.query(
      "select current_setting('is_superuser') = 'on', current_setting('server_version_num')::int >= 150000")
    let isGranted =
      facts.isTrue(0, 1)
      ? try connection.query("select has_parameter_privilege('log_parameter_max_length', 'set')").isTrue(0, 0)
      : false
    if facts.isTrue(0, 0) || isGranted {
      try connection.execute("set local log_parameter_max_length = 0")
    }
    return try connection.query(
      """
      select current_setting('log_parameter_max_length') <> '0' and (
        current_setting('log_statement') in ('mod', 'all')
        or current_setting('log_min_duration_statement') <> '-1'
        or current_setting('log_min_duration_sample') <> '-1' and current_setting('log_statement_sample_rate') <> '0'
        or current_setting('log_transaction_sample_rate') <> '0')
      """
    ).isTrue(0, 0)
  }

  private func count(
    _ table: ErasedTable, _ parameters: [String?], on connection: borrowing Connection
  ) throws(PostgresError) -> Int {
    try connection.query(table.count, parameters).integer(0, 0) ?? 0
  }

  /// Another for each erasure: who was erased stays one customer in the statistics, and is nobody.
  private func pseudonym(on connection: borrowing Connection) throws(PostgresError) -> String {
    try connection.query("select 'erased-' || replace(gen_random_uuid()::text, '-', '') || '@erased.invalid'")
      .text(0, 0)
  }

  /// Titles of problems are typed by people, and shown by a view.
  private func refreshViews(on connection: borrowing Connection) throws(PostgresError) {
    let views = try connection.query(
      """
      select exists (select from public.mv_top_problems where detected_problem_title ~* $1 or detected_problem_id ~* $1)
        or exists (select from public.mv_feedback_summary where problem_detected_id ~* $1)
      from pg_class where oid = 'public.mv_top_problems'::regclass and relispopulated
        and (select relispopulated from pg_class where oid = 'public.mv_feedback_summary'::regclass)
      """, [address.pattern])
    if views.isTrue(0, 0) { _ = try connection.query("select public.refresh_troubleshooting_views()") }
  }

  /// Every column of tables and populated views that holds text or JSON.
  private static let textColumns = """
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    left join pg_type as e on e.oid = t.typelem and t.typcategory = 'A'
    left join pg_type as b on b.oid = t.typbasetype
    where c.relkind in ('r', 'm') and (c.relkind = 'r' or c.relispopulated) and c.relpersistence <> 't'
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and coalesce(nullif(e.typname, 'char'), b.typname, t.typname)
        in ('text', 'varchar', 'bpchar', 'json', 'jsonb', 'citext', 'xml', 'hstore', 'name')
    """

  private static let isReadable =
    "(has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select'))"

  /// What holds texts and may not be read by this role.
  private func unreadable(on connection: borrowing Connection) throws(PostgresError) -> [String] {
    try connection.query(
      """
      select distinct format('%I.%I', n.nspname, c.relname)
      \(Self.textColumns)
        and not \(Self.isReadable)
      order by 1
      """
    ).rows().compactMap { $0[0] }
  }

  /// Where the address is, in all tables and materialized views that can be read.
  private func places(on connection: borrowing Connection) throws(PostgresError) -> [Erase.Result.Place] {
    let relations = try connection.query(
      """
      select c.oid::regclass::text, c.relkind = 'm',
        coalesce((select p.oid::regclass::text from pg_partition_ancestors(c.oid) as r
          join pg_class as p on p.oid = r.relid where not p.relispartition), c.oid::regclass::text),
        string_agg(case when t.typname in ('json', 'jsonb') then 'j' else 't' end || quote_ident(a.attname), chr(1)
          order by a.attnum)
      \(Self.textColumns)
        and \(Self.isReadable)
      group by c.oid
      order by 1
      """
    ).rows()
    var found: [Erase.Result.Place] = []
    for relation in relations {
      let columns = (relation[3] ?? "").split(separator: "\u{1}").map {
        (isJSON: $0.hasPrefix("j"), name: $0.dropFirst())
      }
      let counts = columns.map { column in
        let text = "\(column.name)::text"
        let isThere =
          ErasedTable.addressColumns.contains(String(column.name))
          ? ErasedTable.isAddress(text, "$1") : "\(text) ~* $\(column.isJSON ? 2 : 1)"
        return "count(*) filter (where \(isThere))"
      }.joined(separator: ", ")
      let row = try connection.query(
        "select \(counts) from \(relation[1] == "t" ? "" : "only ")\(relation[0] ?? "") "
          + "where $1::text is not null and $2::text is not null", [address.pattern, address.jsonPattern])
      for (index, column) in columns.enumerated() where (row.integer(0, index) ?? 0) > 0 {
        found.append(
          Erase.Result.Place(
            relation: relation[2] ?? "", column: String(column.name), rows: row.integer(0, index) ?? 0))
      }
    }
    return found
  }

  /// Such as `public.support_troubleshooting_sessions.customer_email`.
  private static var erasedColumns: Set<String> {
    var columns: Set<String> = []
    for table in ErasedTable.all {
      for column in table.texts + table.documents + table.values.map(\.column) {
        columns.insert("public.\(table.name).\(column)")
      }
    }
    return columns.union([
      "public.support_troubleshooting_notifications.recipient",
      "public.support_troubleshooting_predictions.customer_email",
      "public.support_troubleshooting_cache.cache_key",
      "public.support_troubleshooting_cache.cache_value",
      "public.support_troubleshooting_rate_limits.identifier",
      "public.mv_top_problems.detected_problem_id", "public.mv_top_problems.detected_problem_title",
      "public.mv_feedback_summary.problem_detected_id",
    ])
  }

  private func refuseLeftovers(_ left: [Erase.Result.Place]) throws(MaintenanceError) {
    let erased = Self.erasedColumns
    guard let place = left.first(where: { erased.contains("\($0.relation).\($0.column)") }) else { return }
    throw MaintenanceError(
      .failed, "the address is still in \(place.relation).\(place.column)",
      detail: "A row came in between, or a trigger wrote it again. Nothing was changed.", hint: "try again")
  }

  private func record(
    _ outcome: Outcome, _ key: ErasureKey, on connection: borrowing Connection
  ) throws(PostgresError) -> Int? {
    if try !connection.query("select to_regclass($1) is not null", [table]).isTrue(0, 0) {
      let hasSchema = try connection.query(
        "select to_regnamespace($1) is not null", [Quoting.identifier(schema)]
      ).isTrue(0, 0)
      if !hasSchema { try connection.execute("create schema if not exists \(Quoting.identifier(schema))") }
      try connection.execute(definition)
    }
    let counts = outcome.tables.map { "[\"\($0.table)\",\"\($0.action)\",\($0.rows)]" }
    return try connection.query(
      """
      insert into \(table) (address_hmac, key_id, counts, tool_version)
      values ($1, $2, $3::jsonb, $4) returning id
      """,
      [address.keyedDigest(key), key.id, "[\(counts.joined(separator: ","))]", Version.current]
    ).integer(0, 0)
  }

  private var definition: String {
    """
    create table if not exists \(table) (
      id bigint generated always as identity,
      erased_at timestamptz not null default now(),
      erased_by text not null default session_user,
      address_hmac text not null,
      key_id text not null,
      counts jsonb not null,
      tool_version text not null,
      constraint erasures_pkey primary key (id)
    );
    comment on table \(table) is 'tsdb: addresses that were erased, as keyed digests; the key is not stored';
    comment on column \(table).address_hmac is 'HMAC-SHA-256 of the address in lower case';
    comment on column \(table).key_id is 'names the key without telling it';
    comment on column \(table).counts is 'table, what was done, rows';
    """
  }
}
