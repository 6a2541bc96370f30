import Maintenance
import TestSupport
import Testing

/// Maintenance that does not happen, with real records.
@Suite struct HealthJobsTests {
  private func look(_ database: TestDatabase, _ jobs: [JobDefinition]) async throws -> HealthFinding {
    try await health(database, "jobs", jobs: jobs)
  }

  @Test func `no records at all`() async throws {
    try await withDatabase { database in
      #expect(try await look(database, []).status == .ok)
      let finding = try await look(database, [job(.check)])
      #expect(finding.status == .warning)
      #expect(finding.problems.first?.remedy == "tsdb schedule install --cron (or --systemd, --pg-cron)")
    }
  }

  @Test func `a job that never ran while others do is critical after some periods`() async throws {
    try await withDatabase { database in
      let jobs = [job(.check), job(.analyze(RelationSelection()))]
      try await record(database, "check", ago: 60)
      #expect(try await look(database, jobs).summary == "job \"analyze\" never ran")
      #expect(try await look(database, jobs).status == .warning)
      try await database.execute("update tsdb.job_runs set started_at = started_at - interval '4 h'")
      #expect(try await look(database, jobs).status == .critical)
      try await record(database, "analyze", ago: 10)
      #expect(try await look(database, jobs).status == .ok)
      var disabled = jobs
      disabled[1].isEnabled = false
      try await database.execute("delete from tsdb.job_runs where job = 'analyze'")
      #expect(try await look(database, disabled).status == .ok)
    }
  }

  @Test func `a job that failed, and one that always does`() async throws {
    try await withDatabase { database in
      try await record(database, "backup", ago: 600)
      try await record(database, "backup", ago: 10, outcome: "failed", reason: "disk full")
      let jobs = [job(.backup(BackupRule()))]
      let once = try await look(database, jobs)
      #expect(once.status == .warning)
      #expect(once.summary == "job \"backup\" failed: disk full")
      try await database.execute("delete from tsdb.job_runs where outcome = 'ok'")
      #expect(try await look(database, jobs).status == .critical)
    }
  }

  @Test func `a job that checks and fails by what it finds does not keep itself failing`() async throws {
    try await withDatabase { database in
      try await record(database, "check", ago: 600, outcome: "failed", reason: "backups: there is no backup")
      #expect(try await look(database, [job(.check)]).status == .ok)
      try await database.execute(
        "update tsdb.job_runs set started_at = started_at - interval '1 h', ended_at = ended_at - interval '1 h'"
      )
      #expect(try await look(database, [job(.check)]).status == .warning)
    }
  }

  @Test func `a job that is skipped again and again`() async throws {
    try await withDatabase { database in
      try await record(database, "check", ago: 600)
      for _ in 0..<2 {
        try await record(database, "check", ago: 100, outcome: "skipped", reason: "already running")
      }
      #expect(try await look(database, [job(.check)]).status == .ok)
      try await record(database, "check", ago: 50, outcome: "skipped", reason: "already running")
      let finding = try await look(database, [job(.check)])
      #expect(finding.status == .warning)
      #expect(finding.summary == "job \"check\" was skipped 3 times in a row")
      #expect(finding.problems.first?.detail == "The last time: already running.")
      try await record(database, "check", ago: 1)
      #expect(try await look(database, [job(.check)]).status == .ok)
    }
  }

  @Test(arguments: [(3000, HealthStatus.ok), (3700, .warning), (10_700, .warning), (10_900, .critical)])
  func `a job that is overdue`(_ ago: Int, _ status: HealthStatus) async throws {
    try await withDatabase { database in
      try await record(database, "check", ago: ago)
      #expect(try await look(database, [job(.check)]).status == status)
    }
  }

  @Test func `a run that goes on for twice its budget`() async throws {
    try await withDatabase { database in
      try await record(database, "check", ago: 1300)
      try await record(database, "check", ago: 1100, outcome: "running")
      #expect(try await look(database, [job(.check)]).status == .ok)
      try await database.execute(
        "update tsdb.job_runs set started_at = started_at - interval '200 s' where outcome = 'running'")
      #expect(try await look(database, [job(.check)]).status == .warning)
    }
  }

  @Test func `a job that deletes nothing while its backlog grows`() async throws {
    try await withDatabase { database in
      let jobs = [job(.retention([]))]
      try await record(database, "retention", ago: 700, outcome: "partial", rows: 0, backlog: 10)
      #expect(try await look(database, jobs).status == .ok)
      try await record(database, "retention", ago: 10, outcome: "partial", rows: 0, backlog: 20)
      #expect(try await look(database, jobs).status == .critical)
      try await record(database, "retention", ago: 5, outcome: "partial", rows: 1, backlog: 30)
      #expect(try await look(database, jobs).status == .ok)
    }
  }
}
