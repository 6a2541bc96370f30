import Postgres

/// Every index of the five files.
public struct IndexesValidProbe: Probe {
  public static let name = "indexes.valid"
  public static let summary =
    "every index of the five files is on its table as they define it, and all of these tables' indexes are valid, ready and of use only once"
  public static let defects = [
    ProbeDefect(
      "an index that is gone", sql: "drop index public.support_troubleshooting_errors_occurred_at_idx"),
    ProbeDefect(
      "an index that is not valid",
      sql: """
        create index support_troubleshooting_selftest_idx on only public.support_troubleshooting_audit_log (action)
        """),
    ProbeDefect(
      "an index twice",
      sql:
        "create index support_troubleshooting_selftest_idx on public.support_troubleshooting_cache (expires_at)"
    ),
    ProbeDefect(
      "an index of that name on another table",
      sql: """
        drop index public.support_webhook_events_webhook_idx;
        create index support_webhook_events_webhook_idx on public.support_webhooks (created_at)
        """),
    replaced(
      "another column", "support_troubleshooting_errors_occurred_at_idx",
      by:
        "index support_troubleshooting_errors_occurred_at_idx on public.support_troubleshooting_errors (error_type)"
    ),
    replaced(
      "another order", "support_troubleshooting_errors_occurred_at_idx",
      by:
        "index support_troubleshooting_errors_occurred_at_idx on public.support_troubleshooting_errors (occurred_at)"
    ),
    replaced(
      "fewer columns", "support_troubleshooting_attempts_session_idx",
      by:
        "index support_troubleshooting_attempts_session_idx on public.support_troubleshooting_attempts (session_id)"
    ),
    replaced(
      "another method", "support_troubleshooting_cache_expires_at_idx",
      by:
        "index support_troubleshooting_cache_expires_at_idx on public.support_troubleshooting_cache using brin (expires_at)"
    ),
    replaced(
      "an expression", "support_troubleshooting_errors_occurred_at_idx",
      by: """
        index support_troubleshooting_errors_occurred_at_idx
          on public.support_troubleshooting_errors ((coalesce(occurred_at, '-infinity')) desc)
        """),
    replaced(
      "no condition", "support_troubleshooting_feedback_ticket_id_idx",
      by:
        "index support_troubleshooting_feedback_ticket_id_idx on public.support_troubleshooting_feedback (ticket_id)"
    ),
    replaced(
      "another condition", "support_troubleshooting_sessions_active_idx",
      by: """
        index support_troubleshooting_sessions_active_idx on public.support_troubleshooting_sessions (started_at desc)
          where status::text = 'started'
        """),
    replaced(
      "a key that is not unique", "mv_top_problems_detected_problem_id_idx",
      by: "index mv_top_problems_detected_problem_id_idx on public.mv_top_problems (detected_problem_id)"),
    ProbeDefect(
      "a primary key that is only unique",
      sql: """
        alter table public.support_troubleshooting_errors drop constraint support_troubleshooting_errors_pkey;
        create unique index support_troubleshooting_errors_pkey on public.support_troubleshooting_errors (id)
        """),
    ProbeDefect(
      "a key that is checked at the end of the transaction, which no upsert can use",
      sql: """
        alter table public.support_troubleshooting_config
          drop constraint support_troubleshooting_config_config_key_key,
          add constraint support_troubleshooting_config_config_key_key unique (config_key) deferrable
        """),
  ]

  private static func replaced(_ what: String, _ index: String, by definition: String) -> ProbeDefect {
    ProbeDefect("an index of that name with \(what)", sql: "drop index public.\(index); create \(definition)")
  }

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "the catalogue: the indexes of the application's tables, views and partitions, and their definitions")
    let expected = SchemaCatalogue.indexes.sorted { $0.key < $1.key }
      .flatMap { table, indexes in
        indexes.sorted { $0.key < $1.key }.map { (table: table, index: $0.key, form: $0.value) }
      }
    return await question.answer(context.session) { connection in
      let found = try connection.query(
        """
        select t.relname || '.' || c.relname, \(SchemaCatalogue.indexForm),
          case when exists (select from pg_constraint as k where k.conindid = c.oid and k.conrelid = t.oid)
            then format('alter table public.%I drop constraint %I', t.relname, c.relname)
            else format('drop index public.%I', c.relname) end
        from pg_index as i join pg_class as c on c.oid = i.indexrelid join pg_class as t on t.oid = i.indrelid
        where t.relnamespace = 'public'::regnamespace and c.relname = any ($1::text[])
        """, [Quoting.textArray(expected.map(\.index))])
      let forms = Dictionary(
        (0..<found.rowCount).map { (found.text($0, 0), found.text($0, 1)) },
        uniquingKeysWith: { first, _ in first })
      let removals = Dictionary(
        (0..<found.rowCount).map { (found.text($0, 0), found.text($0, 2)) },
        uniquingKeysWith: { first, _ in first })
      let missing = expected.filter { forms["\($0.table).\($0.index)"] == nil }
      let different = expected.filter { index in
        forms["\(index.table).\(index.index)"].map { $0 != index.form } ?? false
      }
      let broken = Self.names(
        try connection.query(
          """
          select c.relname from pg_index as i join pg_class as c on c.oid = i.indexrelid
          where i.indrelid in (\(SchemaProbes.relations)) and not (i.indisvalid and i.indisready and i.indislive)
          order by 1
          """))
      let duplicates = Self.names(
        try connection.query(SchemaProbes.duplicates(among: SchemaProbes.relations)))
      let all = try connection.query(
        "select count(*) from pg_index as i where i.indrelid in (\(SchemaProbes.relations))")
      let findings = [
        ("missing", missing.map(\.index)), ("not as the five files define it", different.map(\.index)),
        ("not valid or not ready", broken), ("the same as another", duplicates),
      ].filter { !$0.1.isEmpty }
      guard findings.isEmpty else {
        let remedies =
          different.compactMap { removals["\($0.table).\($0.index)"] }
          + (different + missing).map { SchemaCatalogue.creation(of: $0.index, on: $0.table) }
          + duplicates.filter { name in !different.contains { $0.index == name } }.map {
            "drop index public.\(Quoting.identifier($0))"
          }
          + (broken.isEmpty ? [] : ["tsdb maintain indexes"])
        return question.failed(
          findings.map { "\($0.0): \(ProbeText.names($0.1))" }.joined(separator: "; "),
          remedy: remedies.prefix(4).joined(separator: "; "))
      }
      return question.proved(
        "\(expected.count) of \(expected.count) expected indexes on their tables as defined; \(all.text(0, 0)) with "
          + "those of partitions, all valid and ready, none twice")
    }
  }

  private static func names(_ result: borrowing QueryResult) -> [String] {
    (0..<result.rowCount).map { result.text($0, 0) }
  }
}
