import Foundation
import Postgres
import TestSupport
import Testing

/// `tsdb backup create` from end to end, and every way it can be refused.
@Suite struct BackupCreateTests {
  @Test func `a backup is a directory that pg_restore reads, and appears in the repository`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        "create table a (id integer primary key, t text); insert into a values (1, 'x')")
      let result = try await project.tsdb("backup --label first")
      result.expect(0)
      let backup = try #require(project.backups().first)
      #expect(project.backups().count == 1)
      let restore = try ToolRun(
        executable: database.cluster.executable("pg_restore"), ["--file=-", project.backupPath(backup)],
        environment: [:])
      let text = try await restore.finish()
      #expect(text.exitStatus == 0 && text.standardOutput.contains("1\tx\n"), "\(text)")
    }
  }

  @Test func `with --json every line is a document and the last one is the result`() async throws {
    try await withBackupProject { project, database in
      try await database.execute("create table a as select generate_series(1, 1000) as id")
      let result = try await project.tsdb("backup --json --jobs 2")
      result.expect(0)
      let lines = try result.standardOutput.split(separator: "\n").map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      }
      #expect(lines.allSatisfy { $0["event"] is String })
      let last = try #require(lines.last)
      #expect(last["event"] as? String == "finished")
      #expect(last["rows"] as? Int == 1000 && last["id"] is String)
    }
  }

  @Test(arguments: [
    "backup --json --table public.none", "restore latest --into LIVE --json", "backup --json --jobs 0",
  ])
  func `with --json a failure is one more line`(line: String) async throws {
    try await withBackupProject { project, database in
      try await project.done("backup")
      let result = try await project.tsdb(line.replacingOccurrences(of: "LIVE", with: database.name))
      #expect(result.exitStatus != 0)
      let lines = try result.standardOutput.split(separator: "\n").map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(result)")
      }
      let error = try #require(lines.last?["error"] as? [String: Any])
      #expect(error["status"] as? Int == result.exitStatus.map(Int.init))
      #expect(lines.dropLast().allSatisfy { $0["event"] is String })
      // Events came before it, but for a fault in the command line.
      #expect(lines.count > 1 || line.hasSuffix("--jobs 0"), "\(result)")
    }
  }

  @Test func `only what was asked for is in a backup of some tables`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        "create table a (id integer); create table b (id integer); insert into a values (1); insert into b values (2)"
      )
      try await project.done("backup --table public.a --label a")
      let backup = try #require(project.backups().first)
      let manifest = try project.manifest(backup)
      let tables = try #require(manifest["tables"] as? [[String: Any]])
      #expect(tables.map { $0["name"] as? String } == ["a"])
      #expect(manifest["catalog_fingerprint"] == nil)
    }
  }

  @Test(arguments: ["nowhere.nothing", "nothing", "a.b.c", "a.b.c.d"])
  func `a pattern that matches nothing is an error and leaves nothing`(_ pattern: String) async throws {
    try await withBackupProject { project, _ in
      try await project.tsdb("backup --table \(pattern)").expect(64, pattern, "error: --table ", "hint: ")
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
    }
  }

  @Test func `a table that somebody holds is waited for, then the next step is said`() async throws {
    try await withBackupProject { project, database in
      try await database.execute("create table held (id integer)")
      let other = database.connect()
      try await other.run { _ = try $0.execute("begin; lock table held in access exclusive mode") }
      try await project.tsdb("backup --lock-timeout 300ms").expect(75, "lock timeout", "--lock-timeout")
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
      try await other.run { _ = try $0.execute("rollback") }
      try await project.done("backup")
    }
  }

  @Test func `a table without the right to read it is named with the remedy`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        "create table secret (id integer); drop role if exists backup_nobody; create role backup_nobody login"
      )
      let url = database.cluster.url(database: database.name, user: "backup_nobody")
      let result = try await project.tsdb("backup", environment: ["DATABASE_URL": url])
      result.expect(1, "permission denied", "secret", "pg_read_all_data")
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
      try await database.execute("drop role backup_nobody")
    }
  }

  @Test func `a table with row security is refused, never read in part`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        """
        create table guarded (id integer); insert into guarded values (1), (2);
        alter table guarded enable row level security;
        create policy p on guarded using (id = 1);
        drop role if exists backup_reader; create role backup_reader login;
        grant pg_read_all_data to backup_reader
        """)
      let url = database.cluster.url(database: database.name, user: "backup_reader")
      let result = try await project.tsdb("backup", environment: ["DATABASE_URL": url])
      result.expect(1, "row-level security", "BYPASSRLS")
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
      try await database.execute("drop role backup_reader")
    }
  }

  @Test func `a server that is not there is status 75 and makes no backup`() async throws {
    try await withBackupProject { project, _ in
      let result = try await project.tsdb(
        "backup", environment: ["DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nothing"])
      result.expect(75)
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
    }
  }

  @Test(arguments: [
    ("--jobs 0", "--jobs"), ("--jobs 65", "--jobs"), ("--compress lzma", "--compress"),
    ("--compress isal:9", "--compress"), ("--lock-timeout soon", "--lock-timeout"),
    ("--label a/b", "--label"),
  ])
  func `an option that cannot be used is status 64`(_ option: String, _ named: String) async throws {
    try await withBackupProject { project, _ in
      try await project.tsdb("backup \(option)").expect(64, named)
    }
  }

  @Test func `DDL that queues behind the data neither stops a backup nor goes unsaid`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        """
        create table big as select i as id, repeat(md5(i::text), 20) as t from generate_series(1, 800000) i;
        create table small (id integer); insert into small values (1)
        """)
      let run = try ToolRun.start(
        ["backup", "--jobs", "1", "--json"], environment: project.environment(),
        directory: project.directory.path)
      // Behind the leader's locks, before any worker has looked at the table.
      let other = database.connect()
      try await waitUntil { run.standardOutput.contains("\"phase\":\"data\"") }
      async let altered: Void = other.run { _ = try $0.execute("alter table small add column more integer") }
      let result = try await run.finish()
      try await altered
      #expect(result.exitStatus == 0, "\(result)")
      #expect(result.standardOutput.contains("AccessExclusiveLock"), "\(result)")
      let manifest = try project.manifest(try #require(project.backups().first))
      let tables = try #require(manifest["tables"] as? [[String: Any]])
      #expect(tables.first { $0["name"] as? String == "small" }?["rows"] as? Int == 1)
    }
  }

  @Test func `DDL that comes between the locks and pg_dump is let through, and all begins again`()
    async throws
  {
    try await withBackupProject { project, database in
      try await database.execute("create table small (id integer); insert into small values (1)")
      let others = (0..<3).map { _ in database.connect() }
      let run = try ToolRun.start(
        ["backup"], environment: project.environment(), directory: project.directory.path)
      // As soon as the leader holds its lock, and again and again.
      try await waitUntil {
        try await database.value(
          "select count(*) from pg_locks where relation = 'small'::regclass and mode = 'AccessShareLock'")
          != "0"
          || !run.isRunning
      }
      for (index, other) in others.enumerated() {
        try await other.run { _ = try $0.execute("alter table small add column more\(index) integer") }
      }
      let result = try await run.finish()
      #expect(result.exitStatus == 0, "\(result)")
      let manifest = try project.manifest(try #require(project.backups().first))
      let tables = try #require(manifest["tables"] as? [[String: Any]])
      #expect(tables.first { $0["name"] as? String == "small" }?["rows"] as? Int == 1)
    }
  }

  @Test func `an interrupted backup says so and leaves nothing`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        "create table big as select i as id, repeat(md5(i::text), 20) as t from generate_series(1, 300000) i")
      let run = try ToolRun.start(
        ["backup"], environment: project.environment(),
        directory: project.directory.path)
      try await waitUntil { !project.leftovers().isEmpty }
      run.send(signal: SIGINT)
      let result = try await run.finish()
      result.expect(130, "interrupted")
      #expect(project.backups().isEmpty && project.leftovers().isEmpty, "\(project.leftovers())")
    }
  }

  @Test func `what a killed backup left is named and removed by the next`() async throws {
    try await withBackupProject { project, database in
      try await database.execute(
        "create table big as select i as id, repeat(md5(i::text), 20) as t from generate_series(1, 300000) i")
      let run = try ToolRun.start(
        ["backup"], environment: project.environment(),
        directory: project.directory.path)
      try await waitUntil { !project.leftovers().isEmpty }
      run.send(signal: SIGKILL)
      _ = try await run.finish()
      let left = try #require(project.leftovers().first)
      let result = try await project.tsdb("backup")
      result.expect(0, left)
      #expect(project.backups().count == 1 && project.leftovers().isEmpty)
    }
  }

  @Test func `a pooler is refused, because a snapshot does not survive one`() async throws {
    try await withBackupProject { project, database in
      try await PgBouncer.with(.transaction, for: database.cluster) { pooler in
        let result = try await project.tsdb(
          "backup", environment: ["DATABASE_URL": pooler.url(database: database.name)])
        result.expect(64, "pooler")
      }
      #expect(project.backups().isEmpty && project.leftovers().isEmpty)
    }
  }
}
