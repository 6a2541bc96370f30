import Foundation
import TestSupport
import Testing

/// `tsdb deploy` from an empty database to its report.
@Suite struct `tsdb deploy` {
  @Test func `deploys the application to an empty database, and proves it`() async throws {
    try await withProject { project, database in
      try project.copyApplication()
      try project.write("./list.md", deployChecklist)
      let result = try await project.tsdb("deploy --checklist list.md")
      result.expect(0, "done     migrate", "skipped  schedule")
      #expect(result.standardOutput.contains("way back:  tsdb rollback, to the backup "), "\(result)")
      let record = try project.deployment()
      #expect(record.state == "deployed")
      #expect(
        record.outcomes == [
          "preflight done", "backup done", "prove done", "migrate done", "seed done", "refresh done",
          "verify done", "smoke done", "schedule skipped", "report done",
        ])
      #expect(record["head_after"] as? String == "support_troubleshooting_performance_schema")
      #expect(record["head_before"] == nil)
      let backup = try #require(record["backup"] as? [String: Any])
      #expect(backup["is_proven"] as? Bool == true)
      #expect(project.backups() == [try #require(backup["id"] as? String)])

      let id = try #require(record["id"] as? String)
      let directory = project.directory.path(".tsdb/deployments/\(id)")
      for (path, mode) in [
        (directory, 0o700), (directory + "/record.json", 0o600), (directory + "/evidence-1.jsonl", 0o600),
        (directory + "/checklist.md", 0o600), (directory + "/report.html", 0o600),
      ] {
        let found = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(found == mode, "\(path)")
      }
      let filled = try String(contentsOfFile: directory + "/checklist.md", encoding: .utf8)
      #expect(
        filled.components(separatedBy: "[x]").count == 4 && filled.contains("[ ] a person's"), "\(filled)")
      try await project.done("checklist verify \(directory)/evidence-1.jsonl")
      #expect(try await database.value("select state from tsdb.deployments where id = '\(id)'") == "deployed")
      #expect(
        try await database.value(
          "select count(*) from tsdb.job_runs where job = 'refresh-views' and outcome = 'ok'")
          == "1")
    }
  }

  @Test func `keeps data, and a second one finds everything up to date and still proves`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await database.execute(
        "create table mine as select n, 'kept' as word from generate_series(1, 500) n")
      try await project.tsdb("deploy").expect(0)
      #expect(try await database.value("select count(*) from mine where word = 'kept'") == "500")
      let before = try await database.contents()
      let second = try await project.tsdb("deploy")
      second.expect(0)
      #expect(second.standardOutput.contains("everything is up to date: 5 applied"), "\(second)")
      #expect(try await database.contents() == before)
      let records = try project.deployments()
      #expect(records.map(\.state) == ["deployed", "deployed"])
      #expect(records.map { $0.outcome("prove") } == ["done", "done"])
      #expect(records[1]["head_before"] as? String == "five")
      #expect(project.backups().count == 2)
      #expect(records[0].outcome("smoke") == "skipped")
    }
  }

  @Test func `with --plan writes nothing anywhere`() async throws {
    try await withProject(deployedFiles) { project, database in
      let files = try project.listing()
      let result = try await database.expectUnchanged { try await project.tsdb("deploy --plan") }
      result.expect(0)
      for text in [
        "applies one, two, three, four, five", "way back: tsdb rollback", "nothing was changed",
        "skip  schedule",
      ] { #expect(result.standardOutput.contains(text), "\(result)") }
      #expect(try project.listing() == files)

      try await project.tsdb("deploy").expect(0)
      let later = try project.listing()
      let plan = try await database.expectUnchanged { try await project.tsdb("deploy --dry-run --json") }
      let steps = try #require(try plan.json()["steps"] as? [[String: Any]])
      #expect(
        steps.count == 10 && steps.first { $0["step"] as? String == "prove" }?["expected_seconds"] is Int)
      #expect(try project.listing() == later)

      try project.write("one.sql", "create table one (i bigint primary key, name text);")
      let refused = try await database.expectUnchanged {
        try await project.tsdb("deploy --plan --skip backup --because x")
      }
      #expect(refused.exitStatus == 2, "\(refused)")
      #expect(refused.standardOutput.contains("in the way: \"one\" was edited"), "\(refused)")
      #expect(refused.standardOutput.contains("way back: none"), "\(refused)")
    }
  }

  @Test func `stops at a failing file, says where the database stands, and continues there`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write(
        "four.sql", "-- tsdb: requires three\ncreate table four (i int primary key);\nselect 1/0;")
      let failed = try await project.tsdb("deploy")
      failed.expect(
        1, "failed at the step \"migrate\": ", "At migrations/four.sql:3:1.",
        "Applied by this deployment: one, two, three. The database stands at \"three\", each file whole.",
        ", proven, holds what was there before", "to go back: tsdb rollback")
      #expect(failed.standardOutput.contains("failed   migrate"))
      let record = try project.deployment()
      #expect(record.state == "failed" && record.outcome("migrate") == "failed")
      #expect(record.outcome("prove") == "done" && record.outcome("seed") == nil)
      #expect(record["head_after"] as? String == "three")
      #expect(
        try await database.value("select max(ordinal) from tsdb.migrations where state = 'applied'") == "3")
      #expect(try await database.value("select state from tsdb.deployments") == "failed")
      let backups = project.backups()

      // Continued while nothing is mended, it stops in the same place.
      try await project.tsdb("deploy").expect(1, "At migrations/four.sql:3:1.")
      try project.write("four.sql", "-- tsdb: requires three\ncreate table four (i int primary key);")
      let again = try await project.tsdb("deploy")
      again.expect(0, "continuing ")
      #expect(project.backups() == backups && backups.count == 1)
      let done = try project.deployment()
      #expect(done.state == "deployed" && done.step("migrate")?["attempts"] as? Int == 3)
      #expect(done.step("backup")?["attempts"] as? Int == 1)
      #expect(done["id"] as? String == record["id"] as? String)
    }
  }

  @Test func `applies the file that mends a later step`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("four.verify.sql", "select nosuch from four;")
      try await project.tsdb("deploy").expect(1, "failed at the step \"verify\"", "four.verify.sql:1:8")
      #expect(try project.deployment().outcome("verify") == "failed")
      try project.write("six.sql", "-- tsdb: requires four\nalter table four add column nosuch int;")
      let again = try await project.tsdb("deploy")
      again.expect(0)
      #expect(
        again.standardOutput.contains("applied in") && again.standardOutput.contains(": six"), "\(again)")
      #expect(project.backups().count == 1)
      #expect(try project.deployment()["head_after"] as? String == "six")
    }
  }

  @Test func `fails where the application's statements do, and the database stays as it is`() async throws {
    try await withProject { project, database in
      try project.copyApplication()
      try project.write("./list.md", deployChecklist)
      try project.write(
        "worse.sql",
        """
        -- tsdb: requires support_troubleshooting_performance_schema
        alter table public.support_troubleshooting_feedback add constraint never check (rating > 5) not valid;
        """)
      let failed = try await project.tsdb("deploy --skip prove --because quick --checklist list.md")
      failed.expect(1, "failed at the step \"smoke\"", "smoke.feedback", "to go back: tsdb rollback")
      #expect(try project.deployment().outcome("smoke") == "failed")
      #expect(try await database.value("select count(*) from public.support_troubleshooting_sessions") == "0")
    }
  }
}
