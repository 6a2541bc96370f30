import Postgres
import Timekeeping

/// What went wrong since the deployment, against the day before.
struct ErrorMetricsProbe: Probe {
  static let name = "metrics.errors"
  static let summary =
    "whether errors and failures since the deployment are no more than the hours before had"
  static let defects = [
    ProbeDefect(
      "critical errors arrive",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
        select 'tsdb', 'tsdb', 'critical', 'database' from generate_series(1, 3)
        """),
    ProbeDefect(
      "many errors arrive where none did before",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
        select 'tsdb', 'tsdb', 'high', 'database' from generate_series(1, 40)
        """),
    ProbeDefect("errors are not kept", sql: "drop table public.support_troubleshooting_errors"),
  ]

  /// How many more than expected are still taken for chance.
  static let defaultAllowance = 10

  let allowance: Int

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, known: ["allow"], probe: Self.name)
    allowance = try SmokeArguments.number(
      "allow", of: arguments, default: Self.defaultAllowance, probe: Self.name)
  }

  static let counts = """
    select
      (select count(*) from public.support_troubleshooting_errors where occurred_at >= $1::timestamptz
        and occurred_at < $2::timestamptz),
      (select count(*) from public.support_troubleshooting_attempts where not success
        and attempted_at >= $1::timestamptz and attempted_at < $2::timestamptz),
      (select count(*) from public.support_troubleshooting_notifications where status = 'failed'
        and created_at >= $1::timestamptz and created_at < $2::timestamptz),
      (select count(*) from public.support_webhook_events where not success
        and triggered_at >= $1::timestamptz and triggered_at < $2::timestamptz),
      (select count(*) from public.support_troubleshooting_errors where severity = 'critical'
        and occurred_at >= $1::timestamptz and occurred_at < $2::timestamptz)
    """
  static let names = ["errors", "failed attempts", "failed notifications", "failed webhook calls"]

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let window = MonitoringWindow(context, hours: 1)
    let allowance = allowance
    return await SmokeTransaction(context, isFrozen: true).answer(
      asked:
        "errors and failures \(window.words), against the day before; one of each counted and rolled back"
    ) { connection in
      let start = window.start.description
      let now = try Self.read(from: start, to: "infinity", on: connection)
      try Self.insertOne(on: connection)
      // A zero is worth something where one would have been seen.
      guard try Self.read(from: start, to: "infinity", on: connection) == now.map({ $0 + 1 }) else {
        throw SmokeFailure("a probe's error, failed attempt, notification or webhook call was not counted")
      }
      let before = try Self.read(
        from: (window.start + -86_400).description, to: start, on: connection)
      let words = zip(Self.names, now).map { "\($1) \($0)" }.joined(separator: ", ")
      guard now[4] == 0 else { throw SmokeFailure("\(now[4]) critical among \(words)") }
      for (name, (count, earlier)) in zip(Self.names, zip(now, before)) {
        let expected = Double(earlier) * Double(window.seconds) / 86_400
        guard Double(count) <= 2 * expected + Double(allowance) else {
          throw SmokeFailure(
            "\(count) \(name) \(window.words), where the day before would give \(Int(expected))")
        }
      }
      return
        "\(words), none critical; the day before had \(before[..<4].map(String.init).joined(separator: ", "))"
    }
  }

  private static func read(
    from start: String, to end: String, on connection: borrowing Connection
  ) throws -> [Int] {
    try connection.query(counts, [start, end]).rows()[0].map { $0.flatMap { Int($0) } ?? 0 }
  }

  private static func insertOne(on connection: borrowing Connection) throws {
    let scene = SmokeScene()
    try scene.insertSession(on: connection)
    let statements = [
      """
      insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
      values ('tsdb', $1, 'critical', 'unknown')
      """,
      """
      insert into public.support_troubleshooting_attempts (session_id, step_number, success) values ($1, 1, false)
      """,
      """
      insert into public.support_troubleshooting_notifications (session_id, notification_type, recipient, message, status)
      values ($1, 'email', 'tsdb', 'tsdb', 'failed')
      """,
      """
      with webhook as (
        insert into public.support_webhooks (webhook_id, url, events)
        values ($1, 'https://example.invalid/', '["session_started"]') returning webhook_id)
      insert into public.support_webhook_events (webhook_id, event_type, payload, success)
      select webhook_id, 'session_started', '{}', false from webhook
      """,
    ]
    for statement in statements { _ = try connection.query(statement, [scene.session]) }
  }
}

