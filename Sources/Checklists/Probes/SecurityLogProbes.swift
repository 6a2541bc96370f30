import Postgres
import Timekeeping

/// Secrets where people read.
public struct SensitiveLogsProbe: Probe {
  public static let name = "security.sensitive-logs"
  public static let summary =
    "a planted secret does not reach the audit; no key of the audit's JSON names a secret; texts of errors hold nothing that looks like one"
  public static let defects = [
    ProbeDefect(
      "a secret in the audit",
      sql: """
        insert into public.support_troubleshooting_audit_log (table_name, record_id, action, new_values)
        values ('support_webhooks', 'wh_0_selftest', 'INSERT', '{"headers": [{"X-Api-Key": "selftest"}]}')
        """),
    ProbeDefect(
      "an audit that leaves nothing out",
      sql: """
        create or replace function public.troubleshooting_audit_row() returns trigger language plpgsql security definer
        set search_path = pg_catalog, public, pg_temp as $$ begin
          insert into public.support_troubleshooting_audit_log (table_name, record_id, action, new_values)
          values (tg_table_name, new.id::text, tg_op, to_jsonb(new));
          return null;
        end $$
        """),
    ProbeDefect(
      "an audit that does not happen",
      sql: "alter table public.support_webhooks disable trigger support_webhooks_audit"),
    ProbeDefect(
      "a token in a stack trace",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, stack_trace)
        values ('selftest', '', 'low', 'unknown', 'Authorization: Bearer abcdefghijklmnop0123456789')
        """),
    ProbeDefect(
      "a password in an error's metadata",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, metadata)
        values ('selftest', '', 'low', 'unknown', '{"request": {"password": "selftest"}}')
        """),
    ProbeDefect(
      "a connection string in an error's message",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
        values ('selftest', 'cannot reach postgresql://app:selftest@db/app', 'low', 'unknown')
        """),
  ]

  static let audit = "public.support_troubleshooting_audit_log"
  static let errors = "public.support_troubleshooting_errors"
  /// As the audit's own trigger has them.
  static let words =
    "secret|password|passwd|contraseña|token|api[_-]?key|authorization|cookie|credential|private[_-]?key"
  /// Heuristic: forms of well-known tokens, and a name of a secret with a value that is not masked.
  static let forms = [
    // A value with a digit, quoted or not; and one that is written without spaces, unless it is a name itself.
    #"(password|passwd|secret|token|api[_-]?key)["']?\s*[=:]\s*["']?(?=[^\s"',;]*[0-9])[^\s"',;*<>{}\[\]()…=:]{8,}"#,
    #"(password|passwd|secret|token|api[_-]?key)=["']?(?!\w*(password|passwd|secret|token|key|none|null|true|false))[^\s"',;*<>{}\[\]()….=:]{6,}(?=[\s"',;&]|$)"#,
    #"(bearer|basic)\s+[a-z0-9._~+/=-]{16,}"#,
    #"\meyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\."#,
    #"\m(AKIA|ASIA)[0-9A-Z]{16}\M"#,
    #"\m(ghp|gho|ghs|glpat|xox[abp]|sk|sk_live|rk_live)[_-][a-z0-9_-]{16,}"#,
    "-----BEGIN [A-Z ]*PRIVATE KEY-----",
    #"[a-z][a-z0-9+]*://[^\s:/@]+:[^\s:/@*…]+@"#,
  ]
  static let planted = "tsdb-probe-not-a-secret"

  /// Rows of which part are looked at; nil for all.
  let days: Int?

  public init(arguments: [String: String]) throws(ChecklistError) {
    days = try ProbeArguments(arguments, of: Self.name, known: ["days"]).count("days")
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "the audit's record of a webhook with a planted secret (rolled back); keys of the audit's JSON; texts and metadata "
        + "of errors" + (days.map { "; of the last \($0) days" } ?? ""), .writing,
      needs: [.insert("public.support_webhooks"), .select(Self.audit), .select(Self.errors)])
    let days = days
    return await question.answer(context.session) { connection in
      let kept = try Self.counts(days, on: connection)
      let record = try Self.plant(on: connection)
      let (audited, leaky) = (kept[0], kept[1])
      let (errors, keys, texts) = (kept[2], kept[3], kept[4])
      let observed =
        "\(leaky) of \(ProbeText.count(audited, "audit row")) with a key that names a secret; of "
        + "\(ProbeText.count(errors, "error")) \(keys) with such a value in the metadata, \(texts) with a text that looks like one"
      guard record.rows == 1 else {
        return question.failed(
          "a change of a webhook is not audited; " + observed, remedy: "tsdb migrate verify")
      }
      guard record.leaks == 0 else {
        return question.failed(
          "the planted secret reached the audit; " + observed, remedy: "tsdb migrate verify")
      }
      guard leaky == 0, keys == 0, texts == 0 else {
        return question.failed(
          observed, remedy: "remove them from these rows, change the secrets, and mend whatever writes them")
      }
      return question.proved("the planted secret is left out; " + observed + " (by form: a heuristic)")
    }
  }

  /// Audit rows, those that leak; errors, those with a secret's key, those with a secret's form.
  private static func counts(_ days: Int?, on connection: borrowing Connection) throws -> [Int] {
    let since = { (column: String) in
      days.map { "where \(column) >= clock_timestamp() - make_interval(days => \($0))" } ?? ""
    }
    // The first pattern is cheap and finds too much; the path looks at keys alone.
    let path = Quoting.literal(
      #"$.** ? (@.type() == "object").keyvalue() ? (@.key like_regex "\#(words)" flag "i")"#)
    let valued = Quoting.literal(
      #"$.** ? (@.type() == "object").keyvalue() ? (@.key like_regex "\#(words)" flag "i" "#
        + #"&& @.value.type() == "string" && !(@.value like_regex "^[*•…x]*$|^\\[?(redacted|filtered)\\]?$" flag "i"))"#
    )
    let rough = Quoting.literal("\"[^\"]*(\(words))[^\"]*\"\\s*:")
    let form = Quoting.literal(forms.map { "(?:\($0))" }.joined(separator: "|"))
    let audit = try connection.query(
      """
      select count(*), count(*) filter (where case when concat(a.old_values, a.new_values) ~* \(rough)
        then coalesce(jsonb_path_exists(a.old_values, \(path)), false)
          or coalesce(jsonb_path_exists(a.new_values, \(path)), false) end)
      from \(Self.audit) as a \(since("a.changed_at"))
      """)
    let errors = try connection.query(
      """
      select count(*),
        count(*) filter (where e.metadata::text ~* \(rough) and jsonb_path_exists(e.metadata, \(valued))),
        count(*) filter (where concat_ws(' ', e.error_message, e.stack_trace, e.metadata) ~* \(form))
      from \(Self.errors) as e \(since("e.occurred_at"))
      """)
    return [
      audit.integer(0, 0), audit.integer(0, 1), errors.integer(0, 0), errors.integer(0, 1),
      errors.integer(0, 2),
    ]
    .map { $0 ?? 0 }
  }

  private static func plant(on connection: borrowing Connection) throws -> (rows: Int, leaks: Int) {
    let mark = "wh_0_tsdbprobe\(UInt32.random(in: 0 ... .max))"
    _ = try connection.query(
      """
      insert into public.support_webhooks (webhook_id, url, events, secret, headers)
      values ($1::text, 'https://example.invalid/', '["session_started"]', $2::text,
        jsonb_build_object('Authorization', $2::text, 'nested', jsonb_build_array(jsonb_build_object('api_key', $2::text))))
      """, [mark, planted])
    let rows = try connection.query(
      """
      select count(*), count(*) filter (where strpos(concat(a.old_values, a.new_values), $2) > 0)
      from \(audit) as a
      where a.table_name = 'support_webhooks' and a.changed_at = now() and concat(a.old_values, a.new_values) like '%' || $1 || '%'
      """, [mark, planted])
    return (rows.integer(0, 0) ?? 0, rows.integer(0, 1) ?? 0)
  }
}

/// Errors by severity, for the probes that ask about them.
enum ErrorLog {
  static let table = "public.support_troubleshooting_errors"

  /// SQL for the moment from which on errors count: the deployment's beginning, else `span` ago.
  static func start(_ context: ProbeContext, _ span: Duration?, default fallback: Int64) -> String {
    if span == nil, let start = context.deploymentStart { return "to_timestamp(\(start.secondsSince1970))" }
    return "clock_timestamp() - make_interval(secs => \(span?.wholeSeconds ?? fallback))"
  }

  /// Counts since `start` by severity, the gravest first, and the number of categories.
  struct Counts: Sendable, Equatable {
    var critical = 0
    var high = 0
    var others = 0
    var categories = ""
    /// Whether an error that is written is seen, or one was seen before; nil where it could not be tried.
    var isSeen: Bool?

    var text: String {
      "\(critical) critical, \(high) high, \(others) of lower severity"
        + (categories.isEmpty ? "" : "; by category: \(categories)")
    }
  }

  /// Looks, and then writes an error that it must see, in the transaction of the question.
  static func counts(since start: String, on connection: borrowing Connection) throws -> Counts {
    let row = try connection.query(
      """
      select count(*) filter (where severity = 'critical'), count(*) filter (where severity = 'high'),
        count(*) filter (where severity not in ('critical', 'high')),
        (select string_agg(format('%s %s', c.category, c.count), ', ' order by c.count desc, c.category)
          from (select category, count(*) from \(table) where occurred_at >= \(start) group by category) as c),
        has_table_privilege('\(table)', 'insert'), exists (select from \(table))
      from \(table) where occurred_at >= \(start)
      """)
    var counts = Counts(
      critical: row.integer(0, 0) ?? 0, high: row.integer(0, 1) ?? 0, others: row.integer(0, 2) ?? 0,
      categories: row.text(0, 3))
    if row.isTrue(0, 4) {
      try connection.execute(
        """
        insert into \(table) (error_type, error_message, severity, category, occurred_at)
        values ('tsdb_probe', '', 'critical', 'unknown', clock_timestamp())
        """)
      let seen = try connection.query(
        "select count(*) from \(table) where severity = 'critical' and occurred_at >= \(start)")
      // Others may have written meanwhile.
      counts.isSeen = (seen.integer(0, 0) ?? 0) > counts.critical
    } else if row.isTrue(0, 5) {
      counts.isSeen = true
    }
    return counts
  }

  static let needs: [ProbeNeed] = [.select(table)]

  static func unseen(_ counts: Counts, _ question: ProbeQuestion) -> ProbeAnswer? {
    switch counts.isSeen {
    case true: nil
    case false:
      question.failed("an error that is written is not seen; " + counts.text, remedy: "tsdb migrate verify")
    default:
      question.unknown(
        "no error was ever written, and this role may not try: \(counts.text)",
        remedy: "grant insert on \(table) to the role that asks")
    }
  }
}

/// Critical errors since the deployment began.
public struct LogsCriticalProbe: Probe {
  public static let name = "logs.critical"
  public static let summary =
    "no error of severity critical since the deployment began, and one that is written is seen; rolled back"
  public static let defects = [
    ProbeDefect(
      "a critical error",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, occurred_at)
        values ('selftest', '', 'critical', 'database', pg_catalog.clock_timestamp())
        """),
    ProbeDefect("errors that cannot be kept", sql: "drop table public.support_troubleshooting_errors"),
    ProbeDefect(
      "errors that vanish",
      sql: "create rule selftest as on insert to public.support_troubleshooting_errors do instead nothing"),
  ]

  /// Without a deployment and without `since`.
  static let day: Int64 = 86_400

  let since: Duration?

  public init(arguments: [String: String]) throws(ChecklistError) {
    since = try ProbeArguments(arguments, of: Self.name, known: ["since"]).span("since")
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let period =
      since.map { "of the last \($0.spanText)" }
      ?? context.deploymentStart.map { "since \($0)" } ?? "of the last day"
    let question = ProbeQuestion(
      "\(ErrorLog.table): errors \(period) by severity; one more written and rolled back", .writing,
      needs: ErrorLog.needs)
    let start = ErrorLog.start(context, since, default: Self.day)
    return await question.answer(context.session) { connection in
      let counts = try ErrorLog.counts(since: start, on: connection)
      guard counts.critical == 0 else {
        return question.failed(counts.text, remedy: "look at these errors first")
      }
      return ErrorLog.unseen(counts, question) ?? question.proved(counts.text)
    }
  }
}

