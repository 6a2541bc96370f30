import Postgres
import Timekeeping

/// What the database knows of webhooks.
///
/// No published program writes the table of events, so that its silence proves nothing.
enum WebhookFacts {
  static let silence = "no data yet: no published program records calls, so none proves nothing"

  /// Stores a webhook and a call of it, and reads both back through the statistics.
  static func checkRecording(on connection: borrowing Connection) throws {
    var run = SmokeRun()
    let wanted = ["register a webhook", "record the call of a webhook", "read the statistics of webhooks"]
    try run.run(SmokeStatements.webhooks.filter { wanted.contains($0.what) }, on: connection)
    try run.requireSuccess()
  }
}

/// Calls of webhooks since the deployment.
struct WebhooksFiredProbe: Probe {
  static let name = "webhooks.fired"
  static let summary =
    "whether calls of enabled webhooks were recorded since the deployment; absence proves nothing"
  static let defects = [
    ProbeDefect("calls are not kept", sql: "drop table public.support_webhook_events cascade"),
    ProbeDefect(
      "every recorded call failed",
      sql: """
        insert into public.support_webhooks (webhook_id, url, events)
        values ('tsdb-defect', 'https://example.invalid/', '["session_started"]');
        insert into public.support_webhook_events (webhook_id, event_type, payload, response_status, success)
        select 'tsdb-defect', 'session_started', '{}', 500, false from generate_series(1, 3)
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let window = MonitoringWindow(context, hours: 24)
    let asked = "calls of enabled webhooks \(window.words)"
    return await SmokeTransaction(context).answer(asked: asked) { connection in
      let row = try connection.query(
        """
        select (select count(*) from public.support_webhooks where enabled),
          count(*), count(*) filter (where e.success), count(distinct e.webhook_id)
        from public.support_webhook_events as e
        join public.support_webhooks as w on w.webhook_id = e.webhook_id and w.enabled
        where e.triggered_at >= $1::timestamptz
        """, [window.start.description])
      let numbers = (0..<4).map { row.integer(0, $0) ?? 0 }
      try WebhookFacts.checkRecording(on: connection)
      guard numbers[0] > 0 else {
        return ProbeAnswer(
          .notApplicable, asked: asked,
          observed: "no webhook is enabled; a probe's call was recorded and rolled back")
      }
      guard numbers[1] > 0 else {
        return ProbeAnswer(
          .unknown, asked: asked,
          observed: "\(MonitoringText.counted(numbers[0], "enabled webhook")), no call \(window.words); "
            + WebhookFacts.silence)
      }
      guard numbers[2] > 0 else {
        throw SmokeFailure("all \(MonitoringText.counted(numbers[1], "call")) \(window.words) failed")
      }
      return ProbeAnswer(
        .proved, asked: asked,
        observed: "\(MonitoringText.counted(numbers[1], "call")) of \(numbers[3]) of "
          + "\(MonitoringText.counted(numbers[0], "enabled webhook")), \(numbers[2]) accepted")
    }
  }
}

/// The statistics of webhooks.
struct WebhooksWorkingProbe: Probe {
  static let name = "webhooks.working"
  static let summary = "whether enabled webhooks are accepted, by their statistics; absence proves nothing"
  static let defects = [
    ProbeDefect("the statistics are missing", sql: "drop view public.vw_webhook_stats"),
    ProbeDefect(
      "a webhook has never been accepted",
      sql: """
        insert into public.support_webhooks (webhook_id, url, events)
        values ('tsdb-defect', 'https://example.invalid/', '["session_started"]'),
          ('tsdb-sound', 'https://example.invalid/', '["session_started"]');
        insert into public.support_webhook_events (webhook_id, event_type, payload, success)
        select 'tsdb-defect', 'session_started', '{}'::jsonb, false from generate_series(1, 3)
        union all
        select 'tsdb-sound', 'session_started', '{}'::jsonb, true from generate_series(1, 3)
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let asked = "vw_webhook_stats of enabled webhooks"
    return await SmokeTransaction(context).answer(asked: asked) { connection in
      let row = try connection.query(
        """
        select count(*), count(*) filter (where total_events > 0), count(*) filter (where success_rate = 0),
          coalesce(sum(total_events), 0), coalesce(sum(failed_events), 0)
        from public.vw_webhook_stats where enabled
        """)
      let numbers = (0..<5).map { row.integer(0, $0) ?? 0 }
      try WebhookFacts.checkRecording(on: connection)
      guard numbers[0] > 0 else {
        return ProbeAnswer(
          .notApplicable, asked: asked,
          observed: "no webhook is enabled; a probe's call was counted and rolled back")
      }
      guard numbers[2] == 0 else {
        throw SmokeFailure(
          "of \(MonitoringText.counted(numbers[0], "enabled webhook")), \(numbers[2]) had no call accepted",
          remedy: "select webhook_id, failed_events from public.vw_webhook_stats where success_rate = 0")
      }
      guard numbers[1] > 0 else {
        return ProbeAnswer(
          .unknown, asked: asked,
          observed: "\(MonitoringText.counted(numbers[0], "enabled webhook")); \(WebhookFacts.silence)")
      }
      return ProbeAnswer(
        .proved, asked: asked,
        observed: "\(MonitoringText.counted(numbers[0], "enabled webhook")), \(numbers[1]) of them called: "
          + "\(MonitoringText.counted(numbers[3], "call")), \(numbers[4]) failed")
    }
  }
}
