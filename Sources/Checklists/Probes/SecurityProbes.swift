import Postgres

/// What the database refuses, and what it must not keep.
public enum SecurityProbes {
  public static let all: [any Probe.Type] = [
    RateLimitProbe.self, InputValidationProbe.self, SensitiveLogsProbe.self, LogsCriticalProbe.self,
    LogsWatchProbe.self,
  ]
}

/// The limit of calls.
public struct RateLimitProbe: Probe {
  public static let name = "security.rate-limit"
  public static let summary =
    "check_rate_limit lets as many calls pass as it is told and refuses the next; rolled back"
  public static let defects = [
    ProbeDefect(
      "a limit that is gone", sql: "drop function public.check_rate_limit(varchar, varchar, integer, integer)"
    ),
    ProbeDefect(
      "a limit that lets everything pass",
      sql: """
        create or replace function public.check_rate_limit(
          p_identifier varchar, p_limit_type varchar, p_max_count integer, p_window_minutes integer default 60
        ) returns boolean language sql as 'select true'
        """),
    ProbeDefect(
      "a limit that refuses everything",
      sql: """
        create or replace function public.check_rate_limit(
          p_identifier varchar, p_limit_type varchar, p_max_count integer, p_window_minutes integer default 60
        ) returns boolean language sql as 'select false'
        """),
    ProbeDefect(
      "a limit whose counters are gone", sql: "drop table public.support_troubleshooting_rate_limits"),
  ]

  static let table = "public.support_troubleshooting_rate_limits"
  static let calls = 3

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "\(Self.calls + 1) calls of check_rate_limit with a maximum of \(Self.calls), one for another caller; rolled back",
      .writing, needs: [.select(Self.table), .insert(Self.table), .update(Self.table)])
    let caller = "tsdb-probe-\(UInt64.random(in: 0 ... .max))"
    return await question.answer(context.session) { connection in
      let call = "select public.check_rate_limit($1, 'tsdb_probe', \(Self.calls), 1)"
      var answers: [Bool] = []
      for _ in 0...Self.calls { answers.append(try connection.query(call, [caller]).isTrue(0, 0)) }
      let isOtherAllowed = try connection.query(call, [caller + "-other"]).isTrue(0, 0)
      let kept = try connection.query(
        "select count(*) filter (where blocked_until > clock_timestamp()) from \(Self.table) where identifier = $1",
        [caller])
      let passed = answers.prefix { $0 }.count
      guard passed == Self.calls, !answers[Self.calls] else {
        return question.failed(
          "\(answers.filter(\.self).count) of \(answers.count) calls passed, \(Self.calls) should",
          remedy: "tsdb migrate verify")
      }
      guard isOtherAllowed, kept.integer(0, 0) == 1 else {
        return question.failed(
          isOtherAllowed ? "the refused caller is not blocked" : "another caller is refused too",
          remedy: "tsdb migrate verify")
      }
      return question.proved(
        "\(Self.calls) calls passed, call \(Self.calls + 1) was refused and the caller blocked, another caller passed; "
          + "whether the application calls it is outside the database")
    }
  }
}

/// Values that must not get in.
public struct InputValidationProbe: Probe {
  public static let name = "security.input-validation"
  public static let summary =
    "values that the database must refuse are refused, and their sound neighbours taken; rolled back"
  public static let defects: [ProbeDefect] =
    [
      ("support_troubleshooting_sessions", "support_troubleshooting_sessions_status_check", "statuses"),
      ("support_troubleshooting_sessions", "support_troubleshooting_sessions_current_step_check", "steps"),
      ("support_webhooks", "support_webhooks_events_check", "events of webhooks"),
      ("support_webhooks", "support_webhooks_url_check", "addresses of webhooks"),
      ("support_troubleshooting_config", "support_troubleshooting_config_type_check", "types of settings"),
      ("support_troubleshooting_config", "support_troubleshooting_config_value_check", "values of settings"),
    ].map { table, constraint, what in
      ProbeDefect("\(what) are not checked", sql: "alter table public.\(table) drop constraint \(constraint)")
    } + [
      // A rating is copied to its session, which checks it too.
      ProbeDefect(
        "ratings are not checked",
        sql: """
          alter table public.support_troubleshooting_feedback
            drop constraint support_troubleshooting_feedback_rating_check;
          alter table public.support_troubleshooting_sessions
            drop constraint support_troubleshooting_sessions_satisfaction_check
          """)
    ]

