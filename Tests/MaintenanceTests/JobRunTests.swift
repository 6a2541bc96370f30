import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@Suite struct JobRunTests {
  @Test func `a run is recorded with what it did`() async throws {
    try await withDatabase { database in
      let end = try await run(database, slot: UTCTime(secondsSince1970: 60)) { _ in
        var result = JobResult(.partial, reason: "out of time")
        result.rows = 7
        result.backlog = 3
        result.objects = [JobObject("public.\"a \"\"b\"", "deleted", rows: 7)]
        return result
      }
      guard case .ran(let result) = end else {
        Issue.record("it did not run: \(end)")
        return
      }
      #expect(result.outcome == .partial)
      let rows = try await database.rows(
        "select outcome, row_count, backlog, objects->0->>'name', extract(epoch from slot)::int from tsdb.job_runs"
      )
      #expect(rows == [["partial", "7", "3", "public.\"a \"\"b\"", "60"]])
      let history = try await history(database)
      #expect(history?.lastSuccess?.slot == UTCTime(secondsSince1970: 60))
      #expect(history?.lastSuccess?.backlog == 3)
      #expect(history?.medianMilliseconds != nil)
    }
  }

  @Test func `work that somebody waits behind is given up, tried again and counted`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.t (a int); insert into public.t values (1)")
      let other = database.connect()
      let waited = Waited()
      let end = try await run(database) { context in
        let isFirst = Mutex(true)
        // The lock is held by a statement that would last for a minute.
        let outcome = try await context.work.perform("t", until: .now + .seconds(30)) { connection in
          let first = isFirst.withLock { flag in
            defer { flag = false }
            return flag
          }
          try connection.execute("begin; lock table public.t in access exclusive mode")
          if first { Task { await Self.read(other, into: waited) } }
          try connection.execute(first ? "select pg_sleep(60)" : "select 1")
          try connection.execute("commit")
        }
        guard case .done = outcome else { return JobResult(.partial, reason: "\(outcome)") }
        return JobResult(.ok)
      }
      guard case .ran(let result) = end else {
        Issue.record("it did not run: \(end)")
        return
      }
      #expect(result.outcome == .ok)
      #expect(result.yields == 1)
      // A bound that only a broken watch passes; how quick it is the benchmark shows.
      #expect(waited.time.withLock { $0 } < .seconds(20))
      #expect(try await database.value("select yields from tsdb.job_runs") == "1")
    }
  }

  private static func read(_ other: Session, into waited: Waited) async {
    let start = ContinuousClock.now
    _ = try? await other.run { try $0.query("select * from public.t").rowCount }
    waited.time.withLock { $0 = ContinuousClock.now - start }
  }

  @Test func `a second run of the same job is skipped and recorded so`() async throws {
    try await withDatabase { database in
      let end = try await run(database) { _ in
        let second = try await run(database) { _ in JobResult(.ok) }
        #expect(second == .skipped("already running"))
        #expect(try await history(database)?.skipsInARow == 1)
        return JobResult(.ok)
      }
      #expect(end == .ran(JobResult(.ok)))
      #expect(
        try await database.rows("select outcome from tsdb.job_runs order by id") == [["ok"], ["skipped"]])
      // The work was done meanwhile: nothing was missed.
      #expect(try await history(database)?.skipsInARow == 0)
    }
  }

  @Test func `a slot that another process has just failed at waits for its retry`() async throws {
    try await withDatabase { database in
      let slot = UTCTime.now
      _ = try await run(database, slot: slot) { _ in JobResult(.failed, reason: "no") }
      #expect(try await run(database, slot: slot) { _ in JobResult(.ok) } == .alreadyDone)
      #expect(try await run(database, slot: slot + 60) { _ in JobResult(.ok) } == .ran(JobResult(.ok)))
    }
  }

  @Test func `a slot that another process has done is not done again`() async throws {
    try await withDatabase { database in
      let slot = UTCTime(secondsSince1970: 600)
      _ = try await run(database, slot: slot) { _ in JobResult(.ok) }
      #expect(try await run(database, slot: slot) { _ in JobResult(.ok) } == .alreadyDone)
      let next = try await run(database, slot: slot + 60) { _ in JobResult(.ok) }
      #expect(next == .ran(JobResult(.ok)))
    }
  }

  @Test func `a run whose process is gone is recorded as failed by the next`() async throws {
    try await withDatabase { database in
      _ = try await run(database) { _ in JobResult(.ok) }
      try await database.execute("update tsdb.job_runs set outcome = 'running', ended_at = null")
      let healed = Mutex<[JobEvent]>([])
      _ = try await run(database, report: { event in healed.withLock { $0.append(event) } }) { _ in
        JobResult(.ok)
      }
      #expect(healed.withLock { $0 }.contains { if case .healed = $0 { true } else { false } })
      #expect(
        try await database.rows("select outcome from tsdb.job_runs order by id") == [["failed"], ["ok"]])
    }
  }

  @Test func `nothing goes on once the lock's connection is lost`() async throws {
    try await withDatabase { database in
      let end = try await run(database) { context in
        let victim = database.connect()
        Task {
          try await Task.sleep(for: .milliseconds(200))
          _ = try await victim.run {
            try $0.query(
              "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tsdb watch' and datname = current_database()"
            ).rowCount
          }
        }
        _ = try await context.work.perform("t", until: .now + .seconds(30)) {
          try $0.execute("select pg_sleep(60)")
        }
        return JobResult(.ok)
      }
      guard case .ran(let result) = end else {
        Issue.record("it did not run: \(end)")
        return
      }
      #expect(result.outcome == .failed)
    }
  }

  @Test func `the lock holds no snapshot`() async throws {
    try await withDatabase { database in
      _ = try await run(database) { _ in
        let held = try await database.value(
          """
          select count(*) from pg_stat_activity
          where application_name = 'tsdb watch' and datname = current_database() and backend_xmin is not null
          """)
        #expect(held == "0")
        return JobResult(.ok)
      }
    }
  }

  // MARK: -

  private final class Waited: Sendable {
    let time = Mutex(Duration.zero)
  }

  /// A body made of a closure.
  private struct Body: JobBody {
    let work: @Sendable (JobContext) async throws -> JobResult
    func run(_ context: JobContext) async throws -> JobResult { try await work(context) }
  }

  private let records = JobRecords(
    table: JobRunTable(schema: "tsdb"),
    caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))

  private func run(
    _ database: TestDatabase, slot: UTCTime? = nil, report: @escaping JobReporter = { _ in },
    _ work: @escaping @Sendable (JobContext) async throws -> JobResult
  ) async throws -> JobRun.End {
    let table = records.table
    try await database.connect().run { try table.install(on: $0) }
    let job = JobDefinition(name: "sample", work: .check, schedule: .every(.seconds(60)))
    return try await JobRun(
      job: job, slot: slot, now: .now, settings: database.settings, records: records, gates: Gates(),
      report: report
    ).run(Body(work: work))
  }

  private func history(_ database: TestDatabase) async throws -> JobHistory? {
    let records = records
    return try await database.connect().run { try records.histories(of: ["sample"], on: $0)["sample"] }
  }
}
