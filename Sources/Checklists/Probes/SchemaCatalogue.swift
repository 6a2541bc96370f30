/// What the application's five files make, as fixed lists: a probe must not learn from the database it looks at what
/// ought to be there.
enum SchemaCatalogue {
  /// A materialized view and the columns of its key.
  struct View: Sendable, Equatable {
    let name: String
    let key: [String]
    /// Its unique index on the key.
    let index: String
    /// Of its query, as ``SchemaCatalogue/queryDigest(of:)`` gives it; versions 15 to 18 agree.
    let digest: String
  }

  /// In schema `public`.
  static let views = [
    View(
      name: "mv_daily_troubleshooting_summary", key: ["date"],
      index: "mv_daily_troubleshooting_summary_date_idx",
      digest: "c2182741144df44511c45dd2aed13873"),
    View(
      name: "mv_top_problems", key: ["detected_problem_id"], index: "mv_top_problems_detected_problem_id_idx",
      digest: "1c955b7ed4586da058b16218ef07b37f"),
    View(
      name: "mv_feedback_summary", key: ["problem_detected_id"],
      index: "mv_feedback_summary_problem_detected_id_idx",
      digest: "3f7461ef665b167bada2b5b0c01bc9f7"),
  ]

  /// SQL for a digest of the normal form of a view's query: versions differ in white space, and in whether they qualify
  /// the columns of a single table. The search path must be `pg_catalog`.
  static func queryDigest(of view: String) -> String {
    #"""
    left(encode(sha256(convert_to(
      regexp_replace(regexp_replace(pg_get_viewdef(\#(view)), '(?!public\.)\m[a-z_]+\.', '', 'g'), '\s+', '', 'g'), 'UTF8')), 'hex'), 32)
    """#
  }

  /// SQL for what the rows `i` of `pg_index` are, as ``indexes`` writes it: all that decides what an index finds and
  /// refuses, without storage parameters, which are the operator's. The search path must be `pg_catalog`.
  static let indexForm = #"""
    (case when i.indisprimary then 'primary ' when i.indisunique then 'unique ' else '' end
      || case when i.indimmediate then '' else 'deferred ' end
      || regexp_replace(regexp_replace(pg_get_indexdef(i.indexrelid), '^.*? USING ', ''), ' WITH \([^)]*\)', ''))
    """#

  /// Indexes by the table or view that they are on, all in schema `public`, each with its form; those of partitions are
  /// not listed. Versions 15 to 18 write them alike.
  static let indexes: [String: [String: String]] = [
    "mv_daily_troubleshooting_summary": [
      "mv_daily_troubleshooting_summary_date_idx": "unique btree (date)"
    ],
    "mv_feedback_summary": [
      "mv_feedback_summary_problem_detected_id_idx": "unique btree (problem_detected_id)"
    ],
    "mv_top_problems": [
      "mv_top_problems_detected_problem_id_idx": "unique btree (detected_problem_id)"
    ],
    "support_troubleshooting_attempts": [
      "support_troubleshooting_attempts_pkey": "primary btree (id)",
      "support_troubleshooting_attempts_session_idx": "btree (session_id, attempted_at DESC)",
    ],
    "support_troubleshooting_audit_log": [
      "support_troubleshooting_audit_log_changed_at_idx": "btree (changed_at)",
      "support_troubleshooting_audit_log_pkey": "primary btree (id, changed_at)",
      "support_troubleshooting_audit_log_record_idx": "btree (table_name, record_id)",
      "support_troubleshooting_audit_log_table_idx": "btree (table_name, changed_at DESC)",
    ],
    "support_troubleshooting_cache": [
      "support_troubleshooting_cache_expires_at_idx": "btree (expires_at)",
      "support_troubleshooting_cache_pkey": "primary btree (cache_key)",
    ],
    "support_troubleshooting_config": [
      "support_troubleshooting_config_config_key_key": "unique btree (config_key)",
      "support_troubleshooting_config_pkey": "primary btree (id)",
    ],
    "support_troubleshooting_errors": [
      "support_troubleshooting_errors_occurred_at_idx": "btree (occurred_at DESC)",
      "support_troubleshooting_errors_pkey": "primary btree (id)",
    ],
    "support_troubleshooting_feedback": [
      "support_troubleshooting_feedback_collected_at_idx": "btree (collected_at)",
      "support_troubleshooting_feedback_pkey": "primary btree (id)",
      "support_troubleshooting_feedback_session_idx": "btree (session_id, collected_at DESC)",
      "support_troubleshooting_feedback_ticket_id_idx": "btree (ticket_id) WHERE (ticket_id IS NOT NULL)",
    ],
    "support_troubleshooting_learning": [
      "support_troubleshooting_learning_pkey": "primary btree (id)",
      "support_troubleshooting_learning_session_id_idx": "btree (session_id) WHERE (session_id IS NOT NULL)",
    ],
    "support_troubleshooting_ml_training": [
      "support_troubleshooting_ml_training_pending_idx":
        "btree (detected_problem_id, actual_problem_id) WHERE (NOT used_for_training)",
      "support_troubleshooting_ml_training_pkey": "primary btree (id)",
    ],
    "support_troubleshooting_notifications": [
      "support_troubleshooting_notifications_pkey": "primary btree (id)",
      "support_troubleshooting_notifications_session_idx": "btree (session_id, created_at DESC)",
    ],
    "support_troubleshooting_performance_metrics": [
      "support_troubleshooting_performance_metrics_name_idx": "btree (metric_name, recorded_at DESC)",
      "support_troubleshooting_performance_metrics_pkey": "primary btree (id)",
      "support_troubleshooting_performance_metrics_recorded_at_idx": "btree (recorded_at)",
    ],
    "support_troubleshooting_predictions": [
      "support_troubleshooting_predictions_customer_idx": "btree (customer_email, predicted_at DESC)",
      "support_troubleshooting_predictions_pkey": "primary btree (prediction_id)",
    ],
    "support_troubleshooting_rate_limits": [
      "support_troubleshooting_rate_limits_identifier_limit_type_key":
        "unique btree (identifier, limit_type)",
      "support_troubleshooting_rate_limits_pkey": "primary btree (id)",
      "support_troubleshooting_rate_limits_window_start_idx": "btree (window_start)",
    ],
    "support_troubleshooting_reports": [
      "support_troubleshooting_reports_expires_at_idx": "btree (expires_at) WHERE (expires_at IS NOT NULL)",
      "support_troubleshooting_reports_pkey": "primary btree (id)",
      "support_troubleshooting_reports_report_id_key": "unique btree (report_id)",
    ],
    "support_troubleshooting_sessions": [
      "support_troubleshooting_sessions_active_idx":
        "btree (started_at DESC) WHERE ((status)::text = ANY (ARRAY['started'::text, 'in_progress'::text]))",
      "support_troubleshooting_sessions_customer_idx": "btree (customer_email, started_at DESC)",
      "support_troubleshooting_sessions_escalated_at_idx":
        "btree (escalated_at) WHERE (escalated_at IS NOT NULL)",
      "support_troubleshooting_sessions_pkey": "primary btree (id)",
      "support_troubleshooting_sessions_problem_idx":
        "btree (detected_problem_id, started_at DESC) WHERE (detected_problem_id IS NOT NULL)",
      "support_troubleshooting_sessions_resolved_at_idx":
        "btree (resolved_at) WHERE (resolved_at IS NOT NULL)",
      "support_troubleshooting_sessions_search_idx":
        "gin (to_tsvector('spanish'::regconfig, ((problem_description || ' '::text) || (COALESCE(detected_problem_title, ''::character varying))::text)))",
      "support_troubleshooting_sessions_session_id_key": "unique btree (session_id)",
      "support_troubleshooting_sessions_started_at_idx": "btree (started_at)",
      "support_troubleshooting_sessions_ticket_id_idx": "btree (ticket_id) WHERE (ticket_id IS NOT NULL)",
    ],
    "support_webhook_events": [
      "support_webhook_events_pkey": "primary btree (id)",
      "support_webhook_events_webhook_idx": "btree (webhook_id, triggered_at DESC)",
    ],
    "support_webhooks": [
      "support_webhooks_pkey": "primary btree (id)",
      "support_webhooks_webhook_id_key": "unique btree (webhook_id)",
    ],
  ]

  /// The statement that makes an index of ``indexes`` anew; that of a constraint makes the constraint.
  static func creation(of index: String, on table: String) -> String {
    let form = indexes[table]?[index] ?? ""
    let columns = form.drop { $0 != "(" }
    if form.hasPrefix("primary ") {
      return "alter table public.\(table) add constraint \(index) primary key \(columns)"
    }
    if index.hasSuffix("_key") {
      return "alter table public.\(table) add constraint \(index) unique \(columns)"
    }
    let isUnique = form.hasPrefix("unique ")
    return "create \(isUnique ? "unique " : "")index \(index) on public.\(table) using "
      + (isUnique ? form.dropFirst("unique ".count) : form[...])
  }
}
