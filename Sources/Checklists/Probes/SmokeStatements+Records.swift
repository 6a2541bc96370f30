extension SmokeStatements {
  static let predictions: [SmokeStatement] = [
    SmokeStatement(
      what: "register a prediction", endpoint: .ai,
      sql: "select public.register_prediction($1, $2, $3, $4, $5, $6, $7, $8)",
      parameters: [":email", ":problem", "tsdb", "80", "70", #"["tsdb"]"#, #"["tsdb"]"#, "low"],
      expected: .some, kept: "prediction", functions: ["register_prediction"]),
    SmokeStatement(
      what: "verify a prediction", endpoint: .ai, sql: "select public.verify_prediction($1, $2)",
      parameters: [":prediction", ":problem"], expected: .value("t"), functions: ["verify_prediction"]),
  ]

  static let records: [SmokeStatement] = [
    SmokeStatement(
      what: "record an error",
      sql: """
        insert into public.support_troubleshooting_errors
          (error_type, error_message, severity, category, session_id, ticket_id, stack_trace, metadata, occurred_at)
        values ('tsdb', 'tsdb', 'low', 'unknown', $1 || '-unsaved', null, null, $2, now()::timestamp) returning id
        """, parameters: [":session", "{}"], expected: .some),
    SmokeStatement(
      what: "keep a correction for training",
      sql: """
        insert into public.support_troubleshooting_ml_training
          (problem_description, detected_problem_id, actual_problem_id, confidence_score, corrected_by,
           correction_notes)
        values ('tsdb', $1, 'tsdb-actual', 0.5, $2, 'tsdb') returning id
        """, parameters: [":problem", ":email"], expected: .some),
    SmokeStatement(
      what: "read the corrections not used yet",
      sql: """
        select count(*) from public.support_troubleshooting_ml_training
         where not used_for_training and detected_problem_id = $1 and actual_problem_id = 'tsdb-actual'
        """, parameters: [":problem"], expected: .value("1")),
    SmokeStatement(
      what: "store a report",
      sql: """
        insert into public.support_troubleshooting_reports
          (report_id, report_type, parameters, report_data, expires_at)
        values ($1, 'daily', '{}', '{}', now() + interval '1 hour') returning id
        """, parameters: [":report"], expected: .some),
    SmokeStatement(
      what: "read the configuration",
      sql: "select config_key, config_value, config_type from public.support_troubleshooting_config"),
    SmokeStatement(
      what: "change the configuration",
      sql: """
        insert into public.support_troubleshooting_config (config_key, config_value, config_type, updated_by)
        values ($1, '1', 'number', 'tsdb')
        on conflict (config_key) do update set config_value = excluded.config_value
        returning config_value
        """, parameters: [":key"], expected: .value("1")),
    SmokeStatement(
      what: "the time of a change of the configuration",
      sql: """
        update public.support_troubleshooting_config set updated_at = '2000-01-01' where config_key = $1
        returning updated_at = now()
        """, parameters: [":key"], expected: .value("t")),
    SmokeStatement(
      what: "a value of the wrong type",
      sql: "update public.support_troubleshooting_config set config_value = 'tsdb' where config_key = $1",
      parameters: [":key"], expected: .refused("23514")),
    SmokeStatement(
      what: "the audit of a session",
      sql: """
        select count(*) > 0 from public.support_troubleshooting_audit_log
         where table_name = 'support_troubleshooting_sessions' and record_id = $1
        """, parameters: [":session"], expected: .value("t")),
    SmokeStatement(
      what: "the audit leaves secrets out",
      sql: """
        select count(*) from public.support_troubleshooting_audit_log
         where table_name = 'support_webhooks' and record_id = $1
           and strpos(concat(old_values, new_values), $2) > 0
        """, parameters: [":webhook", ":secret"], expected: .value("0")),
    SmokeStatement(
      what: "keep a value in the cache",
      sql: """
        insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
        values ($1, '{}', now() + interval '1 hour')
        on conflict (cache_key) do update set cache_value = excluded.cache_value, expires_at = excluded.expires_at
        returning hit_count
        """, parameters: [":key"], expected: .value("0")),
    SmokeStatement(
      what: "read it from the cache",
      sql: """
        update public.support_troubleshooting_cache
           set hit_count = hit_count + 1, last_accessed_at = now()
         where cache_key = $1 and expires_at > now() returning hit_count
        """, parameters: [":key"], expected: .value("1")),
    SmokeStatement(
      what: "record a metric",
      sql: """
        insert into public.support_troubleshooting_performance_metrics
          (metric_name, metric_value, metric_unit, context)
        values ($1, 12.5, 'milliseconds', '{}') returning id
        """, parameters: [":key"], expected: .some),
    SmokeStatement(
      what: "an event within its limit", sql: "select public.check_rate_limit($1, 'tsdb', 1, 60)",
      parameters: [":key"], expected: .value("t"), functions: ["check_rate_limit"]),
    SmokeStatement(
      what: "an event beyond its limit", sql: "select public.check_rate_limit($1, 'tsdb', 1, 60)",
      parameters: [":key"], expected: .value("f")),
  ]

  static let figures: [SmokeStatement] = [
    SmokeStatement(
      what: "statistics of the last week", endpoint: .analytics,
      sql: """
        select total_sessions, resolved_sessions, escalated_sessions, resolution_rate, avg_duration_minutes
          from public.get_troubleshooting_stats(now() - interval '7 days', now())
        """, expected: .rows(1), functions: ["get_troubleshooting_stats"]),
    SmokeStatement(
      what: "statistics with times without zone",
      sql: """
        select total_sessions >= 2 from public.get_troubleshooting_stats(
          (now() - interval '1 day')::timestamp, (now() + interval '1 day')::timestamp)
        """, expected: .value("t")),
    SmokeStatement(
      what: "feedback by problem", endpoint: .analytics,
      sql: """
        select total_feedback from public.get_feedback_by_problem(now() - interval '7 days', now())
         where problem_id = $1
        """, parameters: [":problem"], expected: .value("1"), functions: ["get_feedback_by_problem"]),
    SmokeStatement(
      what: "the most frequent problems", endpoint: .analytics,
      sql: """
        select detected_problem_id, detected_problem_title, count(*), count(*) filter (where status = 'resolved')
          from public.support_troubleshooting_sessions
         where started_at >= now() - interval '7 days' and detected_problem_id is not null
         group by detected_problem_id, detected_problem_title order by count(*) desc limit 10
        """, expected: .some),
    SmokeStatement(
      what: "the steps that fail most", endpoint: .analytics,
      sql: """
        select a.step_title, count(*), count(*) filter (where not a.success)
          from public.support_troubleshooting_attempts as a
          join public.support_troubleshooting_sessions as s on s.session_id = a.session_id
         where s.started_at >= now() - interval '7 days'
         group by a.step_title order by 3 desc limit 10
        """, expected: .some),
    SmokeStatement(
      what: "ratings of the period", endpoint: .analytics,
      sql: """
        select count(*), avg(rating), count(*) filter (where was_helpful)
          from public.support_troubleshooting_feedback where collected_at >= now() - interval '7 days'
        """, expected: .rows(1)),
    SmokeStatement(
      what: "the realtime figures", endpoint: .realtime,
      sql: """
        select active_sessions, resolved_last_hour, escalated_last_hour, avg_resolution_time_minutes,
          unique_problems_24h, avg_rating_24h
        from public.vw_troubleshooting_realtime_metrics
        """, expected: .rows(1)),
    SmokeStatement(
      what: "the active sessions", endpoint: .realtime,
      sql: """
        select session_id, customer_email, detected_problem_title, status, current_step, total_steps, started_at
          from public.support_troubleshooting_sessions
         where status in ('started', 'in_progress') order by started_at desc limit 20
        """, expected: .some),
    SmokeStatement(
      what: "figures by day",
      sql: """
        select count(*) > 0 from public.get_troubleshooting_metrics_by_period(
          now() - interval '7 days', now() + interval '1 second', 'day')
        """, expected: .value("t"), functions: ["get_troubleshooting_metrics_by_period"]),
    SmokeStatement(
      what: "figures of a metric", sql: "select sample_count from public.get_performance_stats($1, 24)",
      parameters: [":key"], expected: .value("1"), functions: ["get_performance_stats"]),
    SmokeStatement(
      what: "search the sessions",
      sql: "select session_id from public.search_troubleshooting_sessions($1, 50)",
      parameters: [":word"], expected: .rows(2), functions: ["search_troubleshooting_sessions"]),
  ]

  /// Last, because they lock what others read or refresh: the rollback follows at once.
  static let maintenance: [SmokeStatement] = [
    // Older than any other, so that nothing else is deleted.
    SmokeStatement(
      what: "keep a session of a thousand years",
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, status, started_at, resolved_at)
        values ($1 || '-old', $2, 'tsdb', 'resolved', now() - interval '365001 days', now() - interval '365001 days')
        returning id
        """, parameters: [":session", ":email"], expected: .some),
    SmokeStatement(
      what: "retention",
      sql: """
        select string_agg(case when table_name = 'support_troubleshooting_sessions' then (deleted_count > 0)::text
          else 'kept' end, ' ' order by table_name)
        from public.cleanup_old_troubleshooting_data(365000, false)
        """, expected: .value("kept kept kept true"), functions: ["cleanup_old_troubleshooting_data"]),
    SmokeStatement(
      what: "what retention leaves",
      sql: """
        select count(*) from public.support_troubleshooting_sessions where session_id in ($1::text, $1::text || '-old')
        """, parameters: [":session"], expected: .value("1")),
    SmokeStatement(
      what: "let a value in the cache expire",
      sql: """
        update public.support_troubleshooting_cache set expires_at = now() - interval '1 hour'
         where cache_key = $1 returning cache_key
        """, parameters: [":key"], expected: .some),
    SmokeStatement(
      what: "expire the cache", sql: "select public.cleanup_expired_cache() > 0", expected: .value("t"),
      functions: ["cleanup_expired_cache"]),
    SmokeStatement(
      what: "what is left in the cache",
      sql: "select count(*) from public.support_troubleshooting_cache where cache_key = $1",
      parameters: [":key"], expected: .value("0")),
    SmokeStatement(
      what: "refresh the views", sql: "select public.refresh_troubleshooting_views()", expected: .rows(1),
      functions: ["refresh_troubleshooting_views"]),
    SmokeStatement(
      what: "the refreshed views",
      sql: """
        select (select count(*) from public.mv_top_problems where detected_problem_id = $1) || ' '
          || (select count(*) from public.mv_feedback_summary where problem_detected_id = $1) || ' '
          || (select count(*) from public.mv_daily_troubleshooting_summary
               where date = (now() at time zone 'UTC')::date)
        """, parameters: [":problem"], expected: .value("1 1 1")),
    SmokeStatement(
      what: "the daily maintenance",
      sql: """
        select coalesce(string_agg(task || ' ' || result, ', ') filter (where result <> 'ok'), count(*) || ' ok')
          from public.maintenance_troubleshooting_tables()
        """, expected: .value("5 ok"), functions: ["maintenance_troubleshooting_tables"]),
  ]
}
