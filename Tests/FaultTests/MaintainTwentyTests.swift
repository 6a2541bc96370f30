import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Timers that call `tsdb maintain` at the same moment, on many machines.
  @Suite(.serialized, .enabled(if: ApplicationProject.isThere)) struct `Twenty maintain at once` {
    @Test func `each job is run once for each slot and everybody ends with 0`() async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 10) {
        let source = try await MaintainSource.on(.shared)
        let copy = try await source.copy(on: .shared)
        let project = try TemporaryDirectory()
        try MaintainSource.write(to: project)
        let application = MaintainedApplication(copy.reconnected())
        await application.start()
        try await expectAllQuiet(project, copy)
        try await application.finish(copy)
        try await source.expectMaintained(copy)
        try await copy.expectSoundRecords(of: MaintainSource.jobs)
        try await copy.expect("1|1", "select min(times), max(times) from public.upkeep", "times of the file")
        try await copy.expectNothingLeftBehind()
        try await copy.drop()
      }
    }

    /// The records are set back between the rounds, which for the jobs is time passing.
    @Test func `and so for one slot after the other`() async throws {
      try await withTicks { project, database in
        for round in 0..<FaultCount.repetitions(sample: 3, full: 25) {
          try await expectAllQuiet(project, database)
          let runs = try await database.expectTicks(project)
          #expect(runs >= round + 1)
          try await database.execute(
            """
            update tsdb.job_runs set slot = slot - interval '3 minutes', started_at = started_at - interval '3 minutes',
              ended_at = ended_at - interval '3 minutes'
            """)
        }
      }
    }

    @Test(.enabled(if: FaultCount.isFull))
    func `and so on the clock`() async throws {
      try await withTicks { project, database in
        let end = ContinuousClock.now + .seconds(200)
        while ContinuousClock.now < end {
          try await expectAllQuiet(project, database)
          try await Task.sleep(for: .milliseconds(500))
        }
        #expect(try await database.expectTicks(project) >= 4)
      }
    }

    /// Who comes after a run that failed must not fail again: a monitor would be told twenty times.
    @Test func `a job that fails is not tried by all of them`() async throws {
      let project = try TemporaryDirectory()
      try project.write("fails.sql", "select pg_sleep(0.05); select 1/0;")
      try project.write("tsdb.yaml", Self.configuration("fails: { kind: sql, every: 1d, file: fails.sql }"))
      for _ in 0..<FaultCount.repetitions(sample: 2, full: 10) {
        try await withDatabase { database in
          let results = try await runAll(project, database)
          try await database.expect(
            "1", "select count(*) from tsdb.job_runs where outcome = 'failed'", "runs that failed")
          #expect(results.count { $0.exitStatus == 1 } == 1)
          #expect(results.count { $0.exitStatus == 0 } == 19)
        }
      }
    }

    private static func configuration(_ job: String) -> String {
      let off = ["refresh-views", "backup", "analyze", "vacuum", "indexes", "check"].map {
        "    \($0): { enabled: false }\n"
      }
      return "maintain:\n  jobs:\n\(off.joined())    \(job)\n"
    }

    private func withTicks(_ body: (TemporaryDirectory, TestDatabase) async throws -> Void) async throws {
      let project = try TemporaryDirectory()
      try project.write("tick.sql", "insert into ticks default values; select pg_sleep(0.03);")
      try project.write("tsdb.yaml", Self.configuration("tick: { kind: sql, every: 1min, file: tick.sql }"))
      try await withDatabase { database in
        try await database.execute("create table ticks (at timestamptz default clock_timestamp())")
        try await body(project, database)
      }
    }

    private func expectAllQuiet(_ project: TemporaryDirectory, _ database: TestDatabase) async throws {
      for result in try await runAll(project, database) {
        #expect(
          result.exitStatus == 0 && result.standardError.isEmpty && result.standardOutput.isEmpty, "\(result)"
        )
      }
    }

    private func runAll(_ project: TemporaryDirectory, _ database: TestDatabase) async throws
      -> [ToolRun.Result]
    {
      let runs = try (0..<20).map { _ in try start(["maintain"], in: project, url: database.url) }
      return try await withThrowingTaskGroup(of: ToolRun.Result.self) { group in
        for run in runs { group.addTask { try await run.finish(within: .seconds(200)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
    }
  }
}

extension TestDatabase {
  /// One success for each slot, as many ticks as successes, and no skip that counts.
  ///
  /// - Returns: how many slots there were.
  fileprivate func expectTicks(_ project: TemporaryDirectory) async throws -> Int {
    try await expect(
      "", "select slot, count(*) from tsdb.job_runs where outcome = 'ok' group by slot having count(*) > 1",
      "slots done twice")
    try await expect(
      "0|0",
      """
      select count(*) filter (where outcome not in ('ok', 'skipped')),
        (select count(*) from ticks) - count(*) filter (where outcome = 'ok') from tsdb.job_runs
      """, "other runs, and ticks of no run")
    let status = try await run(["maintain", "status", "--json"], in: project, url: url)
    guard status.standardOutput.contains("\"skips_in_a_row\" : 0"),
      !status.standardOutput.contains("\"skips_in_a_row\" : 1")
    else { throw FaultFinding("skips of a slot that was done: \(status)") }
    return Int(try await value("select count(distinct slot) from tsdb.job_runs where outcome = 'ok'") ?? "")
      ?? 0
  }
}
