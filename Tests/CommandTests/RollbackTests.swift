import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

/// `tsdb rollback` from end to end.
@Suite struct `the rollback command` {
  /// The last of several documents.
  private func lastLine(_ result: ToolRun.Result) throws -> [String: Any] {
    #expect(result.exitStatus == 0, "\(result)")
    let line = try #require(result.standardOutput.split(separator: "\n").last)
    return try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  @Test func `goes back to content-equal data, keeps the failed database, and records it`() async throws {
    try await RollbackProject.with { fixture in
      let project = fixture.project
      #expect(try await fixture.state() == "failed")
      let done = try await project.tsdb("rollback --yes")
      #expect(done.exitStatus == 0, "\(done)")
      #expect(try await fixture.state() == "before")

      let record = try fixture.recorded()
      #expect(record.state == .rolledBack && record.ended != nil)
      let rollback = try #require(record.rollback)
      #expect(rollback.steps.map(\.step) == RollbackStep.allCases)
      #expect(rollback.steps.allSatisfy { $0.outcome == .done && $0.attempts == 1 && $0.findings.isEmpty })
      #expect(rollback.cause == "operator" && rollback.withoutServiceMilliseconds != nil)
      let kept = try #require(rollback.keptDatabase)
      #expect(try await fixture.others() == [kept])
      for text in [
        "rolled back deployment \(RollbackProject.id)", "every row compared", "every row is equal",
        "without service: new sessions were held back for ", "kept as \"\(kept)\"",
        "tsdb restore --drop-old \(kept)", "psql",
      ] { #expect(done.standardOutput.contains(text), "no \"\(text)\" in \(done)") }
      for text in ["loses", "all writes of the last ", "ends", "space", " free"] {
        #expect(done.standardError.contains(text), "no \"\(text)\" in \(done)")
      }
      // The failed one is whole.
      let failed = try await fixture.database.cluster.value("select count(*) from audit", database: kept)
      #expect(failed == "0")
      let row = try await fixture.database.reconnected().rows(
        "select state, detail -> 'rollback' ->> 'kept_database' from tsdb.deployments")
      #expect(row == [["rolled-back", kept]])
      let backups = try await fixture.database.reconnected().value(
        "select string_agg(id, ',') from tsdb.backups")
      #expect(backups == record.backup?.id)
      try await fixture.expectContentOfBackup()
      // The history goes on from there.
      try await project.tsdb("migrate up").expect(1, "division by zero")
    }
  }

  @Test func `says what would be done and changes nothing`() async throws {
    try await RollbackProject.with { fixture in
      let (project, database) = (fixture.project, fixture.database)
      let record = try fixture.recorded()
      let session = Session(database.settings, applicationName: "the shop")
      try await session.run { _ = try $0.execute("select 1") }
      try await database.expectUnchanged {
        let text = try await project.done("rollback --dry-run")
        for part in [
          "deployment \(RollbackProject.id) of \"\(database.name)\", failed", "restored on trial",
          "how many rows is not known (the deployment has not noted what had been written before it)",
          "the shop 1", "nothing was changed",
        ] { #expect(text.contains(part), "no \"\(part)\" in \(text)") }
        let json = try await lastLine(project.tsdb("rollback --dry-run --json"))
        #expect(json["database"] as? String == database.name)
        #expect(
          (json["applications"] as? [[String: Any]])?.contains { $0["name"] as? String == "the shop" } == true
        )
        #expect(json["free_space"] as? Int != nil && json["window_seconds"] as? Int != nil)
        try await project.tsdb("rollback").expect(
          64, "needs to be confirmed", "all writes of the last ", "--yes")
      }
      await session.close()
      #expect(try fixture.recorded() == record)
      #expect(try await fixture.others() == [])
    }
  }

  @Test func `goes back to an empty database`() async throws {
    try await RollbackProject.with(isEmptyBefore: true) { fixture in
      #expect(try await fixture.state() == "failed")
      try await fixture.project.done("rollback --yes")
      #expect(try await fixture.state() == "empty")
      #expect(try await fixture.others().count == 1)
      try await fixture.expectContentOfBackup()
    }
  }

  @Test func `done before is said and done again nothing`() async throws {
    try await RollbackProject.with { fixture in
      try await fixture.project.done("rollback --yes")
      let record = try fixture.recorded()
      let others = try await fixture.others()
      // What is written afterwards stays.
      try await fixture.database.reconnected().execute("insert into customers values (0, 'new')")
      let again = try await fixture.project.done("rollback --yes")
      #expect(again.contains("was rolled back before") && again.contains(others[0]))
      #expect(try await fixture.project.tsdb("rollback --json").json()["action"] as? String == "already-done")
      #expect(try await fixture.others() == others)
      #expect(try fixture.recorded() == record)
      let count = try await fixture.database.reconnected().value(
        "select count(*) from customers where id = 0")
      #expect(count == "1")
    }
  }

  @Test func `an untouched deployment is given up`() async throws {
    try await withProject { project, database in
      try FailedDeployment.record(
        id: RollbackProject.id, in: project.directory, of: database.name, backup: nil, failedAt: .prove)
      let before = try await database.dump()
      #expect(try await project.done("rollback --dry-run").contains("would give up"))
      #expect(try FailedDeployment.read(RollbackProject.id, in: project.directory).state == .failed)
      #expect(try await project.done("rollback").contains("given up"))
      #expect(try FailedDeployment.read(RollbackProject.id, in: project.directory).state == .abandoned)
      #expect(try await database.dump() == before)
      try await project.tsdb("rollback").expect(1, "no deployment of \"\(database.name)\" is recorded")
    }
  }

  @Test func `what cannot be gone back from is refused`() async throws {
    try await withProject { project, database in
      try await project.tsdb("rollback --yes").expect(1, "no deployment of", "tsdb backup list")
      try FailedDeployment.record(id: "2026", in: project.directory, of: database.name, backup: nil)
      try await project.tsdb("rollback --yes").expect(1, "has no backup to go back to", "Nothing was changed")
      try await project.tsdb("rollback 2027 --yes").expect(
        64, "there is no deployment \"2027\"", "The last recorded are 2026.", "ls .tsdb/deployments")
      try FailedDeployment.record(id: "2025a", in: project.directory, of: database.name, backup: nil)
      try FailedDeployment.record(id: "2025b", in: project.directory, of: database.name, backup: nil)
      try await project.tsdb("rollback 2025 --yes").expect(64, "beginning of 2 deployments", "2025a, 2025b")
      for line in ["rollback --grace 5s", "rollback --jobs 0", "rollback a b"] {
        try await project.tsdb(line).expect(64)
      }
    }
  }

  @Test func `an older deployment takes the later ones with it`() async throws {
    try await RollbackProject.with { fixture in
      let project = fixture.project
      try FailedDeployment.record(
        id: "20260102T000000Z-app", in: project.directory, of: fixture.database.name, backup: fixture.backup)
      let preview = try await project.done("rollback 20260101 --dry-run")
      #expect(preview.contains("undoes too") && preview.contains("20260102T000000Z-app"))
      try await project.done("rollback 20260101 --yes")
      let later = try FailedDeployment.read("20260102T000000Z-app", in: project.directory)
      #expect(later.state == .rolledBack && later.rollback?.cause == "the rollback of \(RollbackProject.id)")
      #expect(try await project.done("rollback --yes").contains("was rolled back before"))
      #expect(try await fixture.others().count == 1)
    }
  }

  @Test func `a role that owns the database and may make one needs to be no superuser`() async throws {
    try await PostgresCluster.with { cluster in
      try await cluster.connect().run { connection in
        try connection.execute(
          "create role shop login; create role owner login createdb; grant shop to owner")
      }
      try await withProject(on: cluster, options: "owner owner") { project, database in
        let url = ["DATABASE_URL": cluster.url(database: database.name, user: "owner")]
        try project.write(
          "001_items.sql", "create table items (id integer primary key); grant select on items to shop;")
        try await project.done("migrate up", environment: url)
        let session = database.connect(user: "owner")
        try await session.run { _ = try $0.execute("insert into items select generate_series(1, 50)") }
        await session.close()
        try await project.done("backup", environment: url)
        let backup = project.backupPath(try #require(project.backups().last))
        try project.write(
          "002_fails.sql", "-- tsdb: requires 001_items\ncreate table never (i int); select 1 / 0;")
        try await project.tsdb("migrate up", environment: url).expect(1)
        try FailedDeployment.record(
          id: RollbackProject.id, in: project.directory, of: database.name, backup: backup)
        let client = database.connect(user: "shop")
        try await client.run { _ = try $0.query("select count(*) from items") }
        let done = try await project.tsdb("rollback --yes", environment: url)
        #expect(done.exitStatus == 0, "\(done)")
        #expect(done.standardError.contains("what is free cannot be seen from here"))
        await client.close()
        let again = database.connect(user: "shop")
        let count = try await again.run { try $0.query("select count(*) from items").text(0, 0) }
        #expect(count == "50")
        let owner = try await cluster.value(
          "select pg_get_userbyid(datdba) from pg_database where datname = '\(database.name)'")
        #expect(owner == "owner")
        await again.close()
      }
    }
  }
}
