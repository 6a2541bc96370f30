import Postgres
import Timekeeping

/// Names of a probe's own rows: no client makes them, and two probes at once do not meet.
struct SmokeScene: Sendable {
  /// `example.invalid` is reserved: nothing is ever delivered there (RFC 2606).
  static let email = "tsdb-probe@example.invalid"
  static let secret = "tsdb-probe-secret"

  let mark: String
  /// What statements keep for those that come after them.
  private(set) var values: [String: String]

  init() {
    var generator = SystemRandomNumberGenerator()
    mark = String(generator.next() | (1 << 63), radix: 16)
    values = [
      "session": "TSESS-tsdb-\(mark)", "other": "TSESS-tsdb-\(mark)-2", "webhook": "wh_tsdb_\(mark)",
      "problem": "tsdb-probe-\(mark)", "word": "tsdbprobe\(mark)", "email": Self.email, "secret": Self.secret,
      "report": "tsdb-probe-\(mark)", "key": "tsdb-probe-\(mark)",
    ]
  }

  var session: String { values["session"] ?? "" }
  var webhook: String { values["webhook"] ?? "" }
  var problem: String { values["problem"] ?? "" }

  mutating func keep(_ name: String, _ value: String) { values[name] = value }

  /// The values of parameters: `:name` stands for a name of this scene, everything else for itself.
  func resolve(_ parameters: [String?]) -> [String?] {
    parameters.map { parameter in
      guard let parameter, parameter.hasPrefix(":") else { return parameter }
      return values[String(parameter.dropFirst())] ?? parameter
    }
  }
}

extension SmokeScene {
  /// What the basic flow sends: no ticket, no title, no steps.
  static let basicInsert = """
    insert into public.support_troubleshooting_sessions
      (session_id, ticket_id, customer_email, customer_name, problem_description, detected_problem_id, status,
       started_at, updated_at)
    values ($1, null, $2, '', $3, $4, 'started', now(), now())
    on conflict (session_id) do update
      set status = excluded.status, detected_problem_id = excluded.detected_problem_id, updated_at = now()
    """

  /// A session with steps that began `age` ago.
  func insertSession(
    _ name: String = "session", steps: Int = 2, age: Duration = .zero, title: String? = nil,
    on connection: borrowing Connection
  ) throws {
    _ = try connection.query(
      """
      insert into public.support_troubleshooting_sessions
        (session_id, customer_email, customer_name, problem_description, detected_problem_id,
         detected_problem_title, total_steps, started_at)
      values ($1, $2, 'tsdb', $3, $4, $5, $6::integer, now() - $7::integer * interval '1 second')
      """,
      [
        values[name], Self.email, values["word"], problem, title, String(steps),
        String(age.wholeSeconds),
      ])
  }

  /// What the step client does: it records the attempt and moves the session on.
  static let attemptInsert = """
    insert into public.support_troubleshooting_attempts
      (session_id, step_number, step_title, success, notes, duration_seconds)
    values ($1, $2::integer, $3, $4::boolean, $5, $6::integer)
    returning id
    """
  static let stepUpdate = """
    update public.support_troubleshooting_sessions
       set current_step = current_step + 1,
           status = case when current_step + 1 >= total_steps then 'resolved' else 'in_progress' end,
           updated_at = now()
     where session_id = $1
    returning status, current_step, resolved_at is not null, total_duration_seconds
    """

  func completeStep(_ number: Int, on connection: borrowing Connection) throws -> QueryResult {
    _ = try connection.query(
      Self.attemptInsert, [session, String(number), "tsdb", "true", "tsdb", "30"])
    return try connection.query(Self.stepUpdate, [session])
  }

  /// What the feedback client does; `age` is how long ago it was collected.
  func insertFeedback(
    rating: Int, isHelpful: Bool?, age: Duration = .zero, on connection: borrowing Connection
  ) throws {
    _ = try connection.query(
      """
      insert into public.support_troubleshooting_feedback
        (session_id, ticket_id, customer_email, rating, feedback_text, was_helpful, problem_detected_id,
         total_steps, completed_steps, resolved, collected_at)
      select s.session_id, s.ticket_id, s.customer_email, $2::integer, 'tsdb', $3::boolean, s.detected_problem_id,
        s.total_steps, s.current_step, s.status = 'resolved', now() - $4::integer * interval '1 second'
      from public.support_troubleshooting_sessions as s
      where s.session_id = $1
      """,
      [session, String(rating), isHelpful.map(String.init), String(age.wholeSeconds)])
  }

  /// Runs a statement that must be refused with one of `states`, within a savepoint.
  ///
  /// - Throws: ``SmokeFailure`` where it is accepted or refused for another reason.
  func expectRefusal(
    of what: String, with states: [String], on connection: borrowing Connection,
    _ body: (borrowing Connection) throws -> Void
  ) throws {
    try connection.execute("savepoint tsdb_refusal")
    do {
      try body(connection)
    } catch let error as PostgresError where states.contains(error.sqlState) {
      try connection.execute("rollback to savepoint tsdb_refusal; release savepoint tsdb_refusal")
      return
    }
    throw SmokeFailure("\(what) was accepted")
  }
}

/// The arguments of a binding.
enum SmokeArguments {
  /// Refuses arguments that are not among `known`.
  static func refuseUnknown(
    _ arguments: [String: String], known: [String] = [], probe: String
  ) throws(ChecklistError) {
    guard let unknown = arguments.keys.filter({ !known.contains($0) }).min() else { return }
    throw ChecklistError(
      .invalidInput, "the probe \"\(probe)\" has no argument \"\(unknown)\"",
      hint: known.isEmpty
        ? "leave it out" : "it takes " + known.map { "\"\($0)\"" }.joined(separator: ", "))
  }

  /// A span such as `2s`.
  static func span(
    _ name: String, of arguments: [String: String], default value: Duration, probe: String
  ) throws(ChecklistError) -> Duration {
    guard let text = arguments[name] else { return value }
    guard let span = Duration(spanText: text), span > .zero else {
      throw ChecklistError(
        .invalidInput, "\"\(name)\" of the probe \"\(probe)\" is no span of time",
        hint: "write it such as 500ms, 2s or 1h")
    }
    return span
  }

  /// A number from 0.
  static func number(
    _ name: String, of arguments: [String: String], default value: Int, probe: String
  ) throws(ChecklistError) -> Int {
    guard let text = arguments[name] else { return value }
    guard let number = Int(text), (0...1_000_000_000).contains(number) else {
      throw ChecklistError(.invalidInput, "\"\(name)\" of the probe \"\(probe)\" is no number from 0")
    }
    return number
  }
}
