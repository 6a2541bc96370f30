import TestSupport
import Testing

/// How a command reaches the server.
enum Route: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case directly
  case throughTransactionPool
  case throughSessionPool

  var testDescription: String { rawValue }

  /// Runs `body` with the URL of `database` on this route.
  ///
  /// - Parameter poolSize: how many connections to the server a transaction pool has; a session pool
  ///   has enough for every client and its second connection.
  func reach(
    _ database: TestDatabase, poolSize: Int = 5, _ body: (_ url: String) async throws -> Void
  ) async throws {
    switch self {
    case .directly: try await body(database.url)
    case .throughTransactionPool:
      try await PgBouncer.with(.transaction, for: database.cluster, poolSize: poolSize) {
        try await body($0.url(database: database.name))
      }
    case .throughSessionPool:
      try await PgBouncer.with(.session, for: database.cluster, poolSize: 60) {
        try await body($0.url(database: database.name))
      }
    }
  }
}

extension FaultCount {
  /// How often a test that has no count of its own is repeated.
  static func repetitions(sample: Int, full: Int) -> Int { isFull ? full : sample }
}

/// Runs a command and says how it ended.
func run(
  _ arguments: [String], in project: TemporaryDirectory, url: String, within limit: Duration = .seconds(60)
) async throws -> ToolRun.Result {
  try await start(arguments, in: project, url: url).finish(within: limit)
}

func start(_ arguments: [String], in project: TemporaryDirectory, url: String) throws -> ToolRun {
  try ToolRun.start(
    ["-C", project.path] + arguments, environment: ["DATABASE_URL": url], directory: project.path)
}

/// Waits until a query returns `t`.
func waitUntil(_ condition: String, in database: TestDatabase, within limit: Duration = .seconds(30))
  async throws
{
  let deadline = ContinuousClock.now + limit
  while try await database.value("select \(condition)") != "t" {
    guard ContinuousClock.now < deadline else { throw TestSupportError("never true: \(condition)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
