/// What the application's five files make, as fixed lists: a probe must not learn from the database it looks at what
/// ought to be there.
enum SchemaCatalogue {
  /// A materialized view and the columns of its key.
  struct View: Sendable, Equatable {
    let name: String
    let key: [String]
    /// Its unique index on the key.
    let index: String
  }

  /// In schema `public`.
  static let views = [
    View(
      name: "mv_daily_troubleshooting_summary", key: ["date"],
      index: "mv_daily_troubleshooting_summary_date_idx"),
    View(
      name: "mv_top_problems", key: ["detected_problem_id"], index: "mv_top_problems_detected_problem_id_idx"),
    View(
      name: "mv_feedback_summary", key: ["problem_detected_id"],
      index: "mv_feedback_summary_problem_detected_id_idx"),
  ]

  /// Indexes by the table or view that they are on, all in schema `public`; those of partitions are not listed.
  static let indexes: [String: [String]] = [
    "mv_daily_troubleshooting_summary": ["mv_daily_troubleshooting_summary_date_idx"],
    "mv_feedback_summary": ["mv_feedback_summary_problem_detected_id_idx"],
    "mv_top_problems": ["mv_top_problems_detected_problem_id_idx"],
    "support_troubleshooting_attempts": [
      "support_troubleshooting_attempts_pkey", "support_troubleshooting_attempts_session_idx",
    ],
    "support_troubleshooting_audit_log": [
      "support_troubleshooting_audit_log_changed_at_idx", "support_troubleshooting_audit_log_pkey",
      "support_troubleshooting_audit_log_record_idx", "support_troubleshooting_audit_log_table_idx",
    ],
    "support_troubleshooting_cache": [
      "support_troubleshooting_cache_expires_at_idx", "support_troubleshooting_cache_pkey",
    ],
    "support_troubleshooting_config": [
      "support_troubleshooting_config_config_key_key", "support_troubleshooting_config_pkey",
    ],
    "support_troubleshooting_errors": [
      "support_troubleshooting_errors_occurred_at_idx", "support_troubleshooting_errors_pkey",
    ],
    "support_troubleshooting_feedback": [
      "support_troubleshooting_feedback_collected_at_idx", "support_troubleshooting_feedback_pkey",
      "support_troubleshooting_feedback_session_idx", "support_troubleshooting_feedback_ticket_id_idx",
    ],
    "support_troubleshooting_learning": [
      "support_troubleshooting_learning_pkey", "support_troubleshooting_learning_session_id_idx",
    ],
    "support_troubleshooting_ml_training": [
      "support_troubleshooting_ml_training_pending_idx", "support_troubleshooting_ml_training_pkey",
    ],
    "support_troubleshooting_notifications": [
      "support_troubleshooting_notifications_pkey", "support_troubleshooting_notifications_session_idx",
    ],
    "support_troubleshooting_performance_metrics": [
      "support_troubleshooting_performance_metrics_name_idx",
      "support_troubleshooting_performance_metrics_pkey",
      "support_troubleshooting_performance_metrics_recorded_at_idx",
    ],
    "support_troubleshooting_predictions": [
      "support_troubleshooting_predictions_customer_idx", "support_troubleshooting_predictions_pkey",
    ],
    "support_troubleshooting_rate_limits": [
      "support_troubleshooting_rate_limits_identifier_limit_type_key",
      "support_troubleshooting_rate_limits_pkey",
      "support_troubleshooting_rate_limits_window_start_idx",
    ],
    "support_troubleshooting_reports": [
      "support_troubleshooting_reports_expires_at_idx", "support_troubleshooting_reports_pkey",
      "support_troubleshooting_reports_report_id_key",
    ],
    "support_troubleshooting_sessions": [
      "support_troubleshooting_sessions_active_idx", "support_troubleshooting_sessions_customer_idx",
      "support_troubleshooting_sessions_escalated_at_idx", "support_troubleshooting_sessions_pkey",
      "support_troubleshooting_sessions_problem_idx", "support_troubleshooting_sessions_resolved_at_idx",
      "support_troubleshooting_sessions_search_idx", "support_troubleshooting_sessions_session_id_key",
      "support_troubleshooting_sessions_started_at_idx", "support_troubleshooting_sessions_ticket_id_idx",
    ],
    "support_webhook_events": ["support_webhook_events_pkey", "support_webhook_events_webhook_idx"],
    "support_webhooks": ["support_webhooks_pkey", "support_webhooks_webhook_id_key"],
  ]
}
