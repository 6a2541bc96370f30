/// What a role of the application must be let do, by what its programs and documents do with each object.
enum ApplicationRights {
  /// A table or view of schema `public`.
  struct Relation: Sendable, Equatable {
    let name: String
    /// In lower case, as in GRANT.
    let privileges: [String]
    /// Whether a program uses it; others stand in documents only.
    let isUsedByProgram: Bool
  }

  static let relations: [Relation] = [
    .program("support_troubleshooting_sessions", "select", "insert", "update"),
    .program("support_troubleshooting_attempts", "select", "insert"),
    .program("support_troubleshooting_feedback", "select", "insert"),
    .program("support_troubleshooting_notifications", "select", "insert", "update"),
    .program("support_webhooks", "select", "insert"),
    .program("support_troubleshooting_errors", "select", "insert"),
    // Through two functions that have their caller's rights.
    .program("support_troubleshooting_predictions", "select", "insert", "update"),
    .program("vw_troubleshooting_realtime_metrics", "select"),
    .program("mv_top_problems", "select"),
    .document("support_troubleshooting_config", "select"),
    .document("support_troubleshooting_learning", "select", "insert"),
    .document("support_troubleshooting_ml_training", "select", "insert"),
    .document("support_troubleshooting_reports", "select", "insert"),
    .document("support_troubleshooting_cache", "select", "insert", "update"),
    .document("support_troubleshooting_rate_limits", "select", "insert", "update"),
    .document("support_troubleshooting_performance_metrics", "select", "insert"),
    .document("support_webhook_events", "select", "insert"),
    .document("vw_troubleshooting_sessions_summary", "select"),
    .document("vw_troubleshooting_feedback_summary", "select"),
    .document("vw_webhook_stats", "select"),
    .document("mv_daily_troubleshooting_summary", "select"),
    .document("mv_feedback_summary", "select"),
  ]

  /// Functions of schema `public` that a program calls; maintenance calls those that delete.
  static let functionsOfPrograms = [
    "get_feedback_by_problem", "get_troubleshooting_stats", "refresh_troubleshooting_views",
    "register_prediction", "verify_prediction",
  ]
  static let functionsOfDocuments = [
    "check_rate_limit", "get_performance_stats", "get_troubleshooting_metrics_by_period",
    "search_troubleshooting_sessions",
  ]

  /// Tables whose insertion tells a role of the application.
  static let written = relations.filter { $0.isUsedByProgram && $0.privileges.contains("insert") }.map(\.name)
}

extension ApplicationRights.Relation {
  fileprivate static func program(_ name: String, _ privileges: String...) -> Self {
    Self(name: name, privileges: privileges, isUsedByProgram: true)
  }

  fileprivate static func document(_ name: String, _ privileges: String...) -> Self {
    Self(name: name, privileges: privileges, isUsedByProgram: false)
  }
}
