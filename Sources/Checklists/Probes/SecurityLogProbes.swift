import Postgres

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
