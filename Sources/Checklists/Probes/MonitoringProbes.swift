import Postgres
import Timekeeping

/// Probes of what the application's monitoring shows: each writes what it must show, and rolls it back.
public enum MonitoringProbes {
  public static let all: [any Probe.Type] = [
    RealtimeMetricsProbe.self, DashboardProbe.self, LogsCollectedProbe.self, ErrorMetricsProbe.self,
    SessionsCreatedProbe.self, PerformanceMetricsProbe.self, ResolutionRateProbe.self,
    FeedbackReceivedProbe.self,
    WeeklyMetricsProbe.self, CommonProblemsProbe.self, WebhooksFiredProbe.self, WebhooksWorkingProbe.self,
    NotificationsSentProbe.self, RollbackServicesProbe.self,
  ]
}

/// The time since a deployment began, or the last hours where there is none.
struct MonitoringWindow: Sendable {
  let start: UTCTime
  let end: UTCTime
  let words: String

  init(_ context: ProbeContext, hours: Int64) {
    end = context.now
    if let start = context.deploymentStart, start <= context.now {
      self.start = start
      words = "since \(start)"
    } else {
      start = context.now + -3600 * hours
      words = hours == 1 ? "in the last hour" : "in the last \(hours) hours"
    }
  }

  /// At least a minute.
  var seconds: Int64 { max(60, end - start) }
}

/// A number as people read it.
enum MonitoringText {
  static func rate(_ value: String?) -> String {
    guard let value, let number = Double(value) else { return "none" }
    let tenths = (number * 10).rounded() / 10
    return tenths == tenths.rounded() ? String(Int64(tenths)) : String(tenths)
  }

  static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}

/// The view behind the dashboard.
struct RealtimeMetricsProbe: Probe {
  static let name = "metrics.realtime"
  static let summary =
    "whether the realtime view gives one row in the columns its readers need, and follows a session"
  static let defects = [
    ProbeDefect(
      "a column is of a type that the dashboard reads as text",
      sql: """
        alter view public.vw_troubleshooting_realtime_metrics rename to vw_old;
        create view public.vw_troubleshooting_realtime_metrics as
          select active_sessions::bigint, sessions_today, resolved_today, escalated_today,
            avg_resolution_time_minutes, resolution_rate, top_problems, resolved_last_hour, escalated_last_hour,
            unique_problems_24h, feedback_count_24h, avg_rating_24h from public.vw_old
        """),
    ProbeDefect(
      "the view shows what it showed when it was made",
      sql: """
        alter view public.vw_troubleshooting_realtime_metrics rename to vw_old;
        create table public.tsdb_frozen as select * from public.vw_old;
        create view public.vw_troubleshooting_realtime_metrics as select * from public.tsdb_frozen
        """),
  ]

  /// Some readers go by name, one by position.
  static let columns = [
    "active_sessions integer", "sessions_today integer", "resolved_today integer", "escalated_today integer",
    "avg_resolution_time_minutes double precision", "resolution_rate double precision", "top_problems jsonb",
    "resolved_last_hour integer", "escalated_last_hour integer", "unique_problems_24h integer",
    "feedback_count_24h integer", "avg_rating_24h double precision",
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context, isFrozen: true).answer(
      asked:
        "the columns and the row of vw_troubleshooting_realtime_metrics, before and after a session; rolled back"
    ) { try Self.observe(on: $0) }
  }

  static func observe(on connection: borrowing Connection) throws -> String {
    let columns = try connection.query(
      """
      select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute
       where attrelid = to_regclass('public.vw_troubleshooting_realtime_metrics')
         and attnum > 0 and not attisdropped
       order by attnum
      """
    ).rows().compactMap { $0[0] }
    guard !columns.isEmpty else {
      throw SmokeFailure(
        "there is no view vw_troubleshooting_realtime_metrics", remedy: "tsdb migrate up; tsdb migrate verify"
      )
    }
    guard columns == Self.columns else {
      let wrong = Self.columns.filter { !columns.contains($0) }
      throw SmokeFailure(
        wrong.isEmpty
          ? "its columns are in another order" : "it has no column \(wrong.joined(separator: ", "))")
    }
    let query = """
      select active_sessions, sessions_today, resolved_last_hour, unique_problems_24h, feedback_count_24h,
        jsonb_typeof(top_problems) = 'array'
      from public.vw_troubleshooting_realtime_metrics
      """
    let before = try connection.query(query).rows()
    guard before.count == 1 else { throw SmokeFailure("it gave \(before.count) rows in place of 1") }
    guard before[0][5] == "t" else { throw SmokeFailure("top_problems is no array") }
    let base = before[0].map { $0.flatMap { Int($0) } ?? 0 }
    let scene = SmokeScene()
    try scene.insertSession(steps: 1, on: connection)
    try scene.insertFeedback(rating: 4, isHelpful: true, on: connection)
    let started = try connection.query(query).rows()
    _ = try scene.completeStep(1, on: connection)
    let resolved = try connection.query(query).rows()
    // All but the third, sessions resolved in the last hour.
    let expected: [String?] = (0..<5).map { String(base[$0] + ($0 == 2 ? 0 : 1)) }
    guard started.first.map({ Array($0.prefix(5)) }) == expected,
      resolved.first?[0] == String(base[0]), resolved.first?[2] == String(base[2] + 1)
    else { throw SmokeFailure("it does not follow a session that is started and resolved") }
    return
      "one row, 12 columns of the right types; it counts a session when it starts and when it is resolved; "
      + "now \(MonitoringText.counted(base[0], "active session")); rolled back"
  }
}

