import Postgres
import Timekeeping

/// Measurements, and what they take up.
struct PerformanceMetricsProbe: Probe {
  static let name = "performance.metrics"
  static let summary = "whether measurements are kept and summed up, with the sizes of tables and indexes"
  static let defects = [
    ProbeDefect(
      "the function gives a column less",
      sql: """
        drop function public.get_performance_stats(character varying, integer);
        create function public.get_performance_stats(character varying, integer) returns table
          (avg_value numeric, min_value numeric, max_value numeric, p95_value numeric, sample_count bigint)
          language sql as 'select 1::numeric, 1::numeric, 1::numeric, 1::numeric, 1::bigint'
        """),
    ProbeDefect(
      "measurements are not kept", sql: "drop table public.support_troubleshooting_performance_metrics"),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked: "get_performance_stats of 100 measurements (rolled back), sizes, slow statements"
    ) { connection in
      let scene = SmokeScene()
      _ = try connection.query(
        """
        insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value, metric_unit)
        select $1, n, 'milliseconds' from generate_series(1, 100) as n
        """, [scene.problem])
      let stats = try connection.query(
        """
        select avg_value = 50.5, min_value = 1, max_value = 100, p95_value between 95 and 96, sample_count = 100,
          p99_value between 99 and 100
        from public.get_performance_stats($1, 24)
        """, [scene.problem]
      ).rows()
      guard stats == [Array(repeating: "t", count: 6)] else {
        throw SmokeFailure("get_performance_stats does not sum up 100 measurements as they are")
      }
      let facts = try connection.query(
        """
        select pg_size_pretty(coalesce(sum(pg_table_size(c.oid)), 0)),
          pg_size_pretty(coalesce(sum(pg_indexes_size(c.oid)), 0)),
          (select count(distinct metric_name) from public.support_troubleshooting_performance_metrics
            where recorded_at >= now() - interval '1 day' and metric_name <> $1)
        from pg_class as c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'm')
        """, [scene.problem])
      let measured = facts.integer(0, 2) ?? 0
      return "100 measurements were summed up; "
        + (measured == 0 ? "no data yet of the application" : "\(measured) kinds measured in the last day")
        + "; tables \(facts.text(0, 0)), indexes \(facts.text(0, 1)); "
        + (try Self.slowStatements(on: connection)) + "; rolled back"
    }
  }

  /// How many statements of this database take more than a second on average, where that is recorded.
  private static func slowStatements(on connection: borrowing Connection) throws(PostgresError) -> String {
    let place = try connection.query(
      """
      select quote_ident(n.nspname) from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
       where e.extname = 'pg_stat_statements'
      """)
    guard place.rowCount == 1 else { return "slow statements are not recorded (pg_stat_statements)" }
    try connection.execute("savepoint tsdb_statements")
    do throws(PostgresError) {
      let slow = try connection.query(
        """
        select count(*) from \(place.text(0, 0)).pg_stat_statements as s
         where s.mean_exec_time > 1000
           and s.dbid = (select oid from pg_database where datname = current_database())
        """)
      try connection.execute("release savepoint tsdb_statements")
      return "\(MonitoringText.counted(slow.integer(0, 0) ?? 0, "statement")) slower than a second on average"
    } catch  where error.origin == .server {
      // Not preloaded, an older version of the extension, or no right to look.
      try connection.execute("rollback to savepoint tsdb_statements; release savepoint tsdb_statements")
      return "slow statements cannot be read (\(error.sqlState))"
    }
  }
}

/// What customers say.
struct FeedbackReceivedProbe: Probe {
  static let name = "feedback.received"
  static let summary = "whether feedback of the day is counted, with its average and helpful share"
  static let defects = [
    ProbeDefect(
      "the day's summary shows nothing",
      sql: """
        drop view public.vw_troubleshooting_feedback_summary;
        create view public.vw_troubleshooting_feedback_summary as
          select now()::date as date, 0 as total_feedback, null::double precision as average_rating,
            0 as helpful_count, 0 as resolved_count, 0 as positive_feedback_count
          where false
        """),
    ProbeDefect("feedback is not kept", sql: "drop table public.support_troubleshooting_feedback cascade"),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context, isFrozen: true).answer(
      asked: "vw_troubleshooting_feedback_summary of today; one opinion counted and rolled back"
    ) { connection in
      let query = """
        select total_feedback, average_rating, 100.0 * helpful_count / total_feedback, positive_feedback_count
        from public.vw_troubleshooting_feedback_summary where date = now()::date
        """
      let before = try connection.query(query)
      let scene = SmokeScene()
      try scene.insertSession(on: connection)
      try scene.insertFeedback(rating: 5, isHelpful: true, on: connection)
      let after = try connection.query(query)
      let count = before.integer(0, 0) ?? 0
      guard after.rowCount == 1, after.integer(0, 0) == count + 1,
        after.integer(0, 3) == (before.integer(0, 3) ?? 0) + 1
      else { throw SmokeFailure("an opinion that was just given is not counted") }
      guard count > 0 else {
        return "a probe's opinion was counted and rolled back; no opinion today (no data yet)"
      }
      return
        "today \(MonitoringText.counted(count, "opinion")), on average \(MonitoringText.rate(before[0, 1])), "
        + "\(MonitoringText.rate(before[0, 2])) % found it helpful"
    }
  }
}

