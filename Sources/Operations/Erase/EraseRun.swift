import Maintenance
import Postgres

/// The transaction of an erasure.
struct EraseRun: Sendable {
  struct Outcome: Sendable {
    var database = ""
    var tables: [Erase.Result.Table] = []
    var left: [Erase.Result.Place] = []
    var unsearched: [Erase.Result.Unsearched] = []
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

  /// How often what came in meanwhile is erased as well.
  private static let rounds = 5

  private func work(on connection: borrowing Connection) throws -> Outcome {
    var outcome = Outcome()
    outcome.database = try connection.query("select current_database()").text(0, 0)
    outcome.isLogged = try keepOutOfLog(on: connection)
    let pseudonym = try pseudonym(on: connection)
    for round in 1... {
      try erase(pseudonym, on: connection, &outcome)
      let search = try EraseSearch(address: address).run(on: connection)
      outcome.unsearched = search.unsearched
      let leftover = search.places.first(where: Self.isErased)
      outcome.left = search.places.filter { !Self.isErased($0) }
      guard let leftover, !isDryRun else { break }
      // Nobody is held off: what others committed after it was listed has its turn in another round.
      guard round < Self.rounds else { throw Self.refusal(leftover) }
    }
    if let key, !outcome.tables.isEmpty { outcome.record = try record(outcome, key, on: connection) }
    return outcome
  }

  /// One round over all tables; a dry run counts only.
  private func erase(
    _ pseudonym: String, on connection: borrowing Connection, _ outcome: inout Outcome
  ) throws(PostgresError) {
    // Nobody adds rows to these sessions while they are erased.
    let sessions = try connection.query(
      ErasedTable.sessions + (isDryRun ? "" : " for update"), [address.wholePattern]
    ).rows().compactMap { $0[0] }
    let parameters: [String?] = [
      pseudonym, address.pattern, address.jsonPattern, Quoting.textArray(sessions), address.wholePattern,
    ]
    for table in ErasedTable.all {
      let rows = try count(table, parameters, on: connection)
      if rows > 0 { outcome.add(rows, of: table) }
    }
    guard !isDryRun else { return }
    for table in ErasedTable.all { _ = try connection.query(table.statement, parameters) }
    try refreshViews(on: connection)
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

  private static func isErased(_ place: Erase.Result.Place) -> Bool {
    erasedColumns.contains("\(place.relation).\(place.column)")
  }

  /// Such as `public.support_troubleshooting_sessions.customer_email`.
  static let erasedColumns: Set<String> = {
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
  }()

  private static func refusal(_ place: Erase.Result.Place) -> MaintenanceError {
    MaintenanceError(
      .failed, "the address is still in \(place.relation).\(place.column) after \(rounds) rounds",
      detail: "A trigger writes it again, or rows keep coming in. Nothing was changed.", hint: "try again")
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

extension EraseRun.Outcome {
  fileprivate mutating func add(_ rows: Int, of table: ErasedTable) {
    let action = table.action.rawValue
    if let index = tables.firstIndex(where: { $0.table == table.name && $0.action == action }) {
      tables[index].rows += rows
    } else {
      tables.append(Erase.Result.Table(table: table.name, action: action, rows: rows))
    }
  }
}
