import Deployments
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// An application that goes on while the database is rolled back under it.
@Suite(.serialized) struct `an application during a rollback` {
  /// A client that asks the database every few milliseconds, and connects again when it is told off.
  private final class Client: Sendable {
    private struct State {
      var isOver = false
      var lastAnswer = ContinuousClock.now
      var longestGap = Duration.zero
      var answers: [String] = []
      var failures: [String] = []
    }

    private let state = Mutex(State())
    private let settings: ConnectionSettings
    private let keepsConnection: Bool

    init(_ settings: ConnectionSettings, keepsConnection: Bool) {
      self.settings = settings
      self.keepsConnection = keepsConnection
    }

    var gap: Duration { state.withLock { $0.longestGap } }
    var failures: [String] { state.withLock { $0.failures } }
    /// What it read, without repetitions.
    var answers: [String] { state.withLock { $0.answers } }

    func stop() { state.withLock { $0.isOver = true } }

    /// Runs in a task of its own until ``stop()``; it never looks at what happens around it.
    func run() async {
      var session = Session(settings, applicationName: "the shop")
      while !state.withLock({ $0.isOver }) {
        do {
          let answer = try await session.run { connection in
            try connection.query("select count(*)::text || ' ' || min(name) from customers").text(0, 0)
          }
          state.withLock { state in
            let now = ContinuousClock.now
            state.longestGap = max(state.longestGap, now - state.lastAnswer)
            state.lastAnswer = now
            if state.answers.last != answer { state.answers.append(answer) }
          }
          if !keepsConnection { throw CancellationError() }
        } catch {
          if let error = error as? PostgresError {
            state.withLock { $0.failures.append("\(error.sqlState) \(error.message)") }
          }
          await session.close()
          session = Session(settings, applicationName: "the shop")
        }
        try? await Task.sleep(for: .milliseconds(2))
      }
      await session.close()
    }
  }

  /// Rolls back under the clients.
  private func rollBack(_ fixture: RollbackProject, _ clients: [String: Client]) async throws {
    let tasks = clients.values.map { client in Task { await client.run() } }
    try await waitUntil { clients.values.allSatisfy { !$0.answers.isEmpty } }
    let done = try await fixture.project.tsdb("rollback --yes --jobs 2")
    try await waitUntil { clients.values.allSatisfy { $0.answers.count == 2 } }
    for client in clients.values { client.stop() }
    for task in tasks { await task.value }
    #expect(done.exitStatus == 0, "\(done)")
    for (name, client) in clients.sorted(by: { $0.key < $1.key }) {
      // The failed deployment's data, then that of before, and nothing else.
      #expect(client.answers == ["500 CUSTOMER 1", "500 customer 1"], "\(name): \(client.answers)")
      print("rollback: \(name): longest gap \(client.gap), \(client.failures.count) refusals")
    }
    let held = try fixture.recorded().rollback?.withoutServiceMilliseconds
    print("rollback: new sessions held back for \(held ?? -1) ms")
    #expect(try await fixture.state() == "before")
  }

  @Test func `reconnects by itself, and never sees anything between the two`() async throws {
    try await RollbackProject.with { fixture in
      try await rollBack(
        fixture,
        [
          "a client that keeps its connection": Client(fixture.database.settings, keepsConnection: true),
          "a client that connects each time": Client(fixture.database.settings, keepsConnection: false),
        ])
    }
  }

  @Test(.enabled(if: PgBouncer.isInstalled), arguments: [PgBouncer.PoolMode.session, .transaction])
  func `reconnects through a pooler as well`(mode: PgBouncer.PoolMode) async throws {
    try await RollbackProject.with { fixture in
      let pooler = try await PgBouncer.start(
        mode, for: fixture.database.cluster, configuration: ["server_login_retry = 1"])
      do {
        let settings = pooler.settings(database: fixture.database.name)
        try await rollBack(
          fixture,
          [
            "\(mode.rawValue) pooling, connection kept": Client(settings, keepsConnection: true),
            "\(mode.rawValue) pooling, connecting each time": Client(settings, keepsConnection: false),
          ])
        await pooler.stop()
      } catch {
        await pooler.stop()
        throw error
      }
    }
  }

  @Test func `with an open transaction is given the grace period, and then ended`() async throws {
    try await RollbackProject.with { fixture in
      let busy = Session(fixture.database.settings, applicationName: "the report")
      try await busy.run { _ = try $0.execute("begin; update customers set note = 'open'") }
      let done = try await fixture.project.tsdb("rollback --yes --grace 100ms")
      #expect(done.exitStatus == 0, "\(done)")
      #expect(done.standardError.contains("the report 1"))
      await #expect(throws: PostgresError.self) {
        try await busy.run { _ = try $0.execute("commit") }
      }
      try await fixture.expectContentOfBackup()
    }
  }

  @Test func `that writes after the swap keeps what it wrote, and is told of`() async throws {
    try await RollbackProject.with { fixture in
      // Between swap and verify: the swap ends this session, and the next write comes at once.
      let writer = Task {
        while !Task.isCancelled {
          let session = Session(fixture.database.settings, applicationName: "the writer")
          try? await session.run { connection in
            let isBack =
              try connection.query(
                "select 1 from pg_attribute where attrelid = to_regclass('customers') and attname = 'level'"
              ).rowCount == 0
            if isBack {
              try connection.execute(
                "insert into customers values (-1, 'written after') on conflict do nothing")
            }
          }
          await session.close()
        }
      }
      let done = try await fixture.project.tsdb("rollback --yes")
      writer.cancel()
      await writer.value
      #expect(done.exitStatus == 0, "\(done)")
      let count = try await fixture.database.reconnected().value(
        "select count(*) from customers where id = -1")
      let isTold = done.standardOutput.contains("written to since the swap")
      // It may also have come after the comparison.
      #expect(count == "1" || !isTold)
    }
  }
}
