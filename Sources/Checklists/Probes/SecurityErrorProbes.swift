import Postgres
import Timekeeping

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
    /// That asks, as GRANT reads it.
    var role = ""
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
        has_table_privilege('\(table)', 'insert'), exists (select from \(table)),
        format('%I', current_user)
      from \(table) where occurred_at >= \(start)
      """)
    var counts = Counts(
      critical: row.integer(0, 0) ?? 0, high: row.integer(0, 1) ?? 0, others: row.integer(0, 2) ?? 0,
      categories: row.text(0, 3), role: row.text(0, 6))
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

  /// What shows the errors, to whoever may see them.
  static let listing =
    "select occurred_at, severity, category, error_type from \(table) where severity in ('critical', 'high') "
    + "order by occurred_at desc limit 20"

  static let needs: [ProbeNeed] = [.select(table)]

  static func unseen(_ counts: Counts, _ question: ProbeQuestion) -> ProbeAnswer? {
    switch counts.isSeen {
    case true: nil
    case false:
      question.failed("an error that is written is not seen; " + counts.text, remedy: "tsdb migrate verify")
    default:
      question.unknown(
        "no error was ever written, and this role may not try: \(counts.text)",
        remedy: "grant insert on \(table) to \(counts.role)")
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
        return question.failed(counts.text, remedy: ErrorLog.listing)
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
        return question.failed(counts.text, remedy: ErrorLog.listing)
      }
      return ErrorLog.unseen(counts, question) ?? question.proved(counts.text)
    }
  }
}
