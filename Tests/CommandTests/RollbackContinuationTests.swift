import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

/// What an interrupted rollback left, and how the same command goes on.
@Suite struct `a rollback that was interrupted` {
  /// Restores beside by hand what a killed rollback would have restored, and notes its name.
  private func restoreBeside(_ fixture: RollbackProject) async throws -> String {
    try await fixture.project.done("restore \(fixture.backup)")
    let name = try #require(try await fixture.others().first)
    var record = fixture.record
    record.rollback = .init(started: "2026-01-01T01:00:00Z", cause: "operator")
    record.rollback?.restoredDatabase = name
    record.begin(RollbackStep.restore, at: "2026-01-01T01:00:00Z")
    try FailedDeployment.write(record, in: fixture.project.directory)
    return name
  }

  @Test func `uses the database that it had restored`() async throws {
    try await RollbackProject.with { fixture in
      let name = try await restoreBeside(fixture)
      let object = try await fixture.database.cluster.value(
        "select oid from pg_database where datname = '\(name)'")
      #expect(try await fixture.project.done("rollback --dry-run").contains("goes on"))
      let done = try await fixture.project.done("rollback --yes")
      #expect(done.contains("was restored before the interruption, and is equal"))
      let live = try await fixture.database.cluster.value(
        "select oid from pg_database where datname = '\(fixture.database.name)'")
      #expect(live == object)
      #expect(try await fixture.others().count == 1)
      try await fixture.expectContentOfBackup()
      #expect(try fixture.recorded().rollback?.steps.first?.attempts == 2)
    }
  }

