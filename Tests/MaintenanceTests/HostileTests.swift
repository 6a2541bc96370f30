import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// What others in the database, a wrong clock or a careless rule could make of maintenance.
@Suite struct HostileTests {
  private let records = JobRecords(
    table: JobRunTable(schema: "tsdb"),
    caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))

  private func installed(_ database: TestDatabase) async throws {
    let table = records.table
    try await database.connect().run { try table.install(on: $0) }
  }

  @Test func `functions and operators of others are not called with this role's rights`() async throws {
    try await withDatabase { database in
      try await installed(database)
      // Each fits the arguments better than the server's own.
      try await database.execute(
        """
        create function public.unnest(text[]) returns setof text language plpgsql as
          $$begin raise exception 'called as %', current_user; end$$;
        create function public.times(double precision, integer) returns double precision language plpgsql as
          $$begin raise exception 'called as %', current_user; end$$;
        create operator public.* (leftarg = double precision, rightarg = integer, function = public.times);
        insert into tsdb.job_runs (job, kind, outcome, ended_at, triggered_by, tool_version)
          values ('a', 'check', 'ok', clock_timestamp(), 'hand', '0');
        """)
      let records = records
      let (history, path) = try await database.connect().run { connection in
        let history = try records.histories(of: ["a"], on: connection)["a"]
        try records.purge(olderThan: .seconds(60), on: connection)
        return (history, try connection.query("show search_path").text(0, 0))
      }
      #expect(history?.lastSuccess?.outcome == .ok)
      #expect(history?.medianMilliseconds != nil)
      #expect(path.contains("public"), "nothing stays set: \(path)")
    }
  }

  @Test func `a request that comes between two statements is repeated`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.t (a int); insert into public.t values (1)")
      let other = database.connect()
      let seen = Seen()
      let result = try await BodyRun(database)(
        ClosureJob { context in
          let outcome = try await context.work.perform("t", until: .now + .seconds(60)) { connection in
            let isFirst = seen.tries.withLock { count in
              count += 1
              return count == 1
            }
            try connection.execute("begin; lock table public.t in access exclusive mode")
            if isFirst {
              let task = Task {
                let start = ContinuousClock.now
                _ = try? await other.run { try $0.query("select * from public.t").rowCount }
                seen.waited.withLock { $0 = ContinuousClock.now - start }
              }
              seen.reader.withLock { $0 = task }
              // The reader is seen and the request made meanwhile, with nothing running that it could end.
              Thread.sleep(forTimeInterval: 1.5)
              try connection.execute("select pg_sleep(60)")
            }
            try connection.execute("commit")
          }
          guard case .done = outcome else { return JobResult(.partial) }
          return JobResult(.ok)
        })
      await seen.reader.withLock { $0 }?.value
      #expect(result.outcome == .ok)
      #expect(result.yields == 1)
      #expect(seen.waited.withLock { $0 } < .seconds(30))
    }
  }

  private final class Seen: Sendable {
    let tries = Mutex(0)
    let waited = Mutex(Duration.zero)
    let reader = Mutex<Task<Void, Never>?>(nil)
  }

  private struct ClosureJob: JobBody {
    let work: @Sendable (JobContext) async throws -> JobResult
    init(_ work: @escaping @Sendable (JobContext) async throws -> JobResult) { self.work = work }
    func run(_ context: JobContext) async throws -> JobResult { try await work(context) }
  }

  @Test func `a connection that takes the place of one that was cut has its settings`() async throws {
    try await withDatabase { database in
      let other = database.connect()
      let result = try await BodyRun(database)(
        ClosureJob { context in
          let settings = "select current_setting('search_path') || ' ' || current_setting('lock_timeout')"
          let first = try await context.work.run { try $0.query(settings).text(0, 0) }
          let pid = try await context.work.run { $0.announcedProcessID }
          _ = try await other.run { try $0.query("select pg_terminate_backend(\(pid))").rowCount }
          _ = try? await context.work.run { try $0.execute("select pg_sleep(5)") }
          let second = try await context.work.run { try $0.query(settings).text(0, 0) }
          #expect(try await context.work.run { $0.announcedProcessID } != pid)
          return JobResult(.ok, reason: first == second ? first : "\(first), then \(second)")
        })
      #expect(result.reason == "pg_catalog, pg_temp 200ms")
      #expect(try await database.value("select outcome from tsdb.job_runs") == "ok")
    }
  }

  @Test func `reading old rows gives way to DDL`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz);
        insert into public.t select i, '2026-01-01' from generate_series(1, 200) as i;
        """)
      let other = database.connect()
      let alter = Task {
        try await wait(
          database,
          for:
            "exists (select from pg_stat_activity where application_name = 'tsdb/sample' and wait_event = 'PgSleep' and datname = current_database())"
        )
        let start = ContinuousClock.now
        _ = try await other.run { try $0.execute("alter table public.t add column b int") }
        return ContinuousClock.now - start
      }
      let slow = rule(condition: "pg_sleep(0.1 + 0 * t.a)::text = ''") { $0.allowsSequentialScan = true }
      let result = try await BodyRun(database, budget: .seconds(5))(RetentionJob([slow]))
      #expect(try await alter.value < .seconds(4))
      #expect(result.yields > 0)
      #expect(result.outcome == .partial)
    }
  }

  @Test func `a clock that the server's contradicts stops maintenance`() async throws {
    let server = UTCTime(year: 2026, month: 6, day: 1, hour: 12)
    for offset: Int64 in [-900, -60, 0, 60, 900] {
      try HostClock.require(server + offset, server: server)
    }
    for offset: Int64 in [-366 * 86_400, -901, 901, 366 * 86_400] {
      let error = #expect(throws: MaintenanceError.self) {
        try HostClock.require(server + offset, server: server)
      }
      #expect(error?.message.contains("clocks") == true)
    }
    try await withDatabase { database in
      try await database.connect().run { try HostClock.require(.now, on: $0) }
      await #expect(throws: MaintenanceError.self) {
        try await database.connect().run { try HostClock.require(.now + 86_400, on: $0) }
      }
    }
  }

  @Test func `a run by hand does a slot for others that had decided on it`() async throws {
    try await withDatabase { database in
      try await installed(database)
      func run(slot: UTCTime?) async throws -> JobRun.End {
        try await JobRun(
          job: JobDefinition(name: "sample", work: .check, schedule: .every(.seconds(60))), slot: slot,
          now: .now, settings: database.settings, records: records, gates: Gates(), report: { _ in }
        ).run(ClosureJob { _ in JobResult(.ok) })
      }
      #expect(try await run(slot: nil) == .ran(JobResult(.ok)))
      #expect(try await run(slot: .now + -120) == .alreadyDone)
    }
  }

  @Test func `of thousands of relations that need nothing, a record keeps the first`() {
    let skips = (1...5000).map { JobObject("public.t\($0)", "skipped", detail: "nothing to do") }
    let done = (1...300).map { JobObject("public.v\($0)", "refreshed") }
    let kept = JobRecords.shortened(skips + done)
    #expect(kept.count { $0.action == "refreshed" } == 300)
    #expect(kept.count == 300 + JobRecords.keptSkips + 1)
    #expect(kept.last?.detail == "and 4800 more, which are not listed")
    #expect(JobRecords.shortened(done + skips.prefix(200)).count == 500)
  }

  @Test func `rows that a trigger keeps are a backlog`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz);
        insert into public.t select i, '2026-01-01' from generate_series(1, 9) as i;
        create index on public.t (at);
        create function public.keep() returns trigger language plpgsql as 'begin return null; end';
        create trigger keep before delete on public.t for each row execute function public.keep();
        """)
      #expect(try await retain(database, rule()).backlog == 9)
    }
  }

  @Test func `a record repeats no rows`() throws {
    var tally = ObjectTally(report: { _ in })
    try tally.fail(
      "t",
      PostgresError(
        origin: .server, sqlState: "23514", message: "new row violates a check constraint",
        detail: "Failing row contains (secret)."))
    try tally.fail(
      "t",
      PostgresError(
        origin: .server, sqlState: "2BP01", message: "other objects depend on it", detail: "view v depends"))
    #expect(
      tally.objects.map(\.detail) == [
        "new row violates a check constraint", "other objects depend on it: view v depends",
      ])
  }

  @Test func `a unit's account cannot hold a line of its own`() throws {
    let call = try ScheduleCall(
      name: "app", executable: "/usr/bin/tsdb", project: "/srv/app", times: CallTimes(every: 5, offset: 0))
    #expect(throws: MaintenanceError.self) {
      try SystemdUnits(call, scope: .system(user: "app\nExecStartPre=/bin/true"))
    }
  }
}

