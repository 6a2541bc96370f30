import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// What a run that is gone has left working on the server.
  @Suite struct `Old backends` {
    private static let build = """
      exists (select from pg_stat_activity where datname = current_database()
        and query like 'create index concurrently%' and wait_event_type = 'Lock')
      """

    /// The server notices a dead client after two seconds, and behind a pooler not at all.
    @Test(arguments: [Route.directly, .throughTransactionPool])
    func `a build that goes on is waited for, and finished`(route: Route) async throws {
      try await withProject(
        "-- tsdb: transaction off\ncreate index concurrently accounts_note_idx on accounts (note);\n"
      ) { target in
        let writer = target.base.reconnected()
        try await writer.execute("begin; insert into accounts values (1, 'x')")
        try await route.reach(target.base) { url in
          let killed = try start(["migrate", "up"], in: target.project, url: url)
          try await waitUntil(Self.build, in: target.base)
          killed.send(signal: SIGKILL)
          _ = try await killed.finish()
          let impatient = try await run(["migrate", "up", "--wait", "200ms"], in: target.project, url: url)
          #expect(impatient.exitStatus == 75, "\(impatient)")
          #expect(impatient.standardError.contains("process "), "\(impatient)")
          let patient = try start(["migrate", "up"], in: target.project, url: url)
          try await Task.sleep(for: .seconds(4))
          #expect(patient.isRunning, "\(patient.standardError)")
          try await writer.execute("commit")
          let result = try await patient.finish(within: .seconds(60))
          #expect(result.exitStatus == 0, "\(result)")
        }
        try await target.base.expect(
          "accounts_note_idx,accounts_pkey",
          "select indexrelid::regclass::text from pg_index where indrelid = 'accounts'::regclass and indisvalid order by 1",
          "indexes")
        try await target.base.expectNothingLeftBehind()
      }
    }

    /// Behind a pooler another connection holds the lock; when it is lost, the run must not go on.
    @Test(.enabled(if: PgBouncer.isInstalled))
    func `a run that loses its lock stops, and the next does nothing twice`() async throws {
      try await withProject(
        """
        -- tsdb: transaction off
        insert into accounts values (1, 'first');
        insert into accounts select 2, 'second' from pg_sleep(3);
        insert into accounts values (3, 'third');

        """
      ) { target in
        try await target.base.execute("alter table accounts drop constraint accounts_pkey")
        try await Route.throughTransactionPool.reach(target.base) { url in
          let first = try start(["migrate", "up"], in: target.project, url: url)
          try await waitUntil(
            "exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')",
            in: target.base)
          try await target.base.expect(
            "1",
            """
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and state = 'idle in transaction'
            """, "the session that holds the lock")
          let second = try await run(["migrate", "up"], in: target.project, url: url)
          #expect(second.exitStatus == 0, "\(second)")
          let result = try await first.finish()
          #expect(result.exitStatus == 75, "\(result)")
          #expect(result.standardError.contains("lock for this run was lost"), "\(result)")
        }
        try await target.base.expect(
          "1|first,2|second,3|third", "select id, note from accounts order by 1", "rows")
        try await target.base.expectSoundHistory(applied: ["file"])
      }
    }

    private func withProject(_ text: String, _ body: (FaultTarget) async throws -> Void) async throws {
      try await withDatabase { database in
        let target = FaultTarget(base: database, project: try TemporaryDirectory())
        try target.project.write("migrations/file.sql", text)
        try await database.execute(
          "create table accounts (id int, note text, constraint accounts_pkey primary key (id))")
        try await body(target)
      }
    }
  }
}
