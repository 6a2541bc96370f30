import Postgres
import TestSupport
import Testing

@Suite struct `A session` {
  @Test func `cancelling the task ends the statement and keeps the connection`() async throws {
    let session = try await PostgresCluster.shared.connect()
    let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
    let task = Task {
      // Ends by itself, and without an error, where the cancel request is lost.
      try await session.run { _ = try $0.execute("select pg_sleep(120)") }
    }
    try await waitUntilActive(process)
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.isCancellation == true)
    #expect(try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) } == process)
  }

  @Test func `a cancelled task can still clean up`() async throws {
    let session = try await PostgresCluster.shared.connect()
    for _ in 0..<50 {
      let task = Task {
        while !Task.isCancelled { await Task.yield() }
        return try await session.run { try $0.query("select 1").text(0, 0) }
      }
      task.cancel()
      #expect(try await task.value == "1")
    }
  }

  @Test func `closures on one session never interleave`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int)")
      let session = database.connect()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<50 {
          group.addTask {
            try await session.run { connection in
              try connection.execute("begin")
              try connection.execute("insert into t values (\(number))")
              try connection.execute(number % 2 == 0 ? "commit" : "rollback")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await database.value("select count(*) from t where a % 2 = 0") == "25")
      #expect(try await database.value("select count(*) from t") == "25")
    }
  }

  @Test func `twenty sessions wait at the same time`() async throws {
    let cluster = try await PostgresCluster.shared
    let sessions = (0..<20).map { _ in cluster.connect() }
    for session in sessions {
      try await session.run {
        _ = try $0.execute("set application_name = 'twenty'; set statement_timeout = '90s'")
      }
    }
    // Each ends when it sees all twenty at work: one that had to queue for a thread would keep the
    // others waiting until the timeout.
    let waitForAll = """
      do $$ begin
        while (select count(*) from pg_stat_activity where application_name = 'twenty' and state = 'active') < 20 loop
          perform pg_sleep(0.02);
          perform pg_stat_clear_snapshot();
        end loop;
        perform pg_sleep(1);
      end $$
      """
    try await withThrowingTaskGroup(of: Void.self) { group in
      for session in sessions { group.addTask { try await session.run { _ = try $0.execute(waitForAll) } } }
      try await group.waitForAll()
    }
  }

  @Test func `a terminated backend is a lost connection, and the next run opens a new one`() async throws {
    try await withDatabase { database in
      let session = database.connect()
      let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
      let task = Task { try await session.run { _ = try $0.execute("select pg_sleep(30)") } }
      try await waitUntilActive(process)
      try await database.execute("select pg_terminate_backend(\(process))")
      let error = await #expect(throws: PostgresError.self) { try await task.value }
      #expect(error?.origin == .connectionLost)
      #expect(error?.sqlState == "57P01")
      #expect(error?.isServerUnavailable == true)
      #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
    }
  }

  @Test func `an idle connection that was terminated shows as lost when used`() async throws {
    try await withDatabase { database in
      let session = database.connect()
      let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
      try await database.execute("select pg_terminate_backend(\(process), 5000)")
      let error = await #expect(throws: PostgresError.self) {
        try await session.run { _ = try $0.execute("select 1") }
      }
      #expect(error?.origin == .connectionLost && error?.isServerUnavailable == true)
      #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
    }
  }

  @Test func `a killed server is a lost connection, then an unavailable one, then there again`() async throws
  {
    try await PostgresCluster.with { cluster in
      let session = cluster.connect()
      let process = try await session.run { try $0.query("select pg_backend_pid()").text(0, 0) }
      let each = cluster.connect()
      let other = try await each.run { try $0.query("select pg_backend_pid()").text(0, 0) }
      let task = Task { try await session.run { _ = try $0.execute("select pg_sleep(30)") } }
      let eachTask = Task {
        try await each.run { try $0.executeEach("select 1; select pg_sleep(30)") { _, _ in } }
      }
      for process in [process, other] { try await waitUntilActive(process, on: cluster) }
      try await cluster.kill9()
      for task in [task, eachTask] {
        let lost = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(
          lost?.origin == .connectionLost && lost?.isServerUnavailable == true, "\(String(reflecting: lost))")
      }
      let away = await #expect(throws: PostgresError.self) {
        try await session.run { _ = try $0.execute("select 1") }
      }
      #expect(away?.origin == .connecting && away?.isServerUnavailable == true)
      try await cluster.start()
      #expect(try await session.run { try $0.query("select 1").text(0, 0) } == "1")
    }
  }

  private func waitUntilActive(_ process: String, on cluster: PostgresCluster? = nil) async throws {
    let server: PostgresCluster
    if let cluster { server = cluster } else { server = try await PostgresCluster.shared }
    let observer = server.connect()
    for _ in 0..<2000 {
      let isSleeping = try await observer.run { connection in
        try connection.query(
          "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1::int", [process]
        ).isTrue(0, 0)
      }
      if isSleeping { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw TestSupportError("the statement did not start")
  }
}
