import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Lets a test wait until a COPY on another thread has got somewhere.
final class Progress: Sendable {
  private let rows = Mutex(0)

  func advance() { rows.withLock { $0 += 1 } }

  func wait(for count: Int) async throws {
    for _ in 0..<6_000 {
      if rows.withLock({ $0 >= count }) { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw TestSupportError("the COPY got nowhere")
  }
}

private let endless = [UInt8]("copy (select generate_series(1, 100000000000)) to stdout".utf8)

@Suite(.database) struct `COPY that is interrupted` {
  private var database: TestDatabase {
    get throws { try #require(TestDatabase.current) }
  }

  private func start(_ session: Session, by path: CopyOutPath, _ progress: Progress) -> Task<Int64, any Error>
  {
    Task { try await session.run { try $0.copyOut(endless, by: path) { _, _ in progress.advance() } } }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `cancelling the task ends it and keeps the connection`(path: CopyOutPath) async throws {
    let session = try database.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    let progress = Progress()
    let task = start(session, by: path, progress)
    try await progress.wait(for: 50_000)
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.isCancellation == true && error?.origin == .server)
    #expect(try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) } == process)
  }

  @Test(arguments: CopyOutPath.allCases)
  func `cancelling ends a wait for the first row`(path: CopyOutPath) async throws {
    let database = try database
    let session = database.connect()
    let task = Task {
      try await session.run { try $0.copied("copy (select pg_sleep(120)) to stdout", by: path).rows }
    }
    for _ in 0..<2_000
    where try await database.value(
      "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()")
      == "0"
    {
      try await Task.sleep(for: .milliseconds(5))
    }
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.isCancellation == true)
  }

  @Test(arguments: CopyOutPath.allCases)
  func `a terminated backend's last words are the error`(path: CopyOutPath) async throws {
    let database = try database
    let session = database.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    // Not in the middle of sending: a backend that is terminated there says nothing more.
    let task = Task {
      try await session.run { try $0.copied("copy (select pg_sleep(120)) to stdout", by: path).rows }
    }
    for _ in 0..<2_000
    where try await database.value(
      "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and pid = \(process)") == "0"
    {
      try await Task.sleep(for: .milliseconds(5))
    }
    try await database.execute("select pg_terminate_backend(\(process))")
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.sqlState == "57P01" && error?.origin == .connectionLost, "\(String(reflecting: error))")
    #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
  }

  @Test(arguments: CopyOutPath.allCases)
  func `a backend that was terminated before is a lost connection`(path: CopyOutPath) async throws {
    let database = try database
    let session = database.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    try await database.execute("select pg_terminate_backend(\(process), 5000)")
    let error = await #expect(throws: PostgresError.self) {
      _ = try await session.run { try $0.copied("copy (select 1) to stdout", by: path) }
    }
    #expect(error?.origin == .connectionLost && error?.isServerUnavailable == true)
    #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
  }

  @Test func `a killed server is a lost connection, in both directions`() async throws {
    try await PostgresCluster.with { cluster in
      let progress = Progress()
      let sessions = (0..<3).map { _ in cluster.connect() }
      try await sessions[2].run { _ = try $0.execute("create table t (a int)") }
      let tasks =
        zip(sessions, CopyOutPath.allCases).map { start($0, by: $1, progress) } + [
          Task { try await sessions[2].run { try $0.copyInEndlessly(progress) } }
        ]
      try await progress.wait(for: 200_000)
      try await cluster.kill9()
      for (task, session) in zip(tasks, sessions) {
        let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
        #expect(
          error?.origin == .connectionLost && error?.isServerUnavailable == true,
          "\(String(reflecting: error))")
        let away = await #expect(throws: PostgresError.self) { try await session.connect() }
        #expect(away?.origin == .connecting)
      }
    }
  }

  /// Of a crash every backend says a last word, which can be read where nothing more can be written.
  @Test(arguments: CopyOutPath.allCases.map(Optional.some) + [nil])
  func `a crash of another backend before it begins is a lost connection`(path: CopyOutPath?) async throws {
    try await PostgresCluster.with { cluster in
      let (session, other) = (cluster.connect(), cluster.connect())
      let processID = "select pg_backend_pid()"
      let own = try await session.run { try $0.query(processID).integer(0, 0) ?? 0 }
      let crashed = try await other.run { try $0.query(processID).integer(0, 0) ?? 0 }
      try await session.run { _ = try $0.execute("create table a (a int)") }
      kill(pid_t(crashed), SIGKILL)
      for _ in 0..<2_000 where kill(pid_t(own), 0) == 0 { try await Task.sleep(for: .milliseconds(5)) }
      let error = await #expect(throws: PostgresError.self) {
        try await session.run { connection in
          if let path {
            _ = try connection.copied("copy a to stdout", by: path)
          } else {
            _ = try connection.copyIn([UInt8]("copy a from stdin".utf8)) { _ in }
          }
        }
      }
      #expect(error?.origin == .connectionLost, "\(String(reflecting: error))")
    }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `a cut connection is a lost one`(path: CopyOutPath) async throws {
    let database = try database
    let relay = try ConnectionRelay(to: database.cluster)
    defer { relay.close() }
    let session = Session(
      try ConnectionSettings(parsing: relay.url(database: database.name)), applicationName: "tsdb tests")
    let progress = Progress()
    let task = start(session, by: path, progress)
    try await progress.wait(for: 50_000)
    relay.cut()
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.origin == .connectionLost, "\(String(reflecting: error))")
    #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
  }

  @Test func `a connection cut while rows are sent is a lost one`() async throws {
    let database = try database
    try await database.execute("create table t (a int)")
    let relay = try ConnectionRelay(to: database.cluster)
    defer { relay.close() }
    let session = Session(
      try ConnectionSettings(parsing: relay.url(database: database.name)), applicationName: "tsdb tests")
    let progress = Progress()
    let task = Task { try await session.run { try $0.copyInEndlessly(progress) } }
    try await progress.wait(for: 100)
    relay.cut()
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.origin == .connectionLost, "\(String(reflecting: error))")
    #expect(try await database.value("select count(*) from t") == "0")
  }

  @Test func `a backend terminated while rows are sent says why`() async throws {
    let database = try database
    try await database.execute("create table t (a int)")
    let session = database.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    let progress = Progress()
    let task = Task { try await session.run { try $0.copyInEndlessly(progress) } }
    try await progress.wait(for: 100)
    try await database.execute("select pg_terminate_backend(\(process))")
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.sqlState == "57P01" && error?.origin == .connectionLost, "\(String(reflecting: error))")
  }

  @Test func `cancelling the task while rows are sent keeps the connection`() async throws {
    let database = try database
    try await database.execute("create table t (a int)")
    let session = database.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    let progress = Progress()
    let task = Task { try await session.run { try $0.copyInEndlessly(progress) } }
    try await progress.wait(for: 100)
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
    #expect(error?.isCancellation == true, "\(String(reflecting: error))")
    #expect(try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) } == process)
  }
}

extension Connection {
  fileprivate func copyInEndlessly(_ progress: Progress) throws -> Int64 {
    let rows = [UInt8](String(repeating: "12345\n", count: 10_000).utf8)
    return try copyIn([UInt8]("copy t from stdin".utf8)) { send in
      while true {
        try rows.withUnsafeBytes { try send($0) }
        progress.advance()
      }
    }
  }
}
