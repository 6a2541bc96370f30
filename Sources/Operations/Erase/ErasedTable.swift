/// What becomes of a table's rows when an address is erased.
///
/// Statements take five parameters: the pseudonym (`$1`), the address as a regular expression for text (`$2`) and for
/// JSON (`$3`), the ids of the customer's sessions (`$4`), and a regular expression for the address alone (`$5`).
struct ErasedTable: Sendable {
  enum Action: String, Sendable, Encodable {
    case delete, anonymise
  }

  let name: String
  let action: Action
  /// Which rows are the customer's own; the row is `t`.
  var owned: String?
  /// What columns of the customer's own rows become; nothing where rows are deleted.
  var values: [(column: String, value: String)] = []
  /// Columns in which the address is replaced by the pseudonym, in rows of others as well.
  var texts: [String] = []
  var documents: [String] = []

  /// The rows that the action concerns.
  var condition: String {
    let mentions =
      texts.map { "t.\($0) ~* $2" } + (documents.map { "t.\($0)::text ~* $3" })
    let own = owned.map { ["(\($0))"] } ?? []
    return (own + (action == .delete ? [] : mentions)).joined(separator: "\n   or ")
  }

  /// Counts the rows.
  var count: String { "select count(*) from public.\(name) as t where \(used)(\(condition))" }

  /// Deletes or changes the rows.
  var statement: String {
    switch action {
    case .delete: "delete from public.\(name) as t where \(used)(\(condition))"
    case .anonymise: "update public.\(name) as t\n   set \(assignments)\n where \(used)(\(condition))"
    }
  }

  /// Every statement names all five parameters, so that the server knows their types.
  private var used: String {
    "($1::text is not null and $2::text is not null and $3::text is not null and $4::text[] is not null"
      + " and $5::text is not null) and "
  }

  private var assignments: String {
    let isOwned = owned ?? "false"
    let replaced: [(String, String)] =
      texts.map { ($0, "regexp_replace(t.\($0), $2, '\\1' || $1, 'gi')") }
      + documents.map { ($0, "regexp_replace(t.\($0)::text, $3, '\\1' || $1, 'gi')::jsonb") }
    let columns =
      replaced.map(\.0) + values.map(\.column).filter { column in !replaced.contains { $0.0 == column } }
    return columns.map { column in
      let mention = replaced.first { $0.0 == column }?.1 ?? "t.\(column)"
      guard let own = values.first(where: { $0.column == column })?.value else {
        return "\(column) = \(mention)"
      }
      return "\(column) = case when \(isOwned) then \(own) else \(mention) end"
    }.joined(separator: ",\n       ")
  }
}

extension ErasedTable {
  /// Which sessions are the customer's.
  static let sessions = """
    select t.session_id from public.support_troubleshooting_sessions as t where \(isAddress("t.customer_email", "$1")) order by t.id
    """

  /// Columns that hold an address and nothing else.
  static let addressColumns: Set = ["customer_email", "recipient"]

  /// Whether the whole column is the address, percent-encoded or not: `o'ana@host` and `x/ana@host` are other people's.
  ///
  /// Beside one another in a text they could be a quoted address or one in a URL, so mentions are matched more widely.
  static func isAddress(_ column: String, _ pattern: String = "$5") -> String { "\(column) ~* \(pattern)" }

  private static let ownSession = "t.session_id = any ($4)"

