import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

/// A rollback, and other commands beside it.
@Suite struct `a rollback beside other commands` {
  /// Kills a rollback once it has said `text`.
  private func killed(_ fixture: RollbackProject, at text: String) async throws {
    let run = try ToolRun.start(
      ["rollback", "--yes", "--jobs", "1"], environment: fixture.project.environment(),
      directory: fixture.project.directory.path)
    try await waitUntil {
      try run.standardError.contains(text) && fixture.recorded().state == .rollingBack || !run.isRunning
    }
    run.send(signal: SIGKILL)
    _ = try await run.finish()
    try #require(try fixture.recorded().state == .rollingBack, "it ended before it was killed")
  }

  @Test(arguments: [
    "restoring the backup beside", "ending sessions and swapping", "comparing the live database",
  ])
  func `that was killed is told of by all of them, harmed by none, and goes on`(_ step: String) async throws {
    try await RollbackProject.with { fixture in
      let project = fixture.project
      try await killed(fixture, at: step)
      let state = try await fixture.state()
      #expect(state == "failed" || state == "before")
      let head = try await fixture.database.reconnected().value("select max(ordinal) from tsdb.migrations")
      for line in ["migrate up", "deploy", "deploy --fresh"] {
        try await project.tsdb(line).expect(1, "has to be finished first", "tsdb rollback")
      }
      let plan = try await project.tsdb("deploy --plan")
      #expect(plan.exitStatus == 2 && plan.standardOutput.contains("has to be finished first"), "\(plan)")
      let status = try await project.tsdb("status")
      #expect(status.exitStatus == 0 && status.standardOutput.contains("critical"), "\(status)")
      #expect(
        status.standardOutput.contains(
          "the rollback of deployment \(RollbackProject.id) has begun and is not finished"), "\(status)")
      #expect([1, 2].contains(try await project.tsdb("check").exitStatus ?? -1))
      try await project.done("backup")
      for line in ["maintain", "backup verify latest", "restore --list-old", "migrate status"] {
        let result = try await project.tsdb(line)
        #expect(result.exitStatus == 0 && result.signal == nil, "\(line): \(result)")
      }
      #expect(try await fixture.state() == state)
      let now = try await fixture.database.reconnected().value("select max(ordinal) from tsdb.migrations")
      #expect(now == head)
      try await project.done("rollback --yes")
      #expect(try await fixture.state() == "before")
      #expect(try await fixture.others().count == 1)
    }
  }

  @Test func `ends a job of maintenance, which says so and runs again`() async throws {
    try await RollbackProject.with { fixture in
      let project = fixture.project
      try project.write(
        "tsdb.yaml",
        "maintain:\n  jobs:\n    slow: {kind: sql, file: slow.sql, every: 1h, budget: 60s}\n")
      try project.write("./slow.sql", "select pg_sleep(50);")
      let run = try ToolRun.start(
        ["maintain", "slow"], environment: project.environment(), directory: project.directory.path)
      try await waitUntil {
        try await fixture.database.cluster.value(
          "select count(*) from pg_stat_activity where query like '%pg_sleep(50)%' and pid <> pg_backend_pid() and datname = '\(fixture.database.name)'"
        ) != "0" || !run.isRunning
      }
      #expect(run.isRunning, "\(run.standardError)")
      try await project.done("rollback --yes")
      let ended = try await run.finish()
      #expect(ended.exitStatus != 0 && ended.signal == nil, "\(ended)")
      #expect(try await fixture.state() == "before")
      try await fixture.expectContentOfBackup()
      try project.write("./slow.sql", "select 1;")
      try await project.done("maintain slow")
    }
  }

  @Test func `ends a backup, which leaves none that could be taken for whole`() async throws {
    try await RollbackProject.with { fixture in
      let project = fixture.project
      let before = Set(project.backups())
      let holder = Session(fixture.database.settings, applicationName: "the shop")
      try await holder.run { _ = try $0.execute("begin; lock table tickets in access exclusive mode") }
      let run = try ToolRun.start(
        ["backup"], environment: project.environment(), directory: project.directory.path)
      try await waitUntil {
        try await fixture.database.cluster.value(
          "select count(*) from pg_locks where not granted and relation is not null") != "0"
          || !run.isRunning
      }
      #expect(run.isRunning, "\(run.standardError)")
      try await project.done("rollback --yes")
      let ended = try await run.finish()
      #expect(ended.exitStatus != 0 && ended.signal == nil, "\(ended)")
      await holder.close()
      let list = try await project.done("backup list")
      #expect(Set(project.backups()) == before, "\(list)")
      try await fixture.expectContentOfBackup()
    }
  }

  /// Names that a shell or a URL would take apart, and the longest one.
  static let names = [
    "my db'; touch harmed; \"x\" $HOME", "-n", String(repeating: "n", count: 63),
    String(repeating: "ñ", count: 31),
  ]

  @Test(arguments: names)
  func `works on a database of any name, with large objects, and what it says to type works`(_ name: String)
    async throws
  {
    try await PostgresCluster.with { cluster in
      try await cluster.connect().run { _ = try $0.execute("create database \(Quoting.identifier(name))") }
      let project = try TestProject(nil, ["tsdb.yaml": "deploy:\n  prove: false\n"])
      let more = ["DATABASE_URL": cluster.url(database: name), "TSDB_PG_BINDIR": cluster.binaries]
      try project.write("one.sql", "create table one (i int primary key, o oid);")
      try await project.done("deploy", environment: more)
      let session = cluster.connect(database: name)
      try await session.run {
        _ = try $0.execute(
          "insert into one select n, lo_from_bytea(0, 'large'::bytea) from generate_series(1, 20) n")
      }
      await session.close()
      try project.write("two.sql", "-- tsdb: requires one\nselect lo_unlink(o) from one; delete from one;")
      try project.write("three.sql", "-- tsdb: requires two\nselect 1 / 0;")
      try await project.tsdb("deploy", environment: more).expect(1, "division by zero")
      let done = try await project.tsdb("rollback --yes", environment: more)
      #expect(done.exitStatus == 0, "\(done)")
      let found = try await cluster.value(
        "select string_agg(distinct convert_from(lo_get(o), 'UTF8'), ',') || count(*) from one",
        database: name)
      #expect(found == "large20")

      // Typed as it is printed.
      let lines = done.standardOutput.split(separator: "\n").map(String.init)
      let look = try #require(lines.first { $0.hasPrefix("look into it with: ") }?.dropFirst(19))
      let drop = try #require(lines.first { $0.hasPrefix("and drop it with: tsdb ") }?.dropFirst(23))
      // Nobody is there to be asked.
      let dropping = drop.replacingOccurrences(of: "restore ", with: "restore --yes ")
      let script = """
        \(cluster.binaries)/\(look) -Atc 'select count(*) from one' && '\(try ToolRun.toolPath())' \(dropping)
        """
      let shell = try ToolRun(
        executable: "/bin/sh", ["-c", script],
        environment: ToolRun.searchPaths.merging(more) { $1 }, directory: project.directory.path)
      let typed = try await shell.finish()
      #expect(typed.exitStatus == 0 && typed.standardOutput.hasPrefix("0\n"), "\(script)\n\(typed)")
      let left = try await cluster.value(
        "select count(*) from pg_database where datname like '%before_restore%'")
      #expect(left == "0")
      #expect(!FileManager.default.fileExists(atPath: project.directory.path("harmed")))
    }
  }
}