/// Sessions of customers since the deployment.
struct SessionsCreatedProbe: Probe {
  static let name = "sessions.created"
  static let summary = "whether sessions are created, and how many of them lack a problem, a title or steps"
  static let defects = [
    ProbeDefect(
      "every new session fails",
      sql: """
        create function public.tsdb_fail() returns trigger language plpgsql
          as 'begin raise exception ''out of order''; end';
        create trigger tsdb_fail after insert on public.support_troubleshooting_sessions
          for each row execute function public.tsdb_fail()
        """),
    ProbeDefect(
      "no session came since, where many came before",
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, started_at)
        select 'tsdb-' || n, 'a' || n || '@example.invalid', '', now() - interval '30 hours' - n * interval '1 minute'
        from generate_series(1, 900) as n
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let window = MonitoringWindow(context, hours: 24)
    return await SmokeTransaction(context, isFrozen: true).answer(
      asked: "sessions \(window.words); one more counted and rolled back"
    ) { connection in
      let query = """
        select count(*), count(*) filter (where detected_problem_id is null),
          count(*) filter (where coalesce(detected_problem_title, '') = ''), count(*) filter (where total_steps = 0)
        from public.support_troubleshooting_sessions where started_at >= $1::timestamptz
        """
      let start = window.start.description
      let row = try connection.query(query, [start])
      let scene = SmokeScene()
      _ = try connection.query(
        SmokeScene.basicInsert, [scene.session, SmokeScene.email, "tsdb", scene.problem])
      let count = row.integer(0, 0) ?? 0
      guard try connection.query(query, [start]).integer(0, 0) == count + 1 else {
        throw SmokeFailure("a session that was just created is not counted")
      }
      // Of the week before: how many would have come in the same time.
      let week = try connection.query(
        """
        select count(*) from public.support_troubleshooting_sessions
         where started_at >= $1::timestamptz - interval '7 days' and started_at < $1::timestamptz
        """, [start])
      let expected = Double(week.integer(0, 0) ?? 0) * Double(window.seconds) / (7 * 86_400)
      guard count > 0 || expected < 10 else {
        throw SmokeFailure("no session \(window.words), where the week before would give \(Int(expected))")
      }
      guard count > 0 else {
        return "a probe's session was created and counted; no session of a customer yet (no data yet)"
      }
      return "\(MonitoringText.counted(count, "session")), of which \(row.text(0, 1)) without a problem, "
        + "\(row.text(0, 2)) without a title, \(row.text(0, 3)) without steps"
    }
  }
}

/// How many sessions are resolved.
struct ResolutionRateProbe: Probe {
  static let name = "resolution.rate"
  static let summary = "whether the share of resolved sessions of the last day holds against the week before"
  static let defects = [
    ProbeDefect(
      "the statistics function does not count resolved sessions",
      sql: """
        alter function public.get_troubleshooting_stats(timestamp with time zone, timestamp with time zone)
          rename to stats_old;
        create function public.get_troubleshooting_stats(timestamp with time zone, timestamp with time zone)
          returns table (total_sessions integer, resolved_sessions integer, resolution_rate double precision)
          language sql as 'select 0, 0, 0::double precision'
        """),
    ProbeDefect(
      "nothing of the last day is resolved, where the week before was",
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, status, started_at)
        select 'tsdb-' || n, 'a' || n || '@example.invalid', '',
          case when n <= 100 then 'resolved' else 'needs_escalation' end,
          now() - case when n <= 100 then interval '3 days' else interval '2 hours' end
        from generate_series(1, 150) as n
        """),
  ]

  /// Fewer sessions in a day say nothing of a share.
  static let fewest = 20

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context, isFrozen: true).answer(
      asked:
        "get_troubleshooting_stats of the last day and the week before; two sessions counted and rolled back"
    ) { connection in
      let query = """
        select total_sessions, resolved_sessions, resolution_rate
        from public.get_troubleshooting_stats(now() - $1::interval, now() - $2::interval)
        """
      let day = try connection.query(query, ["1 day", "0"])
      let week = try connection.query(query, ["8 days", "1 day"])
      let scene = SmokeScene()
      try scene.insertSession("other", on: connection)
      try scene.insertSession(steps: 1, on: connection)
      _ = try scene.completeStep(1, on: connection)
      let after = try connection.query(query, ["1 day", "0"])
      guard after.integer(0, 0) == (day.integer(0, 0) ?? 0) + 2,
        after.integer(0, 1) == (day.integer(0, 1) ?? 0) + 1
      else { throw SmokeFailure("two sessions, one of them resolved, are not counted as such") }
      let (total, rate) = (day.integer(0, 0) ?? 0, Double(day.text(0, 2)) ?? 0)
      let weekRate = Double(week.text(0, 2)) ?? 0
      let words =
        "last day: \(MonitoringText.counted(total, "session")), \(MonitoringText.rate(day[0, 2])) % resolved; "
        + "week before: \(week.text(0, 0)), \(MonitoringText.rate(week[0, 2])) %"
      if total >= Self.fewest, week.integer(0, 0) ?? 0 >= Self.fewest, rate < weekRate / 2 {
        throw SmokeFailure(words + ": less than half")
      }
      return (total == 0 ? "no data yet; " : "") + words + "; a probe's sessions were counted and rolled back"
    }
  }
}