/// Figures by day and by week.
struct WeeklyMetricsProbe: Probe {
  static let name = "metrics.weekly"
  static let summary = "whether the figures by day and by week agree with the sessions themselves"
  static let defects = [
    ProbeDefect(
      "the function loses sessions",
      sql: """
        drop function public.get_troubleshooting_metrics_by_period(
          timestamp with time zone, timestamp with time zone, character varying);
        create function public.get_troubleshooting_metrics_by_period(
          timestamp with time zone, timestamp with time zone, character varying) returns table
          (period_label character varying, total_sessions integer, resolved_sessions integer,
           escalated_sessions integer, resolution_rate double precision, avg_duration_minutes double precision,
           avg_rating double precision)
          language sql as
          'select ''2026-01-01''::varchar, 1, 0, 0, 0::double precision, 0::double precision, 0::double precision'
        """)
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context, isFrozen: true).answer(
      asked:
        "get_troubleshooting_metrics_by_period by day and week of 28 days; two sessions counted and rolled back"
    ) { connection in
      let scene = SmokeScene()
      let own = try Self.counts(on: connection)
      try scene.insertSession("other", on: connection)
      try scene.insertSession(steps: 1, on: connection)
      _ = try scene.completeStep(1, on: connection)
      let all = try Self.counts(on: connection)
      guard all.sessions == own.sessions + 2, all.resolved == own.resolved + 1 else {
        throw SmokeFailure("two sessions, one of them resolved, are not among the sessions")
      }
      for group in ["day", "week"] {
        let figures = try connection.query(
          """
          select coalesce(sum(total_sessions), 0), coalesce(sum(resolved_sessions), 0), count(*)
          from public.get_troubleshooting_metrics_by_period(now() - interval '28 days', now(), $1)
          """, [group])
        guard figures.integer(0, 0) == all.sessions, figures.integer(0, 1) == all.resolved else {
          throw SmokeFailure(
            "by \(group) there are \(figures.text(0, 0)) sessions, \(figures.text(0, 1)) resolved, in place of "
              + "\(all.sessions) and \(all.resolved)")
        }
      }
      try scene.expectRefusal(of: "figures by fortnight", with: ["22023"], on: connection) {
        _ = try $0.query(
          """
          select * from public.get_troubleshooting_metrics_by_period(now() - interval '1 day', now(), 'fortnight')
          """)
      }
      return (own.sessions == 0 ? "no data yet; " : "")
        + "\(MonitoringText.counted(own.sessions, "session")) in 28 days, \(own.resolved) resolved; "
        + "by day and by week the same; two of a probe's counted and rolled back"
    }
  }

  private static func counts(on connection: borrowing Connection) throws -> (sessions: Int, resolved: Int) {
    let row = try connection.query(
      """
      select count(*), count(*) filter (where status = 'resolved')
      from public.support_troubleshooting_sessions
      where started_at >= now() - interval '28 days' and started_at <= now()
      """)
    return (row.integer(0, 0) ?? 0, row.integer(0, 1) ?? 0)
  }
}

/// What customers have problems with.
struct CommonProblemsProbe: Probe {
  static let name = "problems.common"
  static let summary =
    "whether the view of the most frequent problems is filled, and shows a problem when refreshed"
  static let defects = [
    ProbeDefect(
      "the view is not populated", sql: "refresh materialized view public.mv_top_problems with no data"),
    ProbeDefect(
      "the refresh leaves the view out",
      sql: """
        create or replace function public.refresh_troubleshooting_views() returns void
          language sql set search_path = pg_catalog as 'select'
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked: "mv_top_problems as it is, and after a refresh with two sessions of a new problem; rolled back"
    ) { connection in
      let populated = try connection.query(
        "select relispopulated from pg_class where oid = to_regclass('public.mv_top_problems')")
      guard populated.isTrue(0, 0) else {
        throw SmokeFailure(
          populated.rowCount == 0 ? "there is no view mv_top_problems" : "mv_top_problems is not populated",
          remedy: populated.rowCount == 0
            ? "tsdb migrate up; tsdb migrate verify" : "tsdb maintain refresh-views")
      }
      let view = try connection.query(
        """
        select count(*), coalesce(sum(total_sessions), 0), max(total_sessions),
          (array_agg(left(detected_problem_id, 40) order by total_sessions desc, detected_problem_id))[1]
        from public.mv_top_problems
        """)
      let scene = SmokeScene()
      try scene.insertSession("other", age: .seconds(60), title: "tsdb old", on: connection)
      try scene.insertSession(title: "tsdb new", on: connection)
      _ = try connection.query("select public.refresh_troubleshooting_views()")
      let own = try connection.query(
        """
        select total_sessions, resolved_count, detected_problem_title from public.mv_top_problems
         where detected_problem_id = $1
        """, [scene.problem]
      ).rows()
      guard own == [["2", "0", "tsdb new"]] else {
        throw SmokeFailure("after a refresh the view does not show two new sessions of a problem as one row")
      }
      guard let problems = view.integer(0, 0), problems > 0 else {
        return "a probe's problem came with the refresh and was rolled back; no problem yet (no data yet)"
      }
      return
        "\(MonitoringText.counted(problems, "problem")) of \(view.text(0, 1)) sessions; the most frequent, "
        + "\(SmokeTransaction.readable(view.text(0, 3))), has \(view.text(0, 2))"
    }
  }
}
