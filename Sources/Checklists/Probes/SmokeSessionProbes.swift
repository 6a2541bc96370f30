import Postgres
import Timekeeping

/// A session, from its start.
struct SmokeSessionProbe: Probe {
  static let name = "smoke.session"
  static let summary = "whether a session can be started, started again and read back with its defaults"
  static let defects = [
    ProbeDefect(
      "a deferred trigger that refuses a session when it is committed",
      sql: """
        create function public.tsdb_selftest() returns trigger language plpgsql as $$
        begin raise exception 'refused'; end $$;
        create constraint trigger tsdb_selftest after insert on public.support_troubleshooting_sessions
          deferrable initially deferred for each row execute function public.tsdb_selftest()
        """),
    ProbeDefect(
      "sessions have no unique key for the upsert",
      sql: """
        alter table public.support_troubleshooting_sessions
          drop constraint support_troubleshooting_sessions_session_id_key cascade
        """),
    ProbeDefect(
      "a default is missing",
      sql: "alter table public.support_troubleshooting_sessions alter column current_step drop default"),
    ProbeDefect(
      "an insert is silently lost",
      sql: """
        create function public.tsdb_lost() returns trigger language plpgsql as 'begin return null; end';
        create trigger aaa_lost before insert on public.support_troubleshooting_sessions
          for each row execute function public.tsdb_lost()
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked: "a session as the basic flow starts it, again, and read back; rolled back"
    ) { connection in
      let scene = SmokeScene()
      let values = [scene.session, SmokeScene.email, "tsdb", scene.problem]
      _ = try connection.query(SmokeScene.basicInsert, values)
      _ = try connection.query(SmokeScene.basicInsert, values)
      let row = try connection.query(
        """
        select count(*) over (), status, current_step, total_steps, metadata = '{}', ticket_id is null,
          resolved_at is null and escalated_at is null and total_duration_seconds is null,
          started_at = now(), updated_at = now(), customer_name = ''
        from public.support_troubleshooting_sessions where session_id = $1
        """, [scene.session])
      guard row.rowCount == 1 else {
        throw SmokeFailure("\(row.rowCount) sessions were read back in place of 1")
      }
      let names = [
        "count", "status", "current_step", "total_steps", "metadata", "ticket", "closing times", "started_at",
        "updated_at", "name",
      ]
      let expected = ["1", "started", "0", "0", "t", "t", "t", "t", "t", "t"]
      let wrong = names.indices.filter { row[0, $0] != expected[$0] }.map { names[$0] }
      guard wrong.isEmpty else {
        throw SmokeFailure("the session was read back with another \(wrong.joined(separator: ", "))")
      }
      return "stored once, updated once, read back with its defaults and without a ticket; rolled back"
    }
  }
}

/// Steps of a session, until it is resolved.
struct SmokeStepProbe: Probe {
  static let name = "smoke.step"
  static let summary = "whether two completed steps take a session from started to resolved, with its times"
  static let defects = [
    ProbeDefect(
      "the trigger that sets the closing times is off",
      sql: """
        alter table public.support_troubleshooting_sessions
          disable trigger support_troubleshooting_sessions_status
        """),
    ProbeDefect(
      "the status of a resolved session is refused",
      sql: """
        alter table public.support_troubleshooting_sessions
          add constraint tsdb_never check (status <> 'resolved') not valid
        """),
  ]

  /// How long ago the session began, in seconds.
  static let age = 90

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked: "a session of two steps, begun \(Self.age) seconds ago, both completed; rolled back"
    ) { connection in
      let scene = SmokeScene()
      try scene.insertSession(steps: 2, age: .seconds(Self.age), on: connection)
      let first = try scene.completeStep(1, on: connection).rows()
      guard first == [["in_progress", "1", "f", nil]] else {
        throw SmokeFailure("after the first step the session is not in_progress at step 1 without times")
      }
      let second = try scene.completeStep(2, on: connection).rows()
      guard second.first?.first == "resolved" else {
        throw SmokeFailure("after the last step the session is not resolved")
      }
      guard second == [["resolved", "2", "t", String(Self.age)]] else {
        throw SmokeFailure("the resolved session lacks resolved_at or its duration of \(Self.age) seconds")
      }
      let attempts = try connection.query(
        "select count(*) from public.support_troubleshooting_attempts where session_id = $1 and success",
        [scene.session])
      guard attempts.integer(0, 0) == 2 else { throw SmokeFailure("the attempts were not stored") }
      return
        "started, in_progress, resolved; resolved_at and \(Self.age) seconds set; 2 attempts; rolled back"
    }
  }
}

/// A customer's opinion.
struct SmokeFeedbackProbe: Probe {
  static let name = "smoke.feedback"
  static let summary =
    "whether feedback is stored, the newest is read, counted by problem, and a rating of 6 refused"
  static let defects = [
    ProbeDefect(
      "a rating of 6 is accepted",
      sql: """
        alter table public.support_troubleshooting_feedback
          drop constraint support_troubleshooting_feedback_rating_check
        """),
    ProbeDefect(
      "the rating is not copied to the session",
      sql: """
        alter table public.support_troubleshooting_feedback
          disable trigger support_troubleshooting_feedback_copy_rating
        """),
    ProbeDefect(
      "a session can have one feedback only",
      sql: "create unique index tsdb_once on public.support_troubleshooting_feedback (session_id)"),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked:
        "two opinions on a session, the newest of them, get_feedback_by_problem, a rating of 6; rolled back"
    ) { connection in
      let scene = SmokeScene()
      try scene.insertSession(on: connection)
      try scene.insertFeedback(rating: 2, isHelpful: false, age: .seconds(60), on: connection)
      try scene.insertFeedback(rating: 5, isHelpful: true, on: connection)
      let newest = try connection.query(
        """
        select rating, was_helpful from public.support_troubleshooting_feedback
         where session_id = $1 order by collected_at desc limit 1
        """, [scene.session]
      ).rows()
      guard newest == [["5", "t"]] else { throw SmokeFailure("the newest feedback is not what was read") }
      let score = try connection.query(
        "select customer_satisfaction_score from public.support_troubleshooting_sessions where session_id = $1",
        [scene.session])
      guard score.integer(0, 0) == 5 else {
        throw SmokeFailure("the session does not carry the newest rating")
      }
      let byProblem = try connection.query(
        """
        select total_feedback, average_rating, helpful_percentage, resolution_rate
          from public.get_feedback_by_problem(now() - interval '1 hour', now()) where problem_id = $1
        """, [scene.problem]
      ).rows()
      guard byProblem == [["2", "3.5", "50", "0"]] else {
        throw SmokeFailure("get_feedback_by_problem does not count the two opinions")
      }
      // Older than the others: the copy of the newest to the session must not be what refuses it.
      try scene.expectRefusal(of: "a rating of 6", with: ["23514"], on: connection) {
        try scene.insertFeedback(rating: 6, isHelpful: nil, age: .seconds(120), on: $0)
      }
      return
        "stored twice, the newest read, counted by problem, copied to the session; 6 refused; rolled back"
    }
  }
}
