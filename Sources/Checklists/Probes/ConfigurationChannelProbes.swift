import Postgres

/// Webhooks, where there are any.
public struct WebhooksConfiguredProbe: Probe {
  public static let name = "webhooks.configured"
  public static let summary =
    "enabled webhooks by scheme and events, none of them unusable; a registration is taken and listed, and rolled back"
  public static let defects = [
    ProbeDefect(
      "an enabled webhook without an address",
      sql: """
        alter table public.support_webhooks drop constraint support_webhooks_url_check;
        insert into public.support_webhooks (webhook_id, url, events)
        values ('wh_0_selftest', 'example.invalid', '["session_started"]')
        """),
    ProbeDefect(
      "an enabled webhook without events",
      sql: """
        alter table public.support_webhooks drop constraint support_webhooks_events_check;
        insert into public.support_webhooks (webhook_id, url, events)
        values ('wh_0_selftest', 'https://example.invalid/', '[]')
        """),
    ProbeDefect(
      "registrations that are refused",
      sql: "alter table public.support_webhooks add constraint selftest check (false)"),
    ProbeDefect("the list of webhooks is gone", sql: "drop view public.vw_webhook_stats"),
  ]

  static let table = "public.support_webhooks"
  static let events = [
    "session_started", "step_completed", "step_failed", "session_resolved", "session_escalated",
    "feedback_received",
    "problem_detected", "session_abandoned", "retry_attempt",
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "\(Self.table): enabled ones, their schemes and events; one registered as the application does, and rolled back",
      .writing, needs: [.select(Self.table), .insert(Self.table), .select("public.vw_webhook_stats")])
    return await question.answer(context.session) { connection in
      let row = try connection.query(
        """
        select count(*), count(*) filter (where w.enabled),
          count(*) filter (where w.enabled and w.url ~* '^https://'),
          count(*) filter (where w.enabled and (w.url !~* '^https?://[^/[:space:]]' or jsonb_typeof(w.events) <> 'array'
            or w.events = '[]')),
          (select count(distinct e.name) from \(Self.table) as v
            cross join jsonb_array_elements_text(case jsonb_typeof(v.events) when 'array' then v.events else '[]' end)
              as e (name) where v.enabled),
          (select count(distinct e.name) from \(Self.table) as v
            cross join jsonb_array_elements_text(case jsonb_typeof(v.events) when 'array' then v.events else '[]' end)
              as e (name) where v.enabled and e.name <> all ($1::text[]))
        from \(Self.table) as w
        """, [Quoting.textArray(Self.events)])
      guard let all = row.integer(0, 0), let enabled = row.integer(0, 1), let encrypted = row.integer(0, 2),
        let unusable = row.integer(0, 3)
      else { return question.unknown("the webhooks cannot be read") }
      guard unusable == 0 else {
        return question.failed(
          "\(unusable) of \(ProbeText.count(enabled, "enabled webhook")) without an http address or without events",
          remedy: "select webhook_id, enabled from public.support_webhooks order by webhook_id; "
            + "update public.support_webhooks set enabled = false where webhook_id = 'ID'")
      }
      let registration = """
        insert into \(Self.table) (webhook_id, url, events, secret, headers, timeout, retry_attempts, enabled)
        values ('wh_0_tsdbprobe', 'https://example.invalid/', '["session_started"]', null, '{}', 10, 3, true)
        """
      if let state = try ProbeTrial.refusal(of: registration, on: connection) {
        return question.failed("a registration is refused (SQLSTATE \(state))", remedy: "tsdb migrate verify")
      }
      try connection.execute(registration)
      let listed = try connection.query(
        "select count(*) from public.vw_webhook_stats where webhook_id = 'wh_0_tsdbprobe' and total_events = 0"
      )
      guard listed.integer(0, 0) == 1 else {
        return question.failed(
          "a registration does not appear in vw_webhook_stats", remedy: "tsdb migrate verify")
      }
      guard all > 0 else {
        return question.proved(
          "none is configured, as may be; a registration is taken and listed (rolled back)")
      }
      return question.proved(
        "\(enabled) of \(ProbeText.count(all, "webhook")) enabled, \(encrypted) by https, \(enabled - encrypted) by http, "
          + "\(row.text(0, 4)) kinds of events (\(row.text(0, 5)) of names that no document lists); "
          + "a registration is taken and listed (rolled back)")
    }
  }
}

/// The channels that notifications go through.
public struct NotificationsConfiguredProbe: Probe {
  public static let name = "notifications.configured"
  public static let summary =
    "notification_channels is a JSON array of known channels; delivery is outside the database"
  public static let defects = [
    ProbeDefect(
      "a channel that nothing knows",
      sql:
        "update \(ConfigurationProbes.table) set config_value = '[\"fax\"]' where config_key = 'notification_channels'"
    ),
    ProbeDefect(
      "channels that are no list",
      sql:
        "update \(ConfigurationProbes.table) set config_value = '\"email\"' where config_key = 'notification_channels'"
    ),
    ProbeDefect(
      "no channels at all",
      sql: "delete from \(ConfigurationProbes.table) where config_key = 'notification_channels'"),
  ]

  private static let correction =
    "update \(ConfigurationProbes.table) set config_value = '[\"email\"]' where config_key = 'notification_channels'"

  static let channels = ["email", "sms", "push", "slack", "teams", "discord", "webhook"]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "notification_channels of \(ConfigurationProbes.table): an array of known channels",
      needs: [.select(ConfigurationProbes.table)])
    return await question.answer(context.session) { connection in
      let value = try connection.query(
        "select config_value from \(ConfigurationProbes.table) where config_key = 'notification_channels'")
      guard value.rowCount == 1 else {
        return question.failed("the key notification_channels is missing", remedy: "tsdb seed")
      }
      guard try ProbeTrial.refusal(of: "select $1::jsonb", [value[0, 0]], on: connection) == nil else {
        return question.failed("notification_channels is no JSON", remedy: Self.correction)
      }
      let row = try connection.query(
        """
        select jsonb_typeof(v.value) = 'array', e.count, e.known, e.names
        from (select $1::jsonb as value) as v
        cross join lateral (
          select count(*), count(*) filter (where jsonb_typeof(a.item) = 'string' and a.item #>> '{}' = any ($2::text[])) as known,
            string_agg(a.item #>> '{}', ', ' order by a.item #>> '{}')
              filter (where a.item #>> '{}' = any ($2::text[])) as names
          from jsonb_array_elements(case jsonb_typeof(v.value) when 'array' then v.value else '[]' end) as a (item)
        ) as e
        """, [value[0, 0], Quoting.textArray(Self.channels)])
      guard row.isTrue(0, 0), let count = row.integer(0, 1), let known = row.integer(0, 2) else {
        return question.failed("notification_channels is no JSON array", remedy: Self.correction)
      }
      guard count == known else {
        return question.failed(
          "\(count - known) of \(ProbeText.count(count, "channel")) unknown to the application",
          remedy: Self.correction)
      }
      guard count > 0 else { return question.notApplicable("no channel is configured") }
      return question.proved(
        "\(ProbeText.count(count, "channel")): \(row.text(0, 3)); that they deliver is not shown")
    }
  }
}