/// The errors of the last minutes, to be asked again and again.
public struct LogsWatchProbe: Probe {
  public static let name = "logs.watch"
  public static let summary =
    "errors of the last 15 minutes by severity and category: none critical, no more of high severity than said"
  public static let defects = [
    ProbeDefect(
      "an error of high severity",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, occurred_at)
        values ('selftest', '', 'high', 'external_api', pg_catalog.clock_timestamp())
        """),
    ProbeDefect(
      "a critical error",
      sql: """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, occurred_at)
        values ('selftest', '', 'critical', 'database', pg_catalog.clock_timestamp())
        """),
  ]

  /// The checklist's "cada 15 minutos".
  let window: Duration
  /// Errors of high severity that are let pass.
  let high: Int

  public init(arguments: [String: String]) throws(ChecklistError) {
    let arguments = try ProbeArguments(arguments, of: Self.name, known: ["window", "high"])
    window = try arguments.span("window") ?? .seconds(900)
    high = try arguments.count("high") ?? 0
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "\(ErrorLog.table): errors of the last \(window.spanText) by severity and category; one more written and rolled back",
      .writing, needs: ErrorLog.needs)
    let start = ErrorLog.start(context, window, default: 0)
    let high = high
    return await question.answer(context.session) { connection in
      let counts = try ErrorLog.counts(since: start, on: connection)
      guard counts.critical == 0, counts.high <= high else {
        return question.failed(counts.text, remedy: "look at these errors")
      }
      return ErrorLog.unseen(counts, question) ?? question.proved(counts.text)
    }
  }
}