  /// The application's tables, in the order in which they are changed: the audit log is last, because its trigger
  /// writes what the changes before have replaced. Sessions are the customer's by their ids alone: one that came in
  /// after these were listed keeps its address, so that the search finds it and all of its rows have their turn.
  ///
  /// Sessions, attempts, feedback and errors are what the statistics count, so their rows stay, without what they say
  /// of a person. Notifications, predictions, cached values and limits are about the person alone and go.
  static let all: [ErasedTable] = [
    ErasedTable(
      name: "support_troubleshooting_sessions", action: .anonymise, owned: ownSession,
      values: [
        ("customer_email", "$1"), ("customer_name", "null"), ("problem_description", "''"),
        ("ticket_id", "null"),
        ("metadata", "'{}'"),
      ],
      texts: [
        "customer_name", "problem_description", "detected_problem_id", "detected_problem_title", "ticket_id",
      ],
      documents: ["metadata"]),
    ErasedTable(
      name: "support_troubleshooting_attempts", action: .anonymise, owned: ownSession,
      values: [("notes", "null")],
      texts: ["notes", "step_title"]),
    ErasedTable(
      name: "support_troubleshooting_feedback", action: .anonymise,
      owned: "\(ownSession) or \(isAddress("t.customer_email"))",
      values: [("customer_email", "$1"), ("feedback_text", "null"), ("ticket_id", "null")],
      texts: ["feedback_text", "problem_detected_id", "ticket_id"]),
    ErasedTable(
      name: "support_troubleshooting_learning", action: .anonymise, owned: ownSession,
      values: [("problem_description", "''")],
      texts: ["problem_description", "detected_problem_id", "actual_problem_id", "corrected_by"]),
    ErasedTable(
      name: "support_troubleshooting_notifications", action: .delete,
      owned: "\(ownSession) or \(isAddress("t.recipient"))"),
    ErasedTable(
      name: "support_troubleshooting_notifications", action: .anonymise,
      texts: ["notification_type", "subject", "message", "error_message"], documents: ["metadata"]),
    ErasedTable(
      name: "support_troubleshooting_predictions", action: .delete, owned: isAddress("t.customer_email")),
    ErasedTable(
      name: "support_troubleshooting_predictions", action: .anonymise,
      texts: ["predicted_problem_id", "predicted_problem_title", "actual_problem_id"],
      documents: ["prediction_reasons", "recommended_actions"]),
    ErasedTable(
      name: "support_troubleshooting_errors", action: .anonymise, owned: ownSession,
      values: [
        ("error_message", "'erased'"), ("stack_trace", "null"), ("metadata", "'{}'"), ("ticket_id", "null"),
      ],
      texts: ["error_type", "error_message", "session_id", "ticket_id", "stack_trace"],
      documents: ["metadata"]),
    ErasedTable(
      name: "support_troubleshooting_ml_training", action: .anonymise,
      texts: [
        "problem_description", "detected_problem_id", "actual_problem_id", "corrected_by", "correction_notes",
      ]),
    ErasedTable(
      name: "support_troubleshooting_reports", action: .anonymise, texts: ["report_name"],
      documents: ["parameters", "report_data"]),
    ErasedTable(
      name: "support_webhook_events", action: .anonymise,
      texts: ["event_type", "response_body", "error_message"],
      documents: ["payload"]),
    ErasedTable(
      name: "support_troubleshooting_cache", action: .delete,
      owned: "t.cache_key ~* $2 or t.cache_value::text ~* $3"),
    ErasedTable(
      name: "support_troubleshooting_rate_limits", action: .delete, owned: "t.identifier ~* $2"),
    ErasedTable(
      name: "support_troubleshooting_performance_metrics", action: .anonymise, texts: ["metric_name"],
      documents: ["context"]),
    ErasedTable(
      name: "support_troubleshooting_config", action: .anonymise, texts: ["description", "updated_by"]),
    ErasedTable(
      name: "support_troubleshooting_audit_log", action: .anonymise,
      owned: "t.table_name = 'support_troubleshooting_sessions' and t.record_id = any ($4)",
      values: [("old_values", withoutPerson("old_values")), ("new_values", withoutPerson("new_values"))],
      texts: ["changed_by"], documents: ["old_values", "new_values"]),
  ]

  /// A session's row in the audit log, without what it says of a person.
  private static func withoutPerson(_ column: String) -> String {
    """
    regexp_replace((t.\(column) - '{customer_email,customer_name,problem_description,ticket_id,metadata}'::text[])::text, \
    $3, '\\1' || $1, 'gi')::jsonb
    """
  }
}
