import Foundation
import Postgres
import TestSupport
import Testing

/// What `tsdb deploy` refuses, and what it does not do then.
@Suite struct `tsdb deploy refuses` {
  @Test(arguments: [
    ("--skip prove", "--skip wants a reason"), ("--because why", "--because goes with --skip"),
    ("--skip migrate --because why", "the step \"migrate\" cannot be skipped"),
    ("--skip preflight --because why", "the step \"preflight\" cannot be skipped"),
    ("--skip nothing --because why", "nothing"), ("--skip backup --because 42", "--because takes words"),
    ("--skip backup --skip prove --skip seed --because one --because two", "once for all"),
    ("--schedule daily", "daily"), ("--lang fr", "--lang takes es or en"),
  ])
  func `usage that says nothing sensible`(_ arguments: String, _ text: String) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let result = try await project.tsdb(
      "deploy " + arguments, environment: ["DATABASE_URL": "postgresql://127.0.0.1:1/x"])
    result.expect(64, text)
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test func `nothing less than all that is in the way, at once`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.done("migrate up")
      try await database.execute("alter table four add column stray int")
      try project.write("one.sql", "create table one (i bigint primary key, name text);")
      try project.remove("five.sql")
      try project.write("six.sql", "create table six (i int;")
      let result = try await database.expectUnchanged {
        try await project.tsdb("deploy")
      }
      result.expect(
        1, "failed at the step \"preflight\"", "\"one\" was edited after it was applied",
        "\"five\" was applied, but its file",
        "four.stray", "Nothing of the deployment has reached the database.")
      #expect(project.backups().isEmpty)
      #expect(try project.deployment().state == "failed")
    }
  }

  @Test(arguments: [
    (nil, "cannot be read"), ("no boxes here", "holds no boxes"),
    ("- [ ] views <!-- tsdb: matview.fresh max=soon -->", "list.md:1"),
    ("- [ ] views <!-- tsdb: command -->", "list.md:1"),
  ])
  func `a checklist that cannot be run, before anything is recorded`(text: String?, message: String)
    async throws
  {
    try await withProject(deployedFiles) { project, database in
      if let text { try project.write("./list.md", text + "\n") }
      let path = project.directory.path("list.md")
      let result = try await database.expectUnchanged {
        try await project.tsdb("deploy --checklist \(path)")
      }
      result.expect(64, "the checklist cannot be run", message)
      #expect(try project.deployments().isEmpty && project.backups().isEmpty)
      // Looking shows it beside all else that is in the way, and who leaves the report out needs none.
      let plan = try await project.tsdb("deploy --plan --checklist \(path)")
      #expect(plan.exitStatus == 2 && plan.standardOutput.contains(message), "\(plan)")
      try await project.tsdb(
        "deploy --checklist \(path) --skip report --because none --skip prove --because fast"
      ).expect(0)
    }
  }

  @Test func `to begin without the programs of the steps to come`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("old/pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
      #expect(chmod(project.directory.path("old/pg_dump"), 0o755) == 0)
      let environment = ["TSDB_PG_BINDIR": project.directory.path("old")]
      let result = try await database.expectUnchanged {
        try await project.tsdb("deploy", environment: environment)
      }
      result.expect(1, "no pg_dump for a server of PostgreSQL", "no server of PostgreSQL")
      #expect(project.backups().isEmpty)
    }
  }

  @Test func `a file that does not parse, before anything is done`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write(
        "five.sql", "-- tsdb: requires four\ncreate table five (i int, t text default 'open);")
      let result = try await database.expectUnchanged { try await project.tsdb("deploy") }
      result.expect(1, "five.sql:2")
      #expect(project.backups().isEmpty)
    }
  }

  @Test func `a server that is away, with the status that says so`() async throws {
    let project = try TestProject(nil, deployedFiles)
    try await project.tsdb("deploy", environment: ["DATABASE_URL": "postgresql://127.0.0.1:1/x"])
      .expect(75, "Nothing was done.")
  }

  @Test func `a deployment that another machine has begun, unless it is taken over`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("four.sql", "-- tsdb: requires three\nselect 1/0;")
      try await project.tsdb("deploy").expect(1)
      let record = try project.deployment()
      // The same database from a project that lacks the record.
      let other = try TestProject(database, deployedFiles)
      try await database.execute(
        """
        update tsdb.deployments set state = 'running',
          detail = detail || '{"state": "running", "host": "elsewhere.example"}'
        """)
      let refused = try await database.expectUnchanged { try await other.tsdb("deploy") }
      refused.expect(75, "from elsewhere.example is running", "tsdb deploy --take-over", "Nothing was done.")
      #expect(try other.deployments().isEmpty && other.backups().isEmpty)
      try await other.tsdb("deploy --take-over").expect(64, "--yes")
      let taken = try await other.tsdb("deploy --take-over --yes")
      taken.expect(0, "taken over from elsewhere.example")
      let done = try other.deployment()
      #expect(done["id"] as? String == record["id"] as? String && done.state == "deployed")
      #expect(done["host"] as? String != "elsewhere.example")
      #expect(other.backups().isEmpty)
      #expect(try await database.value("select string_agg(state, ',') from tsdb.deployments") == "deployed")
    }
  }

  /// Its fourth file waits for as long as another session has the advisory lock 42.
  private func letWait(_ project: TestProject) throws {
    try project.write("tsdb.yaml", "migrate:\n  lock_timeout: 60s\n")
    try project.write("four.sql", "-- tsdb: requires three\nselect pg_advisory_xact_lock(42);")
  }

  private func startedAndWaiting(_ project: TestProject, _ database: TestDatabase) async throws -> ToolRun {
    let run = try ToolRun.start(
      ["deploy"], environment: project.environment(), directory: project.directory.path)
    for _ in 0..<600
    where try await database.value(
      """
      select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (
        select oid from pg_database where datname = current_database())
      """) == "0"
    { try await Task.sleep(for: .milliseconds(50)) }
    return run
  }

  @Test func `two copies of the project at once`() async throws {
    try await withProject(deployedFiles) { project, database in
      let other = try TestProject(database, deployedFiles)
      let session = database.connect()
      try await session.run { _ = try $0.execute("select pg_advisory_lock(42)") }
      // The first one waits in this file for as long as the session has its lock.
      for copy in [project, other] {
        try letWait(copy)
      }
      let first = try await startedAndWaiting(project, database)
      try await other.tsdb("deploy").expect(
        75, "another deployment or rollback of this database is running", "since 20")
      #expect(try other.deployments().isEmpty && other.backups().isEmpty)
      try await session.run { _ = try $0.execute("select pg_advisory_unlock(42)") }
      let result = try await first.finish()
      #expect(result.exitStatus == 0, "\(result)")
      try await other.tsdb("deploy").expect(0)
    }
  }

  @Test func `a rollback while another copy of the project deploys`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy").expect(0)
      let session = database.connect()
      try await session.run { connection in
        _ = try connection.execute("select pg_advisory_lock(1953719396, hashtext('tsdb'))")
      }
      let refused = try await database.expectUnchanged { try await project.tsdb("rollback --yes") }
      refused.expect(75, "another deployment or rollback of this database is running")
      try await project.tsdb("rollback --dry-run").expect(0)
      await session.close()
      try await project.tsdb("rollback --yes").expect(0)
    }
  }

  /// Its lock went with the session that had it.
  @Test func `not one that another has taken over since`() async throws {
    try await withProject(deployedFiles) { project, database in
      let (gate, thief) = (database.connect(), database.connect())
      try await gate.run { _ = try $0.execute("select pg_advisory_lock(42)") }
      try letWait(project)
      let run = try await startedAndWaiting(project, database)
      try await thief.run { connection in
        _ = try connection.execute(
          """
          select pg_terminate_backend(pid, 10000) from pg_locks
          where locktype = 'advisory' and classid = 1953719396 and database = (
            select oid from pg_database where datname = current_database())
          """)
        #expect(
          try connection.query("select pg_try_advisory_lock(1953719396, hashtext('tsdb'))").isTrue(0, 0))
      }
      try await gate.run { _ = try $0.execute("select pg_advisory_unlock(42)") }
      let result = try await run.finish()
      result.expect(75, "another deployment or rollback of this database is running", "same command again")
      #expect(try project.deployment().outcome("seed") != "done")
      await thief.close()
      try await project.tsdb("deploy").expect(0, project.deployment()["id"] as? String ?? "no id")
    }
  }

  @Test func `not a row that came with a copy of another database`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy").expect(0)
      try await database.execute(
        """
        insert into tsdb.deployments (id, started_at, state, detail)
        select '20990101T000000Z-x', now(), 'running',
          detail || '{"id": "20990101T000000Z-x", "state": "running", "system_identifier": "1"}' from tsdb.deployments
        """)
      try await project.tsdb("deploy").expect(0)
    }
  }

  @Test(arguments: ["", "{", "null", "{\"format\": 99}", "{\"format\": 1}"])
  func `a record that is damaged, with its path`(_ text: String) async throws {
    try await withProject(deployedFiles) { project, database in
      let path = ".tsdb/deployments/20260101T000000Z-app/record.json"
      try project.write(path, text)
      let result = try await database.expectUnchanged { try await project.tsdb("deploy") }
      result.expect(64, path, "Nothing was done.", "move its directory away")
      #expect(project.backups().isEmpty)
      try await project.tsdb("deploy --plan").expect(64, path)
    }
  }

  @Test func `a directory that it cannot keep its record in`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("./.tsdb", "a file")
      let result = try await database.expectUnchanged { try await project.tsdb("deploy") }
      result.expect(1, "cannot make the directory", ".tsdb/deployments")
      #expect(project.backups().isEmpty)
    }
  }

  @Test func `a second one at the same time`() async throws {
    try await withProject(deployedFiles) { project, database in
      try project.write("five.sql", "-- tsdb: requires four\nselect pg_sleep(60);")
      let first = try ToolRun.start(
        ["deploy", "--skip", "prove", "--because", "quick"], environment: project.environment(),
        directory: project.directory.path)
      try await waitUntil {
        try await database.value(
          "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()"
        ) != "0"
      }
      try await project.tsdb("deploy").expect(75, "another deployment or rollback of this project is running")
      first.send(signal: SIGINT)
      let result = try await first.finish()
      result.expect(130, "interrupted at the step \"migrate\"", "type the same command again to continue")
      let record = try project.deployment()
      #expect(record.state == "running" && record.outcome("migrate") == "running")
      try project.write("five.sql", "-- tsdb: requires four\nselect 1;")
      try await project.tsdb("deploy").expect(0, "continuing ")
      #expect(project.backups().count == 1)
      #expect(try project.deployment().outcome("prove") == "skipped")
    }
  }

  @Test func `to continue where a rollback has begun`() async throws {
    try await withProject(deployedFiles) { project, database in
      try await project.tsdb("deploy --skip prove --because quick").expect(0)
      var record = try project.deployment()
      record["state"] = "rolling-back"
      let id = try #require(record["id"] as? String)
      try project.write(
        ".tsdb/deployments/\(id)/record.json",
        String(decoding: try JSONSerialization.data(withJSONObject: record), as: UTF8.self))
      try await project.tsdb("deploy").expect(1, "has to be finished first", "tsdb rollback")
    }
  }
}