  /// A statement with a place for a value, which is taken with one and refused with another.
  struct Trial: Sendable {
    let what: String
    /// `$` stands for the value.
    let template: String
    let sound: String
    let unsound: String

    func statement(_ value: String) -> String { template.replacing("$", with: value) }
  }

  static let session = "tsdb-probe-session"
  static let trials = [
    Trial(
      what: "rating 6",
      template: """
        insert into public.support_troubleshooting_feedback (session_id, customer_email, rating)
        values ('\(session)', 'probe@example.invalid', $)
        """, sound: "5", unsound: "6"),
    Trial(
      what: "an unknown status",
      template:
        "update public.support_troubleshooting_sessions set status = $ where session_id = '\(session)'",
      sound: "'in_progress'", unsound: "'unknown'"),
    Trial(
      what: "a step beyond the last",
      template:
        "update public.support_troubleshooting_sessions set current_step = $ where session_id = '\(session)'",
      sound: "2", unsound: "3"),
    Trial(
      what: "a webhook without events",
      template: """
        insert into public.support_webhooks (webhook_id, url, events) values ('wh_0_tsdbprobe', 'https://example.invalid/', $)
        """, sound: "'[\"session_started\"]'", unsound: "'[]'"),
    Trial(
      what: "a webhook whose URL is not http",
      template: """
        insert into public.support_webhooks (webhook_id, url, events) values ('wh_0_tsdbprobe', $, '["session_started"]')
        """, sound: "'http://example.invalid/'", unsound: "'ftp://example.invalid/'"),
    Trial(
      what: "a setting of unknown type",
      template: """
        insert into public.support_troubleshooting_config (config_key, config_value, config_type)
        values ('tsdb_probe', '1', $)
        """, sound: "'number'", unsound: "'decimal'"),
    Trial(
      what: "a value of the wrong type",
      template: """
        insert into public.support_troubleshooting_config (config_key, config_value, config_type)
        values ('tsdb_probe', $, 'number')
        """, sound: "'1'", unsound: "'uno'"),
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "to store \(Self.trials.map(\.what).joined(separator: ", ")), each beside a sound one; rolled back",
      .writing,
      needs: [
        .select("public.support_troubleshooting_sessions"),
        .insert("public.support_troubleshooting_sessions"),
        .update("public.support_troubleshooting_sessions"),
        .insert("public.support_troubleshooting_feedback"),
        // Its trigger reads.
        .select("public.support_troubleshooting_feedback"),
        .insert("public.support_webhooks"), .insert("public.support_troubleshooting_config"),
      ])
    return await question.answer(context.session) { connection in
      try connection.execute(
        """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, current_step, total_steps)
        values ('\(Self.session)', 'probe@example.invalid', '', 1, 2)
        """)
      var accepted: [String] = []
      for trial in Self.trials {
        if let state = try ProbeTrial.refusal(of: trial.statement(trial.sound), on: connection) {
          return question.failed("the sound neighbour of \(trial.what) is refused (SQLSTATE \(state))")
        }
        if try ProbeTrial.refusal(of: trial.statement(trial.unsound), on: connection) == nil {
          accepted.append(trial.what)
        }
      }
      guard accepted.isEmpty else {
        return question.failed(
          "taken, not refused: \(accepted.joined(separator: ", "))", remedy: "tsdb migrate verify")
      }
      return question.proved(
        "\(Self.trials.count) of \(Self.trials.count) refused, their sound neighbours taken; the application's own "
          + "checks are outside the database")
    }
  }
}
