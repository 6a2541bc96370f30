import Backups
import Foundation
import Postgres
import TestSupport
import Testing

// One after the other: each makes a server of its own.
@Suite(.serialized) struct `A proof by restoring` {
  @Test(.database) func `shows that a backup of the application comes back equal`() async throws {
    let database = try #require(TestDatabase.current)
    let project = try applicationProject(database)
    try await project.done("migrate up")
    try await project.done("seed")
    try await project.done("backup create")
    #expect(try await database.value("select state from tsdb.backups") == "complete")
    let proven = try await project.proved("backup verify --restore --jobs 2")
    #expect(proven.hasPrefix("proven ") && proven.contains("5 verify scripts passed"), "\(proven)")
    #expect(proven.contains("the catalogue is equal"), "\(proven)")
    #expect(try await project.states() == ["proven"])
    #expect(
      try await database.rows(
        "select state, proven_at is not null, restore_ms > 0, verified_at is not null from tsdb.backups")
        == [["proven", "t", "t", "t"]])
    #expect(try project.proofs().isEmpty)

    // Anywhere else, with nothing but the repository.
    let elsewhere = try TestProject(nil)
    let environment = ["TSDB_PG_BINDIR": database.cluster.binaries]
    let result = try await elsewhere.tsdb(
      ["backup", "verify", "--restore", "--json", "--repository", project.directory.path("backups")],
      environment: environment)
    result.expect(0)
    let backup = try #require((try result.json()["backups"] as? [[String: Any]])?.first)
    #expect(backup["outcome"] as? String == "proven")
    let scripts = try #require(backup["scripts"] as? [String: Any])
    #expect(
      scripts["not_checked"] as? [String] == ["the files of the backup's migrations are not in this project"])
    #expect(try elsewhere.proofs().isEmpty)
  }

  @Test(.database) func `finds rows that were changed with everything but their fingerprint`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(
      "create table prices (a int, b text); insert into prices values (7, 'ninety-nine')")
    let project = try TestProject(database)
    let id = try await project.backup("--compress none")
    try AlteredBackup(project.backupPath(id)).replaceInRows(of: "prices", "ninety-nine", with: "ninety-four")
    let result = try await project.tsdb("backup verify --restore", within: .seconds(240))
    result.expect(2)
    #expect(result.standardOutput.hasPrefix("damaged \(id): 1 finding in its files; not restored"))
    #expect(result.standardOutput.contains("the fingerprint of its rows differs"))
    #expect(try await project.states() == ["damaged"])
  }

  @Test(.database) func `finds a schema that no digest tells from the right one`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create function rate() returns int language sql as 'select 19019'")
    let project = try TestProject(database)
    let id = try await project.backup()
    let altered = AlteredBackup(project.backupPath(id))
    try altered.replaceInContents("select 19019", with: "select 16016")
    #expect(try await project.done("backup verify").hasPrefix("verified "))
    let result = try await project.tsdb("backup verify --restore", within: .seconds(240))
    result.expect(2)
    #expect(result.standardOutput.hasPrefix("failed \(id): 1 finding"), "\(result)")
    #expect(
      result.standardOutput.contains("The schema differs: function public.rate() is not the same"),
      "\(result)")
    let list = try await project.done("backup list")
    #expect(list.contains("damaged") && list.contains("restored: The schema differs"))

    // As an earlier version made it, without the list of what is in the schema.
    try altered.remove("config/catalog.txt")
    let unlisted = try await project.tsdb("backup verify --restore \(id)", within: .seconds(240))
    unlisted.expect(2)
    #expect(
      unlisted.standardOutput.contains("The schema differs: its fingerprint is restorable-v1:"), "\(unlisted)"
    )

    // What cannot be restored at all is a finding, too.
    try altered.replaceInContents("CREATE FUNCTION public.rate", with: "CREATE FUNKTION public.rate")
    let broken = try await project.tsdb("backup verify --restore \(id)", within: .seconds(240))
    broken.expect(2)
    #expect(broken.standardOutput.contains("cannot be restored: syntax error"), "\(broken)")
    #expect(try project.proofs().isEmpty)
  }

  @Test(.database) func `runs verify scripts, and judges by them only where the files are the backup's`()
    async throws
  {
    let database = try #require(TestDatabase.current)
    let project = try TestProject(
      database,
      [
        "0001_a.sql": "create table a (i int);", "0001_a.down.sql": "drop table a;",
        "0001_a.verify.sql": "select i from a;",
      ])
    try await project.done("migrate up")
    let id = try await project.backup()
    #expect(try await project.proved("backup verify --restore").contains("1 verify script passed"))
    try project.write("0001_a.verify.sql", "select later from a;")
    let failed = try await project.tsdb("backup verify --restore", within: .seconds(240))
    failed.expect(2)
    #expect(failed.standardOutput.hasPrefix("not proven \(id): restored"), "\(failed)")
    #expect(failed.standardOutput.contains("1 verify script fails"))
    #expect(failed.standardOutput.contains("verify script of 0001_a: "))
    try project.write("0002_b.sql", "alter table a add later int;")
    let older = try await project.proved("backup verify --restore")
    #expect(older.hasPrefix("proven \(id)"))
    #expect(older.contains("not checked: the backup is older than 0002_b"))
    #expect(older.contains("not checked: verify script of 0001_a: "), "\(older)")
    #expect(try await project.states() == ["proven"])
  }

  @Test(.database) func `is none when the server goes away under the verify scripts`() async throws {
    let database = try #require(TestDatabase.current)
    let project = try TestProject(
      database,
      [
        "0001_a.sql": "create table a (i int);", "0001_a.down.sql": "drop table a;",
        "0001_a.verify.sql": "select i from a;",
      ])
    try await project.done("migrate up")
    let id = try await project.backup()
    // The server and the backend of the script itself.
    try project.write(
      "0001_a.verify.sql", "copy (select 1) to program 'kill -9 $(head -n 1 postmaster.pid) $PPID';")
    try await project.tsdb("backup verify --restore", within: .seconds(240)).expect(75)
    #expect(try await project.states() == ["verified"])
    #expect(try project.proofs().isEmpty)
    try project.write("0001_a.verify.sql", "select i from a;")
    #expect(try await project.proved("backup verify --restore").hasPrefix("proven \(id)"))
  }

  @Test(.database) func `that loses a backend says nothing against the backup`() async throws {
    let database = try #require(TestDatabase.current)
    // On a throwaway server, building the index kills the backend that does it; the server comes up again.
    try await database.execute(
      """
      create function public.die() returns void language plpgsql as $$begin
        execute 'copy (select 1) to program ''kill -9 $PPID; sleep 1''';
      end$$;
      create function public.mortal(i int) returns int language plpgsql immutable as $$begin
        if pg_catalog.current_setting('data_directory') like '%tsdb-proof-%' then perform public.die(); end if;
        return i;
      end$$;
      create table public.a as select 1 as i; create index a_mortal on public.a (public.mortal(i));
      """)
    let project = try TestProject(database)
    _ = try await project.backup()
    try await project.tsdb("backup verify --restore", within: .seconds(240)).expect(75)
    #expect(try await project.states() == ["verified"])
    #expect(try project.proofs().isEmpty)
  }

  @Test func `names what this machine lacks, and says nothing against the backup`() async throws {
    try await withDatabase(on: FixtureInstallation.cluster) { database in
      try await database.execute("create extension tsdb_fixture")
      let project = try TestProject(database)
      let id = try await project.backup()
      let here = ["TSDB_PG_BINDIR": try PostgresCluster.defaultBinaries()]
      let result = try await project.tsdb("backup verify --restore", environment: here, within: .seconds(240))
      result.expect(2)
      #expect(result.standardOutput.hasPrefix("not proven \(id): "), "\(result)")
      #expect(result.standardOutput.contains("the server does not have the extension \"tsdb_fixture\""))
      #expect(result.standardOutput.contains("tsdb_fixture on the server's machine"))
      #expect(result.standardOutput.contains("any machine that can read the repository"))
      #expect(try await project.states() == ["verified"])
      #expect(try await project.proved("backup verify --restore").hasPrefix("proven "))
    }
  }

  @Test(.database) func `needs room, and a server that is new enough`() async throws {
    let database = try #require(TestDatabase.current)
    let project = try TestProject(database)
    let id = try await project.backup()
    let altered = AlteredBackup(project.backupPath(id))
    try altered.setDatabaseSize(1 << 60)
    let large = try await project.tsdb("backup verify --restore", within: .seconds(240))
    large.expect(2)
    #expect(large.standardOutput.hasPrefix("not proven \(id)") && large.standardOutput.contains("--scratch"))
    try altered.setDatabaseSize(1 << 20)
    try altered.setServerVersion(990_001)
    let new = try await project.tsdb("backup verify --restore", within: .seconds(240))
    new.expect(2)
    #expect(new.standardOutput.contains("no server of PostgreSQL 99 or later is installed here"))
    #expect(try await project.states() == ["verified"])
    // An older backup on the nearest newer server: the catalogue is another's, and it is said.
    try altered.setServerVersion(100_001)
    let old = try await project.proved("backup verify --restore")
    #expect(old.hasPrefix("proven ") && old.contains("note: PostgreSQL 10 is not installed here"), "\(old)")
    #expect(!old.contains("the catalogue is equal"))
  }

  @Test func `makes the roles and tablespaces that the backup names`() async throws {
    try await PostgresCluster.with { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute("set allow_in_place_tablespaces to on")
        for statement in [
          #"create tablespace "oddly; 'placed'" location ''"#, #"create role "it's ""odd""; drop" createdb"#,
          #"create role "pólítica""#, #"create role root_like superuser"#,
          #"alter database \#(database.name) owner to "it's ""odd""; drop""#,
          #"create table kept (a int) tablespace "oddly; 'placed'""#, "insert into kept values (1), (2)",
          #"alter table kept owner to "it's ""odd""; drop""#,
          #"create policy p on kept to "pólítica" using (a > 1)"#,
          #"alter role "pólítica" in database \#(database.name) set work_mem to '5MB'"#,
          "create function on_ddl() returns event_trigger language plpgsql as 'begin end'",
          "create event trigger watch on ddl_command_end execute function on_ddl()",
          "alter event trigger watch owner to root_like",
        ] { try await database.execute(statement) }
        let project = try TestProject(database)
        _ = try await project.backup()
        #expect(try await project.proved("backup verify --restore").hasPrefix("proven "))
      }
    }
  }

  @Test(.database) func `that is killed leaves a server that the next run removes`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table a as select i, md5(i::text) from generate_series(1, 300000) i")
    let project = try TestProject(database)
    _ = try await project.backup()
    let killed = try await project.startProof()
    let server = try await project.proofServer()
    killed.send(signal: SIGKILL)
    _ = try await killed.finish()
    #expect(kill(server, 0) == 0)
    let result = try await project.tsdb("backup verify --restore", within: .seconds(240))
    result.expect(0, "removed the server in ")
    #expect(try await hasEnded(server))
    #expect(try project.proofs().isEmpty)
  }

  @Test(.database, arguments: [SIGINT, SIGTERM])
  func `that is interrupted leaves nothing`(signal: Int32) async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table a as select i, md5(i::text) from generate_series(1, 300000) i")
    let project = try TestProject(database)
    _ = try await project.backup()
    let run = try await project.startProof()
    let server = try await project.proofServer()
    run.send(signal: signal)
    try await run.finish().expect(130)
    #expect(try await hasEnded(server))
    #expect(try project.proofs().isEmpty)
    #expect(try await project.states() == ["verified"])
  }

  @Test(.database) func `keeps its server when it is asked to`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table a as select 42 as answer")
    let project = try TestProject(database)
    _ = try await project.backup()
    let scratch = project.directory.path("scratch")
    let text = try await project.proved("backup verify --restore --keep --scratch \(scratch)")
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: scratch).first)
    let kept = scratch + "/" + name
    #expect(text.contains("tsdb server destroy --yes -C \(kept)"))
    let url = try await project.done("server url -C \(kept)").trimmingCharacters(in: .newlines)
    let settings = try ConnectionSettings(parsing: url)
    let answer = try await Session(settings, applicationName: "tests").run {
      try $0.query("select answer, current_setting('fsync') from a").rows()
    }
    #expect(answer == [["42", "off"]])
    // Another run leaves it alone, until it is destroyed.
    _ = try await project.proved("backup verify --restore --scratch \(scratch)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch) == [name])
    try await project.done("server destroy --yes -C \(kept)")
    _ = try await project.proved("backup verify --restore --scratch \(scratch)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch).isEmpty)
    try await project.tsdb("backup verify --keep").expect(64, "--keep and --scratch belong to --restore")
  }

  @Test(.database) func `does not follow the environment to another server`() async throws {
    let database = try #require(TestDatabase.current)
    let project = try TestProject(database)
    let id = try await project.backup()
    let elsewhere = try TestProject(nil)
    func prove(_ environment: [String: String]) async throws -> ToolRun.Result {
      try await elsewhere.tsdb(
        ["backup", "verify", "--restore", project.backupPath(id)],
        environment: environment.merging(["TSDB_PG_BINDIR": database.cluster.binaries]) { $1 })
    }
    try await prove(["PGHOSTADDR": "127.0.0.77"]).expect(64, "PGHOSTADDR is set", "hint: unset it")
    // A service may name an address as well.
    try elsewhere.directory.write("services", "[other]\nhostaddr=127.0.0.77\n")
    let service = ["PGSERVICE": "other", "PGSERVICEFILE": elsewhere.directory.path("services")]
    #expect(try await prove(service).exitStatus == 75)
    #expect(try elsewhere.proofs().isEmpty)
    try await prove(["PGTARGETSESSIONATTRS": "standby", "PGDATABASE": "none", "PGUSER": "nobody"]).expect(0)
  }
}