  @Test func `does not use it once somebody has written into it`() async throws {
    try await RollbackProject.with { fixture in
      let name = try await restoreBeside(fixture)
      let session = fixture.database.cluster.connect(database: name)
      try await session.run { _ = try $0.execute("update customers set name = 'x' where id = 7") }
      await session.close()
      let done = try await fixture.project.tsdb("rollback --yes")
      #expect(done.exitStatus == 0, "\(done)")
      #expect(
        done.standardOutput.contains("\"\(name)\", restored before the interruption, is no longer equal"))
      #expect(done.standardError.contains("has other rows"))
      #expect(try await fixture.others().contains(name))
      try await fixture.expectContentOfBackup()
    }
  }

  @Test func `knows the swap that happened before its record`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      let live = "select oid from pg_database where datname = '\(fixture.database.name)'"
      let (object, kept) = (
        try await fixture.database.cluster.value(live), try #require(try await fixture.others().first)
      )
      // As after a kill between the commit and the file.
      var record = try fixture.recorded()
      record.state = .rollingBack
      record.rollback?.keptDatabase = nil
      record.rollback?.withoutServiceMilliseconds = nil
      record.rollback?.steps.removeAll { $0.step > .swap }
      record.begin(RollbackStep.swap, at: "2026-01-01T01:00:00Z")
      try FailedDeployment.write(record, in: fixture.project.directory)
      // Written since by the application.
      try await fixture.database.reconnected().execute("insert into customers values (0, 'since')")
      let preview = try await fixture.project.done("rollback --dry-run")
      #expect(preview.contains("swapped before it was interrupted") && preview.contains(kept))
      let done = try await fixture.project.done("rollback --yes")
      #expect(done.contains("the names had been swapped before the interruption"))
      #expect(done.contains("1 written to since the swap") && done.contains("not measured"))
      #expect(try await fixture.database.cluster.value(live) == object)
      #expect(try await fixture.others() == [kept])
      record = try fixture.recorded()
      #expect(record.state == .rolledBack && record.rollback?.keptDatabase == kept)
    }
  }

  @Test func `does not restore again where the failed database was dropped after the swap`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      var record = try fixture.recorded()
      record.state = .rollingBack
      record.rollback?.steps.removeAll { $0.step > .swap }
      try FailedDeployment.write(record, in: fixture.project.directory)
      try await fixture.project.done("restore --drop-old --yes")
      try await fixture.database.reconnected().execute("insert into customers values (0, 'since')")
      try await fixture.project.done("rollback --yes")
      let count = try await fixture.database.reconnected().value(
        "select count(*) from customers where id = 0")
      #expect(count == "1")
      #expect(try await fixture.others() == [])
    }
  }

  @Test func `begins again where the swap was undone by hand`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      var record = try fixture.recorded()
      record.state = .rollingBack
      record.rollback?.steps.removeAll { $0.step > .swap }
      try FailedDeployment.write(record, in: fixture.project.directory)
      try await fixture.project.done("restore --undo --yes")
      #expect(try await fixture.state() == "failed")
      try await fixture.project.done("rollback --yes")
      #expect(try await fixture.state() == "before")
    }
  }

  @Test func `says so where the live database is not the backup's any more`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      var record = try fixture.recorded()
      record.state = .rollingBack
      record.rollback?.steps.removeAll { $0.step > .swap }
      try FailedDeployment.write(record, in: fixture.project.directory)
      let session = fixture.database.reconnected()
      try await session.execute("alter table customers add column odd integer")
      try await fixture.project.tsdb("rollback --yes").expect(
        1, "the live database is not what the backup says", "odd", "is the restored one")
      let step = try fixture.recorded().rollback?.steps.last
      #expect(step?.step == .verify && step?.outcome == .failed && step?.summary != nil)
      #expect(try fixture.recorded().state == .rollingBack)
      try await session.execute("alter table customers drop column odd")
      try await session.execute("refresh materialized view totals with no data")
      try await fixture.project.tsdb("rollback --yes").expect(
        1, "Materialized view \"public.totals\" is not populated")
      try await session.execute("refresh materialized view totals")
      // Without its backup there is nothing to compare with.
      let moved = fixture.backup + "-moved"
      try FileManager.default.moveItem(atPath: fixture.backup, toPath: moved)
      try await fixture.project.tsdb("rollback --yes").expect(1, "is gone", "is the restored one")
      try FileManager.default.moveItem(atPath: moved, toPath: fixture.backup)
      try await fixture.project.done("rollback --yes")
      #expect(try fixture.recorded().state == .rolledBack)
    }
  }

  @Test func `says so where the history has gone on in the live database`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      var record = try fixture.recorded()
      record.state = .rollingBack
      record.rollback?.steps.removeAll { $0.step > .swap }
      try FailedDeployment.write(record, in: fixture.project.directory)
      try fixture.project.remove("007_fails.sql")
      try await fixture.project.tsdb("migrate up").expect(1, "has to be finished first", "tsdb rollback")
      // By another way.
      record.state = .failed
      try FailedDeployment.write(record, in: fixture.project.directory)
      try await fixture.project.done("migrate up")
      record.state = .rollingBack
      try FailedDeployment.write(record, in: fixture.project.directory)
      try await fixture.project.tsdb("rollback --yes").expect(
        1, "is at the migration 006_audit", "is the restored one")
    }
  }

  @Test func `by a signal says so, and goes on`() async throws {
    try await RollbackProject.with { fixture in
      let run = try ToolRun.start(
        ["rollback", "--yes", "--jobs", "1"], environment: fixture.project.environment(),
        directory: fixture.project.directory.path)
      try await waitUntil { run.standardError.contains("restoring the backup") || !run.isRunning }
      run.send(signal: SIGINT)
      let result = try await run.finish()
      let state = try await fixture.state()
      if result.exitStatus == 130 {
        #expect(result.standardError.contains("interrupted"))
        #expect(
          result.standardError.contains(
            state == "failed" ? "the one that the deployment left" : "the restored one"))
      }
      try await fixture.project.done("rollback --yes")
      #expect(try await fixture.state() == "before")
      #expect(try await fixture.others().count == 1)
    }
  }
}
