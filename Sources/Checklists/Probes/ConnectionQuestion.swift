import Postgres
import Timekeeping

/// A privilege that a question cannot do without.
struct ProbeNeed: Sendable, Equatable {
  /// In lower case, as in GRANT.
  let privilege: String
  /// Qualified, as SQL reads it.
  let relation: String

  static func select(_ relation: String) -> Self { Self(privilege: "select", relation: relation) }
  static func insert(_ relation: String) -> Self { Self(privilege: "insert", relation: relation) }
  static func update(_ relation: String) -> Self { Self(privilege: "update", relation: relation) }
}

/// A question in one transaction that is always rolled back.
///
/// The search path is `pg_catalog`, a lock is waited for 3 seconds, a statement may take two minutes. Policies do not
/// hide rows in silence: where one would, the question ends in `unknown`.
struct ProbeQuestion: Sendable {
  enum Mode: String, Sendable {
    case reading = "begin read only"
    /// One snapshot for all statements.
    case frozen = "begin isolation level repeatable read read only"
    case writing = "begin"
  }

  let asked: String
  let mode: Mode
  let needs: [ProbeNeed]

  init(_ asked: String, _ mode: Mode = .reading, needs: [ProbeNeed] = []) {
    self.asked = asked
    self.mode = mode
    self.needs = needs
  }

  /// The answer of `body`; `unknown` with the GRANT where a need is not met, and what an error says of the rest.
  func answer(
    _ session: Session, _ body: @Sendable (borrowing Connection) throws -> ProbeAnswer
  ) async -> ProbeAnswer {
    do {
      return try await session.run { connection in
        guard !connection.isInTransaction else {
          return unknown("the session has a transaction of its own open")
        }
        try connection.execute(
          """
          \(mode.rawValue); set local search_path = pg_catalog; set local row_security = off;
          set local lock_timeout = '3s'; set local statement_timeout = '2min'
          """)
        do {
          let answer = try unmetNeeds(on: connection) ?? body(connection)
          try connection.execute("rollback")
          return answer
        } catch {
          _ = try? connection.execute("rollback")
          throw error
        }
      }
    } catch let error as PostgresError {
      return answer(to: error)
    } catch {
      return unknown("it was interrupted")
    }
  }

  func proved(_ observed: String) -> ProbeAnswer { ProbeAnswer(.proved, asked: asked, observed: observed) }

  func failed(_ observed: String, remedy: String? = nil) -> ProbeAnswer {
    ProbeAnswer(.failed, asked: asked, observed: observed, remedy: remedy)
  }

  func unknown(_ observed: String, remedy: String? = nil) -> ProbeAnswer {
    ProbeAnswer(.unknown, asked: asked, observed: observed, remedy: remedy)
  }

  func notApplicable(_ observed: String) -> ProbeAnswer {
    ProbeAnswer(.notApplicable, asked: asked, observed: observed)
  }

  private func unmetNeeds(on connection: borrowing Connection) throws -> ProbeAnswer? {
    guard !needs.isEmpty else { return nil }
    // A relation that does not exist is the question's own finding.
    let result = try connection.query(
      """
      select format('grant %s on %s to %I', n.privilege, n.relation, current_user)
      from unnest($1::text[], $2::text[]) with ordinality as n (privilege, relation, place)
      where not has_table_privilege(to_regclass(n.relation), n.privilege)
      order by n.place
      """,
      [
        Quoting.textArray(needs.map(\.privilege)), Quoting.textArray(needs.map(\.relation)),
      ])
    let grants = (0..<result.rowCount).map { result.text($0, 0) }
    guard !grants.isEmpty else { return nil }
    let count = ProbeText.count(grants.count, "privilege")
    return unknown("the role lacks \(count) to look", remedy: grants.joined(separator: "; "))
  }

