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
}
