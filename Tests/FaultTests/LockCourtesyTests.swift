import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  @Suite struct `Lock courtesy` {
    enum Mode: String, CaseIterable, Sendable {
      case transactional = ""
      case transactionOff = "-- tsdb: transaction off\n"
    }

    /// What an application does in a transaction that it leaves open.
    static let holds = ["select * from accounts limit 1", "update accounts set note = 'x' where id = 1"]

    @Test(arguments: [Route.directly, .throughTransactionPool], Mode.allCases)
    func `a blocker is named, readers do not queue up, and its end lets the file through`(
      route: Route, mode: Mode
    ) async throws {
      for hold in FaultCount.isFull ? Self.holds : [try #require(Self.holds.randomElement())] {
        try await withBlockedFile(mode, hold: hold) { target, blocker, process in
          try await route.reach(target.base) { url in
            let tool = try start(
              ["migrate", "up", "--lock-timeout", "300ms", "--lock-attempts", "500"], in: target.project,
              url: url)
            let reader = Task { try await longestRead(of: target.base, for: .seconds(4)) }
            let isNamed = try await tool.waitForOutput("process \(process), ")
            #expect(isNamed, "\(tool.standardError)")
            #expect(tool.standardError.contains("application \"invoice batch\""))
            let (longest, count) = try await reader.value
            // Held up for 300 ms at a time; the rest is for a busy machine. Behind a wait without a
            // timeout it would be the whole four seconds.
            #expect(longest < .seconds(3), "one of \(count) reads took \(longest)")
            #expect(tool.isRunning)
            try await blocker.execute("commit")
            let result = try await tool.finish(within: .seconds(60))
            #expect(result.exitStatus == 0, "\(result)")
            #expect(
              try await target.base.text("select name, count(*) from run_count group by 1") == "alter|1")
          }
        }
      }
    }

    @Test(arguments: [Route.directly, .throughTransactionPool], Mode.allCases)
    func `a blocker that stays ends the run with 75 and changes nothing`(
      route: Route, mode: Mode
    ) async throws {
      try await withBlockedFile(mode, hold: Self.holds[0]) { target, blocker, process in
        try await route.reach(target.base) { url in
          let result = try await run(
            ["migrate", "up", "--lock-timeout", "300ms", "--lock-attempts", "3"], in: target.project, url: url
          )
          #expect(result.exitStatus == 75, "\(result)")
          #expect(result.standardError.contains("It was tried 3 times"), "\(result)")
          #expect(result.standardError.contains("Blocked by process \(process)"), "\(result)")
          #expect(result.standardError.contains("invoice batch"), "\(result)")
          #expect(result.standardError.contains("migrations/alter.sql:"), "\(result)")
          #expect(try await target.base.text("select count(*) from run_count") == "0")
          #expect(try await target.base.text("select count(*) from tsdb.migrations") == "0")
          try await blocker.execute("commit")
          try await expectDone(["migrate", "up"], in: target.project, url: url)
        }
      }
    }

    /// A table, a file that alters it, and an open transaction that uses it.
    private func withBlockedFile(
      _ mode: Mode, hold: String,
      _ body: (FaultTarget, _ blocker: TestDatabase, _ process: String) async throws -> Void
    ) async throws {
      try await withDatabase { database in
        let target = FaultTarget(base: database, project: try TemporaryDirectory())
        try await database.execute(
          """
          create table run_count (name text);
          create table accounts (id int primary key, note text);
          insert into accounts select generate_series(1, 100);
          """)
        try target.project.write(
          "migrations/alter.sql",
          mode.rawValue + """
            alter table accounts add column extra int;
            insert into run_count values ('alter');

            """)
        let blocker = database.reconnected()
        try await blocker.execute("set application_name = 'invoice batch'; begin; \(hold)")
        let process = try #require(try await blocker.value("select pg_backend_pid()"))
        try await body(target, blocker, process)
      }
    }

    /// Reads again and again, as an application does, and returns the longest time and the count.
    private func longestRead(of database: TestDatabase, for duration: Duration) async throws -> (
      Duration, Int
    ) {
      let reader = database.reconnected()
      let end = ContinuousClock.now + duration
      var longest = Duration.zero
      var count = 0
      while ContinuousClock.now < end {
        let start = ContinuousClock.now
        _ = try await reader.value("select count(*) from accounts where id = 2")
        longest = max(longest, ContinuousClock.now - start)
        count += 1
        try await Task.sleep(for: .milliseconds(5))
      }
      return (longest, count)
    }
  }
}
