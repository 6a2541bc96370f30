import Postgres
import Timekeeping

/// Views, indexes and what the statistics say of them.
public enum SchemaProbes {
  public static let all: [any Probe.Type] = [
    MatviewExistsProbe.self, MatviewFreshProbe.self, IndexesValidProbe.self, OptimiseDataProbe.self,
  ]

  /// Pairs of valid indexes that are the same but for their names, each index beyond the first once; `relations` is
  /// SQL for the set of tables that are looked at.
  static func duplicates(among relations: String) -> String {
    """
    select i.name from (
      select c.relname as name, row_number() over (
        partition by x.indrelid, c.relam, x.indkey::text, x.indclass::text, x.indcollation::text, x.indoption::text,
          x.indnkeyatts, x.indisunique, x.indimmediate, x.indisexclusion, to_jsonb(x) ->> 'indnullsnotdistinct',
          pg_get_expr(x.indexprs, x.indrelid), pg_get_expr(x.indpred, x.indrelid)
        order by x.indisprimary desc, x.indisreplident desc, k.oid is null, x.indexrelid) as place
      from pg_index as x join pg_class as c on c.oid = x.indexrelid
      left join pg_constraint as k on k.conindid = c.oid and k.conrelid = x.indrelid and k.contype in ('p', 'u', 'x')
      where x.indisvalid and not c.relispartition and x.indrelid in (\(relations))
    ) as i where i.place > 1 order by 1
    """
  }

  /// The application's tables and views, and partitions of theirs.
  static var relations: String {
    let names = SchemaCatalogue.indexes.keys.sorted().map { Quoting.literal($0) }.joined(separator: ", ")
    return """
      select c.oid from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p', 'm') and (c.relname in (\(names)) or c.oid in (
        select p.inhrelid from pg_inherits as p where p.inhparent = any (
          select t.oid from pg_class as t where t.relnamespace = n.oid and t.relname in (\(names)))))
      """
  }
}

/// The three views, each with what a concurrent refresh needs.
public struct MatviewExistsProbe: Probe {
  public static let name = "matview.exists"
  public static let summary =
    "the three materialized views are there with the query of the five files, each with a plain, valid unique index on its key, so that a refresh need not block readers"
  public static let defects = [
    ProbeDefect("a view that is gone", sql: "drop materialized view public.mv_top_problems"),
    ProbeDefect(
      "a view without its unique index", sql: "drop index public.mv_feedback_summary_problem_detected_id_idx"),
    ProbeDefect(
      "an index that is not unique",
      sql: """
        drop index public.mv_daily_troubleshooting_summary_date_idx;
        create index mv_daily_troubleshooting_summary_date_idx on public.mv_daily_troubleshooting_summary (date)
        """),
    ProbeDefect(
      "a unique index with a condition",
      sql: """
        drop index public.mv_daily_troubleshooting_summary_date_idx;
        create unique index mv_daily_troubleshooting_summary_date_idx on public.mv_daily_troubleshooting_summary (date)
          where date > '2000-01-01'
        """),
    ProbeDefect(
      "an ordinary table in place of a view",
      sql: "drop materialized view public.mv_top_problems; create table public.mv_top_problems (a text)"),
    ProbeDefect(
      "a view of the right name, columns and index that shows nothing",
      sql: """
        drop materialized view public.mv_top_problems;
        create materialized view public.mv_top_problems as
          select detected_problem_id, detected_problem_title, 0 as total_sessions, 0 as resolved_count,
            0 as escalated_count, 0::double precision as resolution_rate,
            null::double precision as avg_duration_minutes, started_at as last_occurrence
          from public.support_troubleshooting_sessions where false;
        create unique index mv_top_problems_detected_problem_id_idx
          on public.mv_top_problems (detected_problem_id)
        """),
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "the catalogue: three materialized views in public, their queries and indexes")
    return await question.answer(context.session) { connection in
      var missing: [String] = []
      var different: [String] = []
      var blocking: [SchemaCatalogue.View] = []
      for view in SchemaCatalogue.views {
        let row = try connection.query(
          """
          select (
            select count(*) from pg_index as i where i.indrelid = c.oid and i.indisunique and i.indisvalid
              and i.indisready and i.indpred is null and i.indexprs is null and i.indimmediate
              and (select array_agg(a.attname::text order by a.attname) from pg_attribute as a
                where a.attrelid = c.oid and a.attnum = any (i.indkey)) = $2::text[]),
            \(SchemaCatalogue.queryDigest(of: "c.oid"))
          from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
          where n.nspname = 'public' and c.relname = $1 and c.relkind = 'm'
          """, [view.name, Quoting.textArray(view.key.sorted())])
        if row.rowCount == 0 {
          missing.append(view.name)
        } else {
          if row.integer(0, 0) == 0 { blocking.append(view) }
          if row.text(0, 1) != view.digest { different.append(view.name) }
        }
      }
      guard missing.isEmpty else {
        return question.failed(
          "missing: \(missing.joined(separator: ", "))", remedy: "tsdb migrate up; tsdb migrate verify")
      }
      guard different.isEmpty else {
        return question.failed(
          "the query is not that of the five files: \(different.joined(separator: ", "))",
          remedy: "tsdb migrate verify")
      }
      guard blocking.isEmpty else {
        return question.failed(
          "no plain unique index on the key of \(blocking.map(\.name).joined(separator: ", ")): it cannot be "
            + "refreshed concurrently",
          remedy: blocking.map { SchemaCatalogue.creation(of: $0.index, on: $0.name) }.joined(separator: "; ")
        )
      }
      return question.proved(
        "\(SchemaCatalogue.views.map(\.name).joined(separator: ", ")), each with its query and a plain unique index on its key"
      )
    }
  }
}

