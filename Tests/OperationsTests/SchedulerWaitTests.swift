import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Operations

@Suite struct `Waiting for a scheduler` {
  private func with(
    _ rows: String, _ body: (TestDatabase, Session) async throws -> Void
  ) async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create schema tsdb;
        create table tsdb.job_runs (job text, triggered_by text, outcome text, started_at timestamptz);
        insert into tsdb.job_runs values \(rows)
        """)
      let session = Session(database.settings, applicationName: "tsdb deploy")
      try await body(database, session)
      await session.close()
    }
  }

  private func wait(_ limit: Duration = .zero, jobs: [String] = ["a", "b"]) -> SchedulerWait {
    SchedulerWait(trigger: "cron", jobs: jobs, schema: "tsdb", limit: limit)
  }

  @Test(
    arguments: [
      ("('a', 'cron', 'ok', now())", .ran(1)),
      ("('a', 'cron', 'partial', now()), ('b', 'manual', 'failed', now() - interval '1 day')", .ran(2)),
      ("('a', 'cron', 'ok', now() - interval '1 day')", .silent),
      ("('a', 'manual', 'ok', now())", .silent),
      ("('a', 'cron', 'failed', now())", .silent),
      ("('a', 'cron', 'running', now())", .silent),
      ("('other', 'cron', 'ok', now())", .ran(0)),
    ] as [(String, SchedulerWait.Outcome)])
  func `counts what it called since, and what has ended`(rows: String, outcome: SchedulerWait.Outcome)
    async throws
  {
    try await with(rows) { _, session in
      let seen = try await wait().run(session, since: .now + -3600) { _ in }
      #expect(seen == outcome)
    }
  }

  @Test func `ends in silence where nothing was ever recorded`() async throws {
    try await withDatabase { database in
      let session = Session(database.settings, applicationName: "tsdb deploy")
      let seen = try await wait().run(session, since: .now) { _ in }
      #expect(seen == .silent)
      await session.close()
    }
  }

  /// The other job's record comes while it waits.
  @Test(arguments: [
    "('a', 'cron', 'ok', now())", "('a', 'manual', 'ok', now()), ('b', 'manual', 'ok', now())",
  ])
  func `goes on until it has called, and every job has a record`(rows: String) async throws {
    try await with(rows) { database, session in
      let later = Task {
        try await Task.sleep(for: .milliseconds(500))
        try await database.execute("insert into tsdb.job_runs values ('b', 'cron', 'ok', now())")
      }
      let seen = try await wait(.seconds(60)).run(session, since: .now + -3600) { _ in }
      #expect(seen == .ran(2))
      try await later.value
    }
  }

  @Test func `goes on while a run is under way`() async throws {
    try await with("('a', 'cron', 'ok', now()), ('a', 'cron', 'running', now())") { database, session in
      let later = Task {
        try await Task.sleep(for: .milliseconds(500))
        try await database.execute("update tsdb.job_runs set outcome = 'ok'")
      }
      let seen = try await wait(.seconds(60), jobs: ["a"]).run(session, since: .now + -3600) { _ in }
      #expect(seen == .ran(1))
      #expect(try await database.value("select count(*) from tsdb.job_runs where outcome = 'running'") == "0")
      try await later.value
    }
  }
}
