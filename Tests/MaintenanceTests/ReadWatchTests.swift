import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// What only reads gives way to DDL as well.
@Suite struct ReadWatchTests {
  /// Each row takes a tenth of a second to look at, all of them twenty.
  private func table(_ database: TestDatabase) async throws {
    try await database.execute(
      """
      create table public.t (a int, at timestamptz);
      insert into public.t select i, '2026-01-01' from generate_series(1, 200) as i;
      create index on public.t (at);
      """)
  }

  private let slow = rule(condition: "pg_sleep(0.1 + 0 * t.a)::text = ''")

  /// DDL as soon as the reader sleeps. It is given a second and a half, which is far less than the reader would take.
  private func alter(_ database: TestDatabase, behind name: String) async throws {
    try await wait(
      database,
      for: """
        exists (select from pg_stat_activity as a join pg_locks as l using (pid)
          where a.application_name = '\(name)' and a.wait_event = 'PgSleep' and a.datname = current_database()
            and l.relation = 'public.t'::regclass)
        """)
    try await database.connect().run { connection in
      _ = try connection.execute("set lock_timeout = '1500ms'; alter table public.t add column b int")
    }
  }

  @Test func `a check gives way to DDL, and is made again`() async throws {
    try await withDatabase { database in
      try await table(database)
      let context = HealthContext(
        now: retentionNow, jobs: [job(.retention([slow]))], schema: "tsdb", limits: HealthLimits(),
        period: { _ in .seconds(86_400) })
      let health = HealthRun(
        settings: database.settings, context: context, names: [RetentionBacklogCheck.description.name])
      async let report = health.run()
      try await alter(database, behind: "tsdb check")
      let finding = try await report.findings.first
      // The time that it has is not enough for it, whether somebody waits or not.
      #expect(finding?.status == .unknown)
      #expect(
        try await database.value(
          "select count(*) from pg_attribute where attname = 'b' and attrelid = 'public.t'::regclass") == "1")
    }
  }

  @Test func `whoever is always in the way of a reading is told`() async throws {
    try await withDatabase { database in
      try await table(database)
      let session = Session(database.settings, applicationName: "reader")
      let blocker = Task {
        while !Task.isCancelled { try? await alter(database, behind: "reader") }
      }
      let reading = try await ReadWatch.with(database.settings) { watch in
        try await watch.read(on: session) { connection in
          try connection.execute("begin read only")
          defer { _ = try? connection.execute("rollback") }
          try connection.execute("lock table public.t in access share mode; select pg_sleep(30)")
        }
      }
      blocker.cancel()
      _ = await blocker.result
      await session.close()
      guard case .yielded = reading else {
        Issue.record("it was not given up")
        return
      }
    }
  }

  @Test func `a preview of retention is given up for DDL`() async throws {
    try await withDatabase { database in
      try await table(database)
      let session = Session(database.settings, applicationName: "tsdb plan")
      let rule = slow
      async let reading = ReadWatch.with(database.settings) { watch in
        try await watch.read(on: session) { connection in
          // The second time there is less to look at.
          if try connection.query("select count(*) from pg_attribute where attname = 'b'").integer(0, 0) == 1
          {
            try connection.execute("truncate public.t")
          }
          return try RetentionJob([rule]).preview(on: connection, now: retentionNow)
        }
      }
      try await alter(database, behind: "tsdb plan")
      guard case .done(let previews) = try await reading else {
        Issue.record("it was not made again")
        return
      }
      #expect(previews.first?.rows == 0)
      await session.close()
    }
  }
}
