/// The statements of the application, in an order in which each finds what it needs.
enum SmokeStatements {
  static let all =
    sessions + feedback + webhooks + notifications + predictions + records + figures + maintenance

  /// Those behind an endpoint; sessions come with all of them.
  static func behind(_ endpoint: SmokeStatement.Endpoint) -> [SmokeStatement] {
    all.filter { $0.endpoint == endpoint }
  }

  static let sessions: [SmokeStatement] = [
    SmokeStatement(
      what: "start a session", endpoint: .session, sql: SmokeScene.basicInsert,
      parameters: [":session", ":email", ":word", ":problem"]),
    SmokeStatement(
      what: "start it again", endpoint: .session, sql: SmokeScene.basicInsert,
      parameters: [":session", ":email", ":word", ":problem"]),
    SmokeStatement(
      what: "start a session with the advanced flow", endpoint: .session,
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, customer_name, problem_description, detected_problem_id,
           detected_problem_title, status, current_step, total_steps, metadata, started_at)
        values ($1, $2, 'tsdb', $3, $4, 'tsdb', 'in_progress', 0, 2, $5::jsonb, now())
        on conflict (session_id) do update
          set status = excluded.status, total_steps = excluded.total_steps, metadata = excluded.metadata
        """,
      parameters: [
        ":other", ":email", ":word", ":problem", #"{"detection_method": "tsdb", "confidence": 1}"#,
      ]),
    SmokeStatement(
      what: "send an empty name and an empty description", sql: SmokeScene.basicInsert,
      parameters: [":key", ":email", "", ":problem"]),
    SmokeStatement(
      what: "set the steps of a session", endpoint: .step,
      sql: """
        update public.support_troubleshooting_sessions
           set total_steps = 2, updated_at = now() where session_id = $1 returning status
        """, parameters: [":session"], expected: .value("started")),
    SmokeStatement(
      what: "record an attempt", endpoint: .step, sql: SmokeScene.attemptInsert,
      parameters: [":session", "1", "tsdb", "true", "tsdb", "30"], expected: .some),
    SmokeStatement(
      what: "record a failed attempt", endpoint: .step,
      sql: """
        insert into public.support_troubleshooting_attempts
          (session_id, step_number, step_title, success, notes, attempted_at)
        values ($1, 1, 'tsdb', false, null, now()) on conflict do nothing returning id
        """, parameters: [":session"], expected: .some),
    SmokeStatement(
      what: "move a session on", endpoint: .step, sql: SmokeScene.stepUpdate, parameters: [":session"],
      expected: .value("in_progress")),
    SmokeStatement(
      what: "count the failed attempts", endpoint: .step,
      sql: """
        select count(*) from public.support_troubleshooting_attempts
         where session_id = $1 and success = false
        """, parameters: [":session"], expected: .value("1")),
    SmokeStatement(
      what: "read a session", endpoint: .session,
      sql: """
        select s.session_id, s.*, count(a.id) as attempts
          from public.support_troubleshooting_sessions as s
          left join public.support_troubleshooting_attempts as a on a.session_id = s.session_id
         where s.session_id = $1
         group by s.id
        """, parameters: [":session"], expected: .value(":session")),
    SmokeStatement(
      what: "read its last ten attempts", endpoint: .session,
      sql: """
        select step_number, step_title, success, notes, attempted_at
          from public.support_troubleshooting_attempts
         where session_id = $1 order by attempted_at desc limit 10
        """, parameters: [":session"], expected: .rows(2)),
    SmokeStatement(
      what: "resolve a session", endpoint: .step, sql: SmokeScene.stepUpdate, parameters: [":session"],
      expected: .value("resolved")),
    SmokeStatement(
      what: "read the history of a customer", endpoint: .ai,
      sql: """
        select detected_problem_id, status, started_at, resolved_at - started_at
          from public.support_troubleshooting_sessions
         where customer_email = $1 order by started_at desc limit 20
        """, parameters: [":email"], expected: .some),
    SmokeStatement(
      what: "read the sessions of a problem", endpoint: .ai,
      sql: """
        select status, avg(total_duration_seconds), avg(customer_satisfaction_score)
          from public.support_troubleshooting_sessions
         where detected_problem_id = $1 and started_at >= now() - interval '90 days'
         group by status
        """, parameters: [":problem"], expected: .some),
    SmokeStatement(
      what: "read the summary of sessions",
      sql: """
        select total_attempts from public.vw_troubleshooting_sessions_summary
         where session_id = $1 and started_at >= now() - interval '1 day'
        """, parameters: [":session"], expected: .value("2")),
    SmokeStatement(
      what: "correct a detection",
      sql: """
        insert into public.support_troubleshooting_learning
          (session_id, problem_description, detected_problem_id, actual_problem_id, corrected_by)
        values ($1, 'tsdb', $2, 'tsdb-actual', $3) returning id
        """, parameters: [":session", ":problem", ":email"], expected: .some),
    SmokeStatement(
      what: "a step beyond the last",
      sql: "update public.support_troubleshooting_sessions set current_step = 3 where session_id = $1",
      parameters: [":session"], expected: .refused("23514")),
    SmokeStatement(
      what: "an unknown status",
      sql: "update public.support_troubleshooting_sessions set status = 'abandoned' where session_id = $1",
      parameters: [":session"], expected: .refused("23514")),
  ]

  static let feedback: [SmokeStatement] = [
    SmokeStatement(
      what: "read the session of a feedback", endpoint: .feedback,
      sql: """
        select s.*, count(a.id) filter (where a.success) as completed
          from public.support_troubleshooting_sessions as s
          left join public.support_troubleshooting_attempts as a on a.session_id = s.session_id
         where s.session_id = $1
         group by s.id
        """, parameters: [":session"], expected: .rows(1)),
    SmokeStatement(
      what: "give feedback", endpoint: .feedback,
      sql: """
        insert into public.support_troubleshooting_feedback
          (session_id, ticket_id, customer_email, rating, feedback_text, was_helpful, problem_detected_id,
           total_steps, completed_steps, resolved)
        values ($1, null, $2, 4, 'tsdb', true, $3, 2, 2, true) returning id
        """, parameters: [":session", ":email", ":problem"], expected: .some),
    SmokeStatement(
      what: "read the newest feedback", endpoint: .feedback,
      sql: """
        select rating, feedback_text, was_helpful, collected_at from public.support_troubleshooting_feedback
         where session_id = $1 order by collected_at desc limit 1
        """, parameters: [":session"], expected: .value("4")),
    SmokeStatement(
      what: "the rating in the session", endpoint: .feedback,
      sql: """
        select customer_satisfaction_score from public.support_troubleshooting_sessions where session_id = $1
        """, parameters: [":session"], expected: .value("4")),
    SmokeStatement(
      what: "read the summary of feedback",
      sql: """
        select total_feedback from public.vw_troubleshooting_feedback_summary where date = now()::date
        """, expected: .some),
    SmokeStatement(
      what: "a rating of 6", endpoint: .feedback,
      sql: """
        insert into public.support_troubleshooting_feedback (session_id, customer_email, rating)
        values ($1, $2, 6)
        """, parameters: [":session", ":email"], expected: .refused("23514")),
  ]

  static let webhooks: [SmokeStatement] = [
    SmokeStatement(
      what: "register a webhook", endpoint: .webhooks,
      sql: """
        insert into public.support_webhooks
          (webhook_id, url, events, secret, headers, timeout, retry_attempts, enabled)
        values ($1, 'https://example.invalid/tsdb', $2, $3, $4, 10, 3, true)
        returning id
        """, parameters: [":webhook", #"["session_started"]"#, ":secret", "{}"], expected: .some),
    SmokeStatement(
      what: "list the webhooks", endpoint: .webhooks,
      sql: """
        select webhook_id, url, events, enabled, timeout, retry_attempts, created_at, updated_at
          from public.support_webhooks order by created_at desc
        """, expected: .some),
    SmokeStatement(
      what: "read the webhooks of an event", endpoint: .webhooks,
      sql: """
        select url, secret, headers, timeout, retry_attempts from public.support_webhooks
         where webhook_id = $1 and enabled and events @> $2::jsonb
        """, parameters: [":webhook", #"["session_started"]"#], expected: .rows(1)),
    SmokeStatement(
      what: "the time of a change of a webhook",
      sql: """
        update public.support_webhooks set updated_at = '2000-01-01' where webhook_id = $1
        returning updated_at = now()
        """, parameters: [":webhook"], expected: .value("t")),
    SmokeStatement(
      what: "record the call of a webhook",
      sql: """
        insert into public.support_webhook_events
          (webhook_id, event_type, payload, response_status, response_body, success)
        values ($1, 'session_started', '{}', 200, '', true) returning id
        """, parameters: [":webhook"], expected: .some),
    SmokeStatement(
      what: "read the statistics of webhooks",
      sql: "select success_rate from public.vw_webhook_stats where webhook_id = $1",
      parameters: [":webhook"], expected: .value("100")),
    SmokeStatement(
      what: "a webhook without events", endpoint: .webhooks,
      sql: """
        insert into public.support_webhooks (webhook_id, url, events)
        values ($1 || '-2', 'https://example.invalid/', '[]')
        """, parameters: [":webhook"], expected: .refused("23514")),
    SmokeStatement(
      what: "a webhook whose address is no http", endpoint: .webhooks,
      sql: """
        insert into public.support_webhooks (webhook_id, url, events)
        values ($1 || '-3', 'ftp://example.invalid/', '["session_started"]')
        """, parameters: [":webhook"], expected: .refused("23514")),
  ]

  static let notifications: [SmokeStatement] = [
    SmokeStatement(
      what: "store a notification", endpoint: .notifications,
      sql: """
        insert into public.support_troubleshooting_notifications
          (session_id, notification_type, recipient, subject, message, status, metadata)
        values ($1, 'email', $2, 'tsdb', 'tsdb', 'pending', $3) returning id
        """, parameters: [":session", ":email", "{}"], expected: .some, kept: "notification"),
    SmokeStatement(
      what: "mark it as sent", endpoint: .notifications,
      sql: """
        update public.support_troubleshooting_notifications
           set status = 'sent', sent_at = now() where id = $1 returning status
        """, parameters: [":notification"], expected: .value("sent")),
    SmokeStatement(
      what: "list the notifications of a session", endpoint: .notifications,
      sql: """
        select id, notification_type, recipient, subject, status, sent_at, created_at
          from public.support_troubleshooting_notifications
         where session_id = $1 order by created_at desc
        """, parameters: [":session"], expected: .rows(1)),
  ]
}