/// Retention as a statement of pg_cron deletes what tsdb maintain would, or is not made.
@Suite struct PgCronDeletionTests {
  private func plan(_ rule: RetentionRule, type: String, problem: String? = nil) throws -> PgCronPlan {
    let table = PgCronPlan.ExpiringTable(
      rule: rule, name: "public.t", isPartitioned: false, hasIndex: true, type: type, problem: problem)
    return try PgCronPlan(
      name: "app",
      jobs: [JobDefinition(name: "r", work: .retention([rule]), schedule: .every(.seconds(3600)))],
      zone: .utc, facts: PgCronFacts(database: "d", role: "r", version: "1.4-1"),
      relations: PgCronPlan.Relations(expiring: [table], serverVersion: 150_000))
  }

  @Test func `a rule that needs a backup stays with tsdb maintain`() throws {
    let plan = try plan(rule { $0.needsBackup = .seconds(86_400) }, type: "timestamp with time zone")
    #expect(plan.wanted.isEmpty)
    #expect(plan.left.first?.reason.contains("verified backup") == true)
  }

  @Test func `a condition that could leave the cutoff aside is refused`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table public.t (a int, at timestamptz); create index on public.t (at)")
      func table(_ condition: String) async throws -> PgCronPlan.ExpiringTable? {
        let jobs = [
          JobDefinition(
            name: "r", work: .retention([rule(condition: condition)]), schedule: .every(.seconds(60)))
        ]
        return try await database.connect().run { connection in
          try connection.execute("begin")
          let relations = try PgCronPlan.Relations.read(for: jobs, on: connection)
          // The transaction is not lost by it.
          try connection.execute("select 1; commit")
          return relations.expiring.first
        }
      }
      #expect(try await table("a = 1) or (true")?.problem?.contains("cannot be used") == true)
      #expect(try await table("a = 1 -- done")?.problem == nil)
      let refused = try plan(rule(), type: "timestamp with time zone", problem: "it cannot be used")
      #expect(refused.wanted.isEmpty)
    }
  }

  @Test(arguments: ["timestamp with time zone", "timestamp without time zone", "date"])
  func `the same rows go, whatever the session's time zone`(type: String) async throws {
    try await withDatabase { database in
      // Around the cutoff of ten days, by the hour.
      try await database.execute(
        """
        create table public.t (a int, at \(type));
        insert into public.t
          select i, (now() at time zone 'UTC') - interval '10 days' + i * interval '1 hour' from generate_series(-30, 30) as i;
        create index on public.t (at);
        """)
      if type == "timestamp with time zone" {
        try await database.execute(
          "update public.t set at = now() - interval '10 days' + a * interval '1 hour'")
      }
      let command = try plan(rule(condition: "a <> 1 -- as it is"), type: type).wanted.first {
        $0.name.contains("public.t")
      }?.command
      let session = database.connect()
      try await session.run { connection in
        try connection.execute("set timezone = 'Pacific/Kiritimati'")
        try connection.execute(try #require(command))
      }
      let rows = try await database.rows(
        "select count(*) filter (where \(Self.isOld(type))), count(*) from public.t")
      #expect(rows.first?[0] == "0")
      // Nothing younger than the span, for a date nothing of a day that is not over.
      #expect(try await database.value("select count(*) from public.t where a > 1") == "29")
    }
  }

  private static func isOld(_ type: String) -> String {
    type == "date"
      ? "at < ((now() at time zone 'UTC') - interval '10 days')::date" : "a < -1"
  }
}
