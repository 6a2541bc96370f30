import Postgres
import Timekeeping

/// After a rollback: what is asked after a deployment, once more.
struct RollbackServicesProbe: Probe {
  static let name = "rollback.services"
  static let summary =
    "whether the application's statements, views and figures work after going back, without critical errors"
  static let defects = [
    ProbeDefect("a view is gone", sql: "drop view public.vw_troubleshooting_realtime_metrics"),
    ProbeDefect(
      "a materialized view was restored without its rows",
      sql: "refresh materialized view public.mv_daily_troubleshooting_summary with no data"),
    ProbeDefect(
      "critical errors arrive",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
        values ('tsdb', 'tsdb', 'critical', 'database')
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let asked = "statements, endpoints, views, critical errors and realtime figures, once more; rolled back"
    if let absence = await absence(context, asked: asked) { return absence }
    let window = MonitoringWindow(context, hours: 1)
    let base = await SmokeTransaction(context, isFrozen: true).answer(asked: asked) { connection in
      let views = try connection.query(
        """
        select count(*), count(*) filter (where not relispopulated) from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'm'
           and relname in ('mv_daily_troubleshooting_summary', 'mv_top_problems', 'mv_feedback_summary')
        """)
      guard views.integer(0, 0) == 3 else {
        throw SmokeFailure(
          "\(views.text(0, 0)) of 3 materialized views are there", remedy: "tsdb migrate verify")
      }
      guard views.integer(0, 1) == 0 else {
        throw SmokeFailure(
          "\(views.text(0, 1)) of 3 materialized views are not populated",
          remedy: "tsdb maintain refresh-views")
      }
      let critical = try connection.query(
        """
        select count(*) from public.support_troubleshooting_errors
         where severity = 'critical' and occurred_at >= $1::timestamptz
        """, [window.start.description])
      guard critical.integer(0, 0) == 0 else {
        throw SmokeFailure("\(critical.text(0, 0)) critical errors \(window.words)")
      }
      return "3 views populated, no critical error \(window.words), realtime: "
        + (try RealtimeMetricsProbe.observe(on: connection))
    }
    guard base.state == .proved else { return base }
    guard let probe = try? SmokeStatementsProbe(arguments: [:]) else { return base }
    let smoke = await probe.run(context)
    guard smoke.state == .proved else {
      return ProbeAnswer(smoke.state, asked: asked, observed: smoke.observed, remedy: smoke.remedy)
    }
    return ProbeAnswer(.proved, asked: asked, observed: "\(smoke.observed); \(base.observed)")
  }

  /// The answer where what came back is from before the application's first deployment: there is nothing of it, and no
  /// migration is applied that should have left something. Tables that are gone leave their history.
  private func absence(_ context: ProbeContext, asked: String) async -> ProbeAnswer? {
    let migrations = Quoting.identifier(context.schema, "migrations")
    let isBefore = try? await context.session.run { connection in
      let objects = try connection.query(
        """
        select exists (select from pg_catalog.pg_class as c
            where c.relnamespace = pg_catalog.to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f')
              and not exists (select from pg_catalog.pg_depend as d
                where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')),
          pg_catalog.to_regclass($1) is not null
        """, [migrations])
      if objects.isTrue(0, 0) { return false }
      guard objects.isTrue(0, 1) else { return true }
      return try connection.query("select not exists (select from \(migrations))").isTrue(0, 0)
    }
    guard isBefore == true else { return nil }
    return ProbeAnswer(
      .notApplicable, asked: asked,
      observed:
        "nothing of the application is here, and no migration was ever applied: it is from before the first one"
    )
  }
}
