import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  @Suite struct `Interruption` {
    private static let sleeps = "exists (select from pg_stat_activity where wait_event = 'PgSleep')"
      .replacing("where", with: "where datname = current_database() and")

    @Test(arguments: [Route.directly, .throughTransactionPool], [SIGINT, SIGTERM])
    func `a long statement is cancelled and its file rolled back`(route: Route, signal: Int32) async throws {
      try await withProject("create table half (n int);\nselect pg_sleep(600);\n") { target in
        try await route.reach(target.base) { url in
          let result = try await interrupt(target, url, signal: signal, once: Self.sleeps)
          #expect(result.exitStatus == 130, "\(result)")
          #expect(result.standardError.contains("error: interrupted"), "\(result)")
          #expect(result.standardError.contains("\"long\" was rolled back"), "\(result)")
          #expect(try await target.base.value("select to_regclass('half') is null") == "t")
          #expect(try await target.base.text("select count(*) from tsdb.migrations") == "0")
        }
        try await target.base.expectNothingLeftBehind()
      }
    }

    @Test(arguments: [Route.directly, .throughTransactionPool])
    func `a file without a transaction says what is kept`(route: Route) async throws {
      let text = "-- tsdb: transaction off\ncreate table half (n int);\nselect pg_sleep(600);\n"
      try await withProject(text) { target in
        try await route.reach(target.base) { url in
          let result = try await interrupt(target, url, signal: SIGINT, once: Self.sleeps)
          #expect(result.exitStatus == 130, "\(result)")
          #expect(result.standardError.contains("1 of 2 statements of \"long\" are applied"), "\(result)")
          #expect(try await target.base.text("select state from tsdb.migrations") == "running")
          try target.project.write("migrations/long.sql", text.replacing("600", with: "0"))
          let edited = try await run(["migrate", "up"], in: target.project, url: url)
          #expect(edited.exitStatus == 0, "\(edited)")
          #expect(try await target.base.text("select state from tsdb.migrations") == "applied")
        }
      }
    }

    @Test(arguments: [Route.directly, .throughTransactionPool])
    func `an index build that waits for others is left at once and finished later`(route: Route) async throws
    {
      let text = "-- tsdb: transaction off\ncreate index concurrently accounts_note_idx on accounts (note);\n"
      try await withProject(text) { target in
        try await target.base.execute("create table accounts (id int primary key, note text)")
        let writer = target.base.reconnected()
        try await writer.execute("begin; insert into accounts values (1, 'x')")
        try await route.reach(target.base) { url in
          let result = try await interrupt(
            target, url, signal: SIGINT,
            once: """
              exists (select from pg_stat_activity where datname = current_database()
                and query like 'create index%' and wait_event_type = 'Lock')
              """)
          #expect(result.exitStatus == 130, "\(result)")
          // The writer is still there, so the invalid index cannot be dropped now.
          try await writer.execute("commit")
          try await expectDone(["migrate", "up"], in: target.project, url: url)
          #expect(
            try await target.base.value(
              "select indisvalid from pg_index where indexrelid = 'accounts_note_idx'::regclass") == "t")
        }
        try await target.base.expectNothingLeftBehind()
      }
    }

    @Test func `waiting for another run ends at once`() async throws {
      try await withProject("select pg_sleep(600);\n") { target in
        let first = try start(["migrate", "up"], in: target.project, url: target.base.url)
        try await waitUntil(Self.sleeps, in: target.base)
        let second = try start(["migrate", "up"], in: target.project, url: target.base.url)
        #expect(try await second.waitForOutput("waiting for another run"))
        second.send(signal: SIGINT)
        let result = try await second.finish(within: .seconds(20))
        #expect(result.exitStatus == 130, "\(result)")
        #expect(first.isRunning)
        first.send(signal: SIGINT)
        #expect(try await first.finish(within: .seconds(20)).exitStatus == 130)
      }
    }

    private func withProject(_ text: String, _ body: (FaultTarget) async throws -> Void) async throws {
      try await withDatabase { database in
        let target = FaultTarget(base: database, project: try TemporaryDirectory())
        try target.project.write("migrations/long.sql", text)
        try await body(target)
      }
    }

    private func interrupt(
      _ target: FaultTarget, _ url: String, signal: Int32, once condition: String
    ) async throws -> ToolRun.Result {
      let tool = try start(["migrate", "up"], in: target.project, url: url)
      do {
        try await waitUntil(condition, in: target.base)
      } catch {
        tool.send(signal: SIGKILL)
        throw TestSupportError("\(error): \(try await tool.finish())")
      }
      tool.send(signal: signal)
      return try await tool.finish(within: .seconds(20))
    }
  }
}
