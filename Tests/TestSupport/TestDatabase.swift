import Foundation
import Postgres
import Synchronization
import Testing

/// A database for one test.
public final class TestDatabase: Sendable {
  public let name: String
  public let cluster: PostgresCluster
  private let session: Session

  private static let count = Mutex(0)

  /// The database of the running test; see ``DatabaseTrait``.
  @TaskLocal public static var current: TestDatabase?

  init(name: String, cluster: PostgresCluster) {
    self.name = name
    self.cluster = cluster
    self.session = cluster.connect(database: name)
  }

  /// One that exists; whoever made it drops it.
  public convenience init(named name: String, on cluster: PostgresCluster) {
    self.init(name: name, cluster: cluster)
  }

  public var settings: ConnectionSettings { cluster.settings(database: name) }
  public var url: String { cluster.url(database: name) }

  public func settings(user: String) -> ConnectionSettings { cluster.settings(database: name, user: user) }

  /// The same database with a session of its own, for when the server was killed under this one's.
  public func reconnected() -> TestDatabase { TestDatabase(name: name, cluster: cluster) }

  /// A new session, connected when first used.
  public func connect(user: String = "postgres") -> Session { cluster.connect(database: name, user: user) }

  /// Runs statements on the database's own session, which keeps its settings between calls.
  public func execute(_ sql: String) async throws {
    try await session.run { _ = try $0.execute(sql) }
  }

  public func rows(_ sql: String, _ parameters: [String?] = []) async throws -> [[String?]] {
    try await session.run { try $0.query(sql, parameters).rows() }
  }

  /// The first value of the first row, nil where it is null or no row is there.
  public func value(_ sql: String, _ parameters: [String?] = []) async throws -> String? {
    try await session.run { try $0.query(sql, parameters)[0, 0] }
  }

  /// Makes a database from `template0`.
  ///
  /// - Parameter options: what follows in `create database`, such as `encoding 'LATIN1' locale 'C'`.
  public static func create(on cluster: PostgresCluster, options: String = "") async throws -> TestDatabase {
    let number = count.withLock { count in
      count += 1
      return count
    }
    let name = "test_\(getpid())_\(number)"
    try await cluster.connect().run { connection in
      _ = try connection.execute("create database \(name) template template0 \(options)")
    }
    return TestDatabase(name: name, cluster: cluster)
  }

  /// Drops the database, ending whatever is still connected to it.
  public func drop() async throws {
    await session.close()
    let name = name
    try await cluster.connect().run { connection in
      _ = try connection.execute("drop database if exists \(name) with (force)")
    }
  }
}

/// Makes a database for the length of `body`, on the shared server unless told otherwise.
public func withDatabase<Result: Sendable>(
  on cluster: PostgresCluster? = nil, options: String = "",
  _ body: (TestDatabase) async throws -> Result
) async throws -> Result {
  // A test that has a database may make more without a turn of its own, or it could wait for itself.
  let isOutermost = !DatabaseTurns.isTaken
  if isOutermost { await DatabaseTurns.shared.take() }
  do {
    let result = try await DatabaseTurns.$isTaken.withValue(true) {
      try await withNewDatabase(on: cluster, options: options, body)
    }
    if isOutermost { await DatabaseTurns.shared.giveBack() }
    return result
  } catch {
    if isOutermost { await DatabaseTurns.shared.giveBack() }
    throw error
  }
}

private func withNewDatabase<Result: Sendable>(
  on cluster: PostgresCluster?, options: String, _ body: (TestDatabase) async throws -> Result
) async throws -> Result {
  let server: PostgresCluster
  if let cluster { server = cluster } else { server = try await PostgresCluster.shared }
  let database = try await TestDatabase.create(on: server, options: options)
  do {
    let result = try await body(database)
    try? await database.drop()
    return result
  } catch {
    try? await database.drop()
    throw error
  }
}

/// Lets a bounded number of tests use databases at once.
///
/// Swift Testing starts all cases of a table together; a hundred at once would use up the server's
/// connections and starve tests that measure time.
private actor DatabaseTurns {
  static let shared = DatabaseTurns()
  @TaskLocal static var isTaken = false

  private var free = max(8, 2 * ProcessInfo.processInfo.activeProcessorCount)
  private var waiters: [CheckedContinuation<Void, Never>] = []

  func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiters.append($0) }
    }
  }

  func giveBack() {
    if waiters.isEmpty { free += 1 } else { waiters.removeFirst().resume() }
  }
}

/// Gives each test, or each of its cases, a database: `@Test(.database)`, then ``TestDatabase/current``.
public struct DatabaseTrait: TestTrait, SuiteTrait, TestScoping {
  public var isRecursive: Bool { true }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    try await withDatabase { database in
      try await TestDatabase.$current.withValue(database) { try await function() }
    }
  }
}

extension Trait where Self == DatabaseTrait {
  public static var database: Self { Self() }
}
