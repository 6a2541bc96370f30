import Foundation
import Postgres
import TestSupport
import Testing

/// `tsdb maintain` as a timer or a person calls it, on the application's schema.
@Suite struct `tsdb maintain` {
  @Test func `runs all that is due with the application's own configuration, once, and records it`()
    async throws
  {
    try await withProject { project, database in
      try project.copyApplication()
      try await project.done("migrate up")
      try await project.done("seed")
      try await database.addMetrics(old: 500)
      let first = try await project.tsdb("maintain", within: .seconds(180))
      first.expectQuiet()
      let runs = try await database.jobRuns()
      #expect(
        Set(runs)
          == Set(
            [
              "refresh-views", "expire-cache", "backup", "retention", "partitions", "analyze", "vacuum",
              "indexes", "check",
            ].map { "\($0) ok hand" }), "\(runs)")
      #expect(runs.count == 9)
      #expect(try await database.metrics() == "new 10")
      #expect(project.backups().count == 1)
      #expect(
        try await database.value("select count(*) from tsdb.job_runs where slot is null or ended_at is null")
          == "0")
      let state = try await project.done("maintain status --json")
      #expect(state.contains("\"not-due\""))
      let again = try await database.value("select max(id) from tsdb.job_runs where job <> 'check'")
      try await project.tsdb("maintain").expectQuiet()
      #expect(
        try await database.value("select max(id) from tsdb.job_runs where job <> 'check'") == again,
        "an hourly job may have become due, no other")
    }
  }

  @Test func `prints and writes nothing when nothing is due, and makes no schema`() async throws {
    try await withProject(["tsdb.yaml": maintainConfiguration("")]) { project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("maintain") }
      result.expectQuiet()
      #expect(try await database.value("select to_regnamespace('tsdb')") == nil)
    }
  }

  @Test func `nothing due is one connection that only reads`() async throws {
    try await PostgresCluster.with(.init(configuration: ["log_connections = on"])) { cluster in
      try await withMaintained(metricsRetention, on: cluster) { project, database in
        try await project.done("maintain")
        let runs = try await database.jobRuns()
        let mark = cluster.log().utf8.count
        try await project.tsdb("maintain").expectQuiet()
        let log = String(decoding: cluster.log().utf8.dropFirst(mark), as: UTF8.self).split(separator: "\n")
        let connections = log.filter { $0.contains("connection authorized: ") }
        #expect(connections.count == 1, "\(connections)")
        let statements = log.filter {
          $0.contains(" \(database.name) tsdb") && ($0.contains(" statement: ") || $0.contains(" execute "))
        }
        print("maintain with nothing due: \(connections.count) connection, \(statements.count) statements")
        // The server's clock; the records, in a transaction of their own.
        #expect(statements.count <= 4, "\(statements)")
        #expect(!statements.contains { $0.lowercased().contains("insert") || $0.contains("create") })
        #expect(try await database.jobRuns() == runs)
      }
    }
  }

  @Test func `a plan shows steps and locks and changes nothing`() async throws {
    let jobs = metricsRetention + "\nrefresh-views: { \(yearly) }"
    try await withMaintained(jobs) { project, database in
      try await database.addMetrics(old: 300)
      let plan = try await database.expectUnchanged { try await project.tsdb("maintain --plan") }
      plan.expect(0)
      #expect(plan.standardError.isEmpty)
      for text in [
        "retention", "never ran", "public.support_troubleshooting_performance_metrics", "mv_top_problems",
        "refresh concurrently", "-- check: disabled in tsdb.yaml", "would run 2 jobs at ",
        "nothing was changed",
      ] {
        #expect(plan.standardOutput.contains(text), "no \"\(text)\" in \(plan)")
      }
      let document = try await database.expectUnchanged {
        try await project.tsdb("maintain --plan --json")
      }.json()
      let listed = try #require(document["jobs"] as? [[String: Any]])
      let retention = try #require(listed.first { $0["job"] as? String == "retention" })
      #expect(retention["runs"] as? Bool == true)
      let steps = try #require(retention["steps"] as? [[String: Any]])
      #expect(steps.first?["object"] as? String == "public.support_troubleshooting_performance_metrics")
      #expect((steps.first?["locks"] as? [String])?.isEmpty == false)
      #expect(try await database.value("select to_regclass('tsdb.job_runs')") == nil)
    }
  }

  @Test func `a plan at another moment`() async throws {
    try await withMaintained(metricsRetention) { project, database in
      try await project.done("maintain")
      #expect(try await project.done("maintain --plan").contains("would run 0 jobs"))
      let later = try await project.done("maintain --plan --at 2101-06-01T00:00:00Z")
      #expect(later.contains("would run 1 job at 2101-06-01T00:00:00Z"), "\(later)")
      #expect(later.contains("last success "), "\(later)")
      try await project.tsdb("maintain --at 2101-06-01T00:00:00Z").expect(64, "--at belongs to --plan")
      try await project.tsdb("maintain --plan --at tomorrow").expect(64, "--at takes a moment in UTC")
      #expect(try await database.jobRuns() == ["retention ok hand"])
    }
  }

  @Test func `status tells of each job, before and after its first run`() async throws {
    try await withMaintained(metricsRetention) { project, database in
      let before = try await database.expectUnchanged { try await project.tsdb("maintain status") }
      before.expect(0)
      let line = before.standardOutput.split(separator: "\n").first { $0.hasPrefix("retention") }
      #expect(line?.contains("due") == true && line?.contains("never") == true, "\(before)")
      try await project.done("maintain", environment: ["TSDB_TRIGGER": "cron"])
      let jobs = try #require(
        try await project.tsdb("maintain status --json").json()["jobs"] as? [[String: Any]])
      let job = try #require(jobs.first { $0["job"] as? String == "retention" })
      #expect(job["state"] as? String == "not-due")
      #expect(job["last_outcome"] as? String == "ok")
      #expect(job["last_trigger"] as? String == "cron")
      #expect(job["skips_in_a_row"] as? Int == 0)
      #expect(job["kind"] as? String == "retention")
      #expect((job["next"] as? String)?.hasSuffix("-01-01T00:00:00Z") == true)
      #expect(jobs.contains { $0["state"] as? String == "disabled" })
    }
  }

  @Test func `a job by name runs although it is not due, and is no slot's`() async throws {
    try await withMaintained(metricsRetention) { project, database in
      try await project.done("maintain")
      try await database.addMetrics(old: 5)
      try await project.tsdb("maintain retention").expectQuiet()
      try await project.tsdb("maintain run retention").expectQuiet()
      #expect(try await database.metrics() == "new 10")
      #expect(
        try await database.rows("select row_count, slot is null from tsdb.job_runs order by id")
          == [["0", "f"], ["5", "t"], ["0", "t"]])
    }
  }

  @Test func `an unknown job is named, with the nearest one, and nothing runs`() async throws {
    try await withMaintained(metricsRetention) { project, database in
      let result = try await database.expectUnchanged {
        try await project.tsdb("maintain retention retnetion")
      }
      result.expect(64, "there is no job \"retnetion\"", "Nothing was run.", "did you mean \"retention\"?")
      try await project.tsdb("maintain --plan zzz").expect(64, "there is no job \"zzz\"", "the jobs are: ")
    }
  }

  @Test func `a job that fails: status 1, at most five lines, nothing on standard output`() async throws {
    let jobs = (1...5).map { "bad\($0): { kind: sql, \(yearly), file: bad.sql }" }.joined(separator: "\n")
    try await withMaintained(jobs, files: ["maintain/x": "", "tsdb.yaml": maintainConfiguration(jobs)]) {
      project, database in
      try project.directory.write("bad.sql", "select 1;\n\nselect 1/0;\nselect 2;\n")
      let result = try await project.tsdb("maintain")
      result.expect(
        1, "error: bad1 failed: bad.sql:3: division by zero (SQLSTATE 22012)", "and 2 more failed")
      let lines = result.standardError.split(separator: "\n")
      #expect(lines.count <= 5, "\(result)")
      #expect(lines.last?.hasPrefix("hint: ") == true)
      #expect(result.standardOutput.isEmpty)
      #expect(try await database.jobRuns().count == 5)
      // Not tried again at once, and that is no failure of the call.
      try await project.tsdb("maintain").expectQuiet()
      #expect(try await database.jobRuns().count == 5)
      let one = try await project.tsdb("maintain bad3 --json")
      one.expect(1)
      let runs = try #require(try one.json()["runs"] as? [[String: Any]])
      #expect(runs.first?["outcome"] as? String == "failed")
      #expect(runs.first?["sql_state"] as? String == "22012")
    }
  }

  @Test func `out of budget is partial, with a backlog, and no failure`() async throws {
    try await withMaintained(metricsRetention) { project, database in
      try await database.addMetrics(old: 3000)
      try await project.tsdb("maintain retention --budget 1ms").expectQuiet()
      let run = try await database.rows("select outcome, backlog > 0, reason is not null from tsdb.job_runs")
      #expect(run == [["partial", "t", "t"]])
      try await project.tsdb("maintain retention --budget 0s").expect(64, "--budget takes more than 0")
      try await project.done("maintain retention")
      #expect(try await database.metrics() == "new 10")
    }
  }

  @Test func `a job that runs elsewhere is skipped: recorded, 75 by name, 0 when due`() async throws {
    let jobs = """
      slow: { kind: sql, \(yearly), file: slow.sql }
      quick: { kind: command, \(yearly), run: [/bin/true] }
      """
    try await withMaintained(jobs) { project, database in
      // At work as long as the test wants.
      try await database.execute("create table public.hold (); insert into public.hold default values")
      try project.directory.write(
        "slow.sql",
        "do $$ begin while exists (select from public.hold) loop perform pg_sleep(0.05); end loop; end $$;\n")
      let running = try ToolRun.start(
        ["maintain", "slow"], environment: project.environment(), directory: project.directory.path)
      try await waitUntil {
        guard try await database.value("select to_regclass('tsdb.job_runs')") != nil else { return false }
        return try await database.value("select count(*) from tsdb.job_runs") == "1"
      }
      let named = try await project.tsdb("maintain slow")
      named.expect(75, "skipped: slow: already running")
      #expect(named.standardOutput.isEmpty)
      try await project.tsdb("maintain").expectQuiet()
      try await database.execute("delete from public.hold")
      #expect(try await running.finish().exitStatus == 0)
      #expect(
        try await database.rows("select job, outcome, reason from tsdb.job_runs order by id") == [
          ["slow", "ok", nil], ["slow", "skipped", "already running"],
          ["slow", "skipped", "already running"],
          ["quick", "ok", nil],
        ])
      // Whoever was skipped while the work was done has missed nothing.
      let jobs = try #require(
        try await project.tsdb("maintain status --json").json()["jobs"] as? [[String: Any]])
      let slow = try #require(jobs.first { $0["job"] as? String == "slow" })
      #expect(slow["skips_in_a_row"] as? Int == 0)
    }
  }

  @Test func `a job waits for the one it runs only after`() async throws {
    let jobs = """
      second: { kind: sql, \(yearly), file: second.sql, only_after: first }
      first: { kind: sql, \(yearly), file: first.sql, retry: 0 }
      """
    try await withMaintained(jobs) { project, database in
      try project.directory.write("first.sql", "select 1/0;\n")
      try project.directory.write("second.sql", "select 1;\n")
      try await project.tsdb("maintain").expect(1, "first failed")
      #expect(try await database.jobRuns() == ["first failed hand"])
      let status = try await project.done("maintain status")
      #expect(status.contains("runs only after \"first\""), "\(status)")
      try project.directory.write("first.sql", "select 1;\n")
      try await project.tsdb("maintain").expectQuiet()
      #expect(
        try await database.jobRuns() == ["first failed hand", "first ok hand", "second ok hand"])
    }
  }
}