/// The reads of the dashboard, in time.
struct DashboardProbe: Probe {
  static let name = "metrics.dashboard"
  static let summary = "whether the reads of the dashboard answer within a limit; the page is outside"
  static let defects = [
    ProbeDefect(
      "the view takes longer than the dashboard waits",
      sql: """
        alter view public.vw_troubleshooting_realtime_metrics rename to vw_old;
        create view public.vw_troubleshooting_realtime_metrics as
          select o.* from public.vw_old as o cross join lateral (select pg_sleep(o.active_sessions + 30)) as s
        """),
    ProbeDefect("the view is missing", sql: "drop view public.vw_troubleshooting_realtime_metrics"),
  ]

  /// The dashboard asks every 30 seconds.
  static let defaultLimit = Duration.seconds(2)

  let limit: Duration

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, known: ["max"], probe: Self.name)
    limit = try SmokeArguments.span("max", of: arguments, default: Self.defaultLimit, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let limit = limit
    return await SmokeTransaction(context).answer(
      asked: "the realtime view and the active sessions, within \(limit.spanText)"
    ) { connection in
      let clock = ContinuousClock()
      let start = clock.now
      do {
        try connection.execute("set local statement_timeout = \(max(1, limit.wholeMilliseconds))")
        let row = try connection.query("select * from public.vw_troubleshooting_realtime_metrics")
        guard row.rowCount == 1 else {
          throw SmokeFailure("the view gave \(row.rowCount) rows in place of 1")
        }
        _ = try connection.query(
          """
          select session_id, detected_problem_title, status, current_step, total_steps, started_at
            from public.support_troubleshooting_sessions
           where status in ('started', 'in_progress') order by started_at desc limit 20
          """)
      } catch let error as PostgresError where error.isCancellation && !Task.isCancelled {
        throw SmokeFailure(
          "no answer within \(limit.spanText)", remedy: "tsdb maintain analyze; tsdb check")
      }
      let taken = start.duration(to: clock.now)
      guard taken <= limit else { throw SmokeFailure("the answer took \(taken.spanText)") }
      return "both answered in \(max(1, taken.wholeMilliseconds)) ms; the page itself was not asked"
    }
  }
}

/// Audit rows and error rows.
struct LogsCollectedProbe: Probe {
  static let name = "logs.collected"
  static let summary =
    "whether changes arrive in the audit log without secrets, and errors in the errors table"
  static let defects = [
    ProbeDefect(
      "changes of sessions are not audited",
      sql: "drop trigger support_troubleshooting_sessions_audit on public.support_troubleshooting_sessions"),
    ProbeDefect(
      "errors without a saved session are refused",
      sql: """
        alter table public.support_troubleshooting_errors add constraint tsdb_key foreign key (session_id)
          references public.support_troubleshooting_sessions (session_id)
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let asked = "the audit rows of a probe's session, webhook and setting, and a probe's error; rolled back"
    return await SmokeTransaction(context).answer(asked: asked) { connection in
      var run = SmokeRun()
      let wanted = [
        "start a session", "set the steps of a session", "register a webhook", "change the configuration",
        "record an error",
      ]
      try run.run(
        SmokeStatements.all.filter { wanted.contains($0.what) }, on: connection)
      try run.requireSuccess()
      let names = run.scene.resolve([":session", ":webhook", ":key", ":secret"])
      let audit = try connection.query(
        """
        select table_name, bool_or(action = 'INSERT') and (table_name <> 'support_troubleshooting_sessions' or bool_or(action = 'UPDATE')),
          bool_or(strpos(concat(old_values, new_values), $4) > 0),
          bool_or(changed_by is null),
          bool_or(tableoid = to_regclass('public.support_troubleshooting_audit_log_default'))
        from public.support_troubleshooting_audit_log
        where changed_at = now()
          and (table_name, record_id) in (('support_troubleshooting_sessions', $1), ('support_webhooks', $2),
            ('support_troubleshooting_config', $3))
        group by table_name order by table_name
        """, names)
      let missing = [
        "support_troubleshooting_config", "support_troubleshooting_sessions", "support_webhooks",
      ].filter { table in !audit.rows().contains { $0[0] == table && $0[1] == "t" } }
      guard missing.isEmpty else {
        throw SmokeFailure("a change of \(missing.joined(separator: ", ")) left no audit row")
      }
      let rows = audit.rows()
      guard !rows.contains(where: { $0[2] == "t" }) else {
        throw SmokeFailure("the audit log holds a webhook's secret")
      }
      guard !rows.contains(where: { $0[3] == "t" }) else {
        throw SmokeFailure("the audit log does not say who changed a row")
      }
      let newest = try connection.query(
        """
        select to_char(max(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
          from public.support_troubleshooting_errors where session_id is distinct from $1 || '-unsaved'
        """, [names[0]])
      let isStray = rows.contains { $0[4] == "t" }
      return ProbeAnswer(
        .proved, asked: asked,
        observed: "audited: sessions, webhooks, settings, without secrets"
          + (isStray ? ", but in the default partition: this month has none" : "")
          + "; a probe's error was stored; newest error: \(newest[0, 0] ?? "no data yet"); rolled back",
        remedy: isStray ? "tsdb maintain partitions" : nil)
    }
  }
}
