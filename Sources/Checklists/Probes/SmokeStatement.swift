import Postgres

/// A statement as a client of the application sends it, with what it must give.
struct SmokeStatement: Sendable {
  /// Paths of the application's interface; statements of flows and operators belong to none.
  enum Endpoint: String, Sendable, CaseIterable {
    case session, step, feedback, analytics, realtime, notifications, webhooks, ai
  }

  enum Expectation: Sendable, Equatable {
    /// Any number of rows.
    case any
    case rows(Int)
    /// At least one row.
    case some
    /// The first value of the only row.
    case value(String)
    /// Refused with this SQLSTATE.
    case refused(String)
  }

  let what: String
  var endpoint: Endpoint?
  let sql: String
  /// `:name` stands for a name of the scene.
  var parameters: [String?] = []
  var expected = Expectation.any
  /// Under which name the scene keeps the first value.
  var kept: String?
  /// Functions of the application that it calls.
  var functions: [String] = []
}

/// Runs statements one after the other, each within a savepoint, so that all that fail are named.
struct SmokeRun {
  private(set) var scene = SmokeScene()
  private(set) var done = 0
  private(set) var functions: Set<String> = []
  private(set) var failures: [String] = []

  mutating func run(_ statements: [SmokeStatement], on connection: borrowing Connection) throws {
    for statement in statements { try run(statement, on: connection) }
  }

  /// - Throws: what says nothing of the statement: a lock, a lost connection, a missing right.
  private mutating func run(_ statement: SmokeStatement, on connection: borrowing Connection) throws {
    guard !Task.isCancelled else { throw CancellationError() }
    try connection.execute("savepoint tsdb_statement")
    do {
      let result = try connection.query(statement.sql, scene.resolve(statement.parameters))
      if let problem = problem(of: result, statement) {
        failures.append("\(statement.what): \(problem)")
      }
      if let kept = statement.kept { scene.keep(kept, result.text(0, 0)) }
      functions.formUnion(statement.functions)
      try connection.execute("release savepoint tsdb_statement")
    } catch {
      if statement.expected != .refused(error.sqlState) {
        guard !SmokeTransaction.isObstacle(error) else { throw error }
        failures.append("\(statement.what): \(SmokeTransaction.described(error))")
      }
      try connection.execute("rollback to savepoint tsdb_statement; release savepoint tsdb_statement")
    }
    done += 1
  }

  private func problem(of result: borrowing QueryResult, _ statement: SmokeStatement) -> String? {
    switch statement.expected {
    case .any: nil
    case .rows(let count): result.rowCount == count ? nil : "\(result.rowCount) rows in place of \(count)"
    case .some: result.rowCount > 0 ? nil : "no row"
    case .value(let value):
      // A task of the maintenance function that did not get its lock says so in its result.
      result.rowCount != 1
        ? "\(result.rowCount) rows in place of 1"
        : scene.resolve([value])[0] == result[0, 0]
          ? nil : "\"\(result[0, 0] ?? "null")\" in place of \"\(value)\""
    case .refused(let state): "it was accepted; \(state) was expected"
    }
  }

  /// What failed, or nothing.
  func requireSuccess() throws {
    guard let first = failures.first else { return }
    throw SmokeFailure(
      "\(failures.count) of \(done) statements failed: \(failures.prefix(5).joined(separator: "; "))"
        + (failures.count > 5 ? "; …" : ""),
      remedy: first.contains("42P01") || first.contains("42883") || first.contains("42703")
        ? "tsdb migrate verify" : nil)
  }
}