@Suite struct `A backup's record in the database` {
  @Test(.database) func `is a warning where there is no schema, or no right`() async throws {
    let database = try #require(TestDatabase.current)
    let project = try TestProject(database)
    try await project.tsdb("backup create").expect(
      0, "warning: not recorded in the database: there is no schema \"tsdb\"")
    try await database.execute(
      "create schema tsdb; create role \(database.name)_reader login in role pg_read_all_data")
    let url = database.cluster.url(database: database.name, user: database.name + "_reader")
    let result = try await project.tsdb("backup create --label reader", environment: ["DATABASE_URL": url])
    result.expect(0, "warning: not recorded in the database: permission denied for schema tsdb")
    #expect(project.backups().count == 2)
    try await database.execute("drop role \(database.name)_reader")
  }
}

extension TestProject {
  /// Takes a backup and returns its name.
  fileprivate func backup(_ options: String = "") async throws -> String {
    try await done("backup create " + options)
    return try #require(backups().last)
  }

  /// Of all backups, the newest first.
  fileprivate func states() async throws -> [String] {
    let list = try await tsdb("backup list --json").json()
    return (list["backups"] as? [[String: Any]] ?? []).compactMap { $0["state"] as? String }
  }

  /// Runs a proof that must succeed.
  fileprivate func proved(_ line: String) async throws -> String {
    let result = try await tsdb(line, within: .seconds(240))
    #expect(result.exitStatus == 0, "\(result)")
    return result.standardOutput
  }