/// What the statistics say should be improved.
public struct OptimiseDataProbe: Probe {
  public static let name = "optimise.data"
  public static let summary =
    "duplicate indexes, indexes that were never used while statistics were kept, dead rows, tables never analyzed, scans of whole large tables"
  public static let defects = [
    ProbeDefect(
      "an index twice",
      sql:
        "create index support_troubleshooting_selftest_idx on public.support_troubleshooting_cache (expires_at)"
    )
  ]

  /// Below it nothing is said of dead rows and scans: small tables cost little either way.
  static let smallTable = 10_000
  /// PostgreSQL's own autovacuum acts at a fifth.
  static let deadPercent = 20

  /// How long statistics must have been kept before "never used" means anything.
  let window: Duration

  public init(arguments: [String: String]) throws(ChecklistError) {
    window =
      try ProbeArguments(arguments, of: Self.name, known: ["window"]).span("window") ?? .seconds(7 * 86_400)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "the catalogue and statistics of the application's tables; indexes unused for \(window.spanText)")
    let (window, start) = (window.wholeSeconds, context.deploymentStart?.secondsSince1970)
    return await question.answer(context.session) { connection in
      let tables = try connection.query(
        """
        select count(*),
          count(*) filter (where s.n_dead_tup * 100 > \(Self.deadPercent) * (s.n_live_tup + s.n_dead_tup)
            and s.n_live_tup + s.n_dead_tup >= \(Self.smallTable)),
          count(*) filter (where s.last_analyze is null and s.last_autoanalyze is null
            and s.n_live_tup + s.n_mod_since_analyze >= \(Self.smallTable)),
          count(*) filter (where s.n_live_tup >= \(Self.smallTable) and s.seq_scan > coalesce(s.idx_scan, 0)),
          coalesce(sum(s.n_dead_tup), 0),
          coalesce(to_char(min(greatest(s.last_analyze, s.last_autoanalyze)) at time zone 'UTC', 'YYYY-MM-DD'), 'never'),
          -- What was never reset counts from the start of the server, the latest moment it can have begun.
          floor(extract(epoch from clock_timestamp() - greatest(
            coalesce((select d.stats_reset from pg_stat_database as d where d.datname = current_database()),
              pg_postmaster_start_time()), to_timestamp($1::bigint))))::bigint
        from pg_stat_all_tables as s where s.relid in (\(SchemaProbes.relations))
        """, [start.map { String($0) }])
      let unused = try connection.query(
        """
        select count(*), pg_size_pretty(coalesce(sum(pg_relation_size(s.indexrelid)), 0))
        from pg_stat_all_indexes as s join pg_index as i on i.indexrelid = s.indexrelid
        where s.relid in (\(SchemaProbes.relations)) and s.idx_scan = 0 and not i.indisunique
        """)
      let duplicates = try connection.query(SchemaProbes.duplicates(among: SchemaProbes.relations))
      guard let count = tables.integer(0, 0), let dead = tables.integer(0, 1),
        let unanalyzed = tables.integer(0, 2),
        let scanned = tables.integer(0, 3), let kept = tables.integer(0, 6).map({ Int64($0) })
      else { return question.unknown("the statistics cannot be read") }
      guard count >= SchemaCatalogue.indexes.count else {
        return question.failed(
          "\(ProbeText.count(count, "table")) of the application",
          remedy: "tsdb migrate up; tsdb migrate verify")
      }
      let evidence = Duration.seconds(max(0, kept / 3600 * 3600)).spanText
      let observed = [
        "\(ProbeText.count(count, "table")), statistics of at least \(evidence)",
        ProbeText.count(duplicates.rowCount, "duplicate index", "duplicate indexes"),
        "\(unused.text(0, 0)) never used (\(unused.text(0, 1)), keys not counted)",
        "\(dead) with more than \(Self.deadPercent) % dead rows (\(tables.text(0, 4)) dead in all)",
        "\(unanalyzed) large never analyzed (oldest analysis \(tables.text(0, 5)))",
        "\(scanned) large read whole more often than by index",
      ].joined(separator: "; ")
      guard duplicates.rowCount == 0, dead == 0, unanalyzed == 0 else {
        return question.failed(
          observed,
          remedy: duplicates.rowCount > 0
            ? (0..<min(duplicates.rowCount, 4)).map {
              "drop index public.\(Quoting.identifier(duplicates.text($0, 0)))"
            }.joined(separator: "; ") : "tsdb maintain vacuum analyze")
      }
      guard kept >= window else {
        return question.unknown(
          observed + "; too early to judge unused indexes",
          remedy: "ask again when statistics have been kept longer")
      }
      return question.proved(observed)
    }
  }
}