  /// What an error says without its text, which may repeat values.
  func answer(to error: PostgresError) -> ProbeAnswer {
    switch error.sqlState {
    case "42P01", "42883", "42703", "42704", "3F000":
      // These name objects, never values.
      failed("missing: \(error.message)", remedy: "tsdb migrate up; tsdb migrate verify")
    case "42501":
      unknown(
        "the role may not look: \(error.message)",
        remedy: "ask as a role that may, or grant it usage on the schema and the privilege")
    case "25006":
      unknown("the session may only read", remedy: "ask the primary, without default_transaction_read_only")
    case "55P03": unknown("a lock was held by another session for longer than 3 s", remedy: "ask again")
    case "57014":
      unknown(
        "the question took too long, or was cancelled", remedy: "ask again when the server is less busy")
    default: unknown(Self.reason(error))
    }
  }

  /// Why there is no answer, without a value, a password or an address.
  static func reason(_ error: PostgresError) -> String {
    switch (error.origin, error.sqlState) {
    case (_, "28P01"), (_, "28000"): "the server refused the role or its password"
    case (_, "3D000"): "the database does not exist"
    case (_, "53300"): "the server has no connection left"
    case (_, "57P03"): "the server is starting, stopping or recovering"
    case (.connecting, _): "the server cannot be reached"
    case (.connectionLost, _): "the connection was lost"
    case (.client, _): "the connection's settings cannot be used"
    case (.server, let state): "the server refused the question (SQLSTATE \(state))"
    }
  }
}

/// A statement that the server may refuse for the values in it, in a savepoint of its own.
enum ProbeTrial {
  /// The SQLSTATE of the refusal; nil where it was taken. The statement is undone either way.
  ///
  /// - Throws: what is no judgement of the values: no class 22 (data) or 23 (constraints).
  static func refusal(
    of sql: String, _ parameters: [String?] = [], on connection: borrowing Connection
  ) throws(PostgresError) -> String? {
    try connection.execute("savepoint trial")
    var state: String?
    do {
      _ = try connection.query(sql, parameters)
    } catch {
      guard error.sqlState.hasPrefix("22") || error.sqlState.hasPrefix("23") else { throw error }
      state = error.sqlState
    }
    try connection.execute("rollback to savepoint trial; release savepoint trial")
    return state
  }
}

/// The arguments of a binding, read one by one.
struct ProbeArguments: Sendable {
  let probe: String
  let values: [String: String]

  /// - Throws: where an argument is not `known`.
  init(_ values: [String: String], of probe: String, known: [String] = []) throws(ChecklistError) {
    self.probe = probe
    self.values = values
    if let stranger = values.keys.filter({ !known.contains($0) }).min() {
      throw ChecklistError(
        .invalidInput, "probe \"\(probe)\" has no argument \"\(stranger)\"",
        hint: known.isEmpty ? "it takes none" : "it takes " + known.map { "\($0)=…" }.joined(separator: " "))
    }
  }

  subscript(key: String) -> String? { values[key] }

  func span(_ key: String) throws(ChecklistError) -> Duration? {
    guard let text = values[key] else { return nil }
    guard let span = Duration(spanText: text), span > .zero else {
      throw unusable(key, hint: "write a span such as 15min, 1h or 7d")
    }
    return span
  }

  func count(_ key: String) throws(ChecklistError) -> Int? {
    guard let text = values[key] else { return nil }
    guard let count = Int(text), count >= 0 else { throw unusable(key, hint: "write a whole number from 0") }
    return count
  }

  func flag(_ key: String) throws(ChecklistError) -> Bool {
    switch values[key] {
    case nil, "no": false
    case "yes": true
    default: throw unusable(key, hint: "write yes or no")
    }
  }

  /// Split at commas, none of them empty.
  func list(_ key: String) throws(ChecklistError) -> [String]? {
    guard let text = values[key] else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !parts.contains("") else { throw unusable(key, hint: "separate names by commas, without spaces") }
    return parts
  }

  func unusable(_ key: String, hint: String) -> ChecklistError {
    ChecklistError(.invalidInput, "argument \"\(key)\" of probe \"\(probe)\" cannot be used", hint: hint)
  }
}

/// Words of what was seen.
enum ProbeText {
  /// Such as `1 row` and `2 rows`.
  static func count(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
    "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
  }

  /// At most ten names, and how many more there are.
  static func names(_ names: [String]) -> String {
    let shown = names.prefix(10).joined(separator: ", ")
    return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
  }
}