  /// What is left where throwaway servers are made.
  fileprivate func proofs() throws -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: directory.path(".tsdb/proofs"))) ?? []
  }

  fileprivate func startProof() async throws -> ToolRun {
    try ToolRun.start(
      ["backup", "verify", "--restore"], environment: environment(), directory: directory.path)
  }

  /// The process of the throwaway server, once it accepts connections.
  fileprivate func proofServer() async throws -> pid_t {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      for name in try proofs() where !name.hasSuffix(".lock") {
        let file = ".tsdb/proofs/\(name)/.tsdb/server/data/postmaster.pid"
        let lines = ((try? directory.read(file)) ?? "").split(
          separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 7, lines[7].hasPrefix("ready"), let pid = pid_t(lines[0]) { return pid }
      }
      try await Task.sleep(for: .milliseconds(2))
    }
    throw TestSupportError("no throwaway server")
  }
}

/// Whether a process ends; it may stay for a moment until its new parent has taken notice.
private func hasEnded(_ pid: pid_t) async throws -> Bool {
  let deadline = ContinuousClock.now + .seconds(10)
  while ContinuousClock.now < deadline {
    if kill(pid, 0) != 0, errno == ESRCH { return true }
    try await Task.sleep(for: .milliseconds(5))
  }
  return false
}

/// The repository's own migrations and seeds.
private func applicationProject(_ database: TestDatabase) throws -> TestProject {
  let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  let project = try TestProject(database)
  for name in ["migrations", "seeds", "tsdb.yaml"] {
    try? FileManager.default.removeItem(atPath: project.directory.path(name))
    try FileManager.default.copyItem(atPath: "\(root)/\(name)", toPath: project.directory.path(name))
  }
  return project
}
