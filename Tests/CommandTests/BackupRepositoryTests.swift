import Backups
import Foundation
import SystemPackage
import TestSupport
import Testing

/// A project with backups that no server was needed for.
struct BackupProject {
  let project: TestProject
  let repository: BackupRepository

  init(_ database: TestDatabase? = nil) throws {
    project = try TestProject(database)
    repository = try BackupRepository(creating: FilePath(project.directory.path("backups")))
  }

  func path(_ name: String) -> String { project.directory.path("backups/" + name) }

  var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: repository.path.string).filter { $0 != ".lock" }
        .sorted()
    }
  }
}

@Suite struct `The repository's commands` {
  @Test func `list nothing where there is nothing`() async throws {
    let project = try TestProject(nil)
    #expect(try await project.done("backup list").hasPrefix("no backups in "))
    let json = try await project.tsdb("backup list --json").json()
    #expect((json["backups"] as? [Any])?.isEmpty == true)
    #expect(!FileManager.default.fileExists(atPath: project.directory.path("backups")))
    try await project.tsdb("backup verify").expect(64, "there is no repository", "tsdb backup")
    try await project.tsdb("backup show latest").expect(64, "there is no repository")
    // A path that was given is not taken for an empty repository.
    for line in ["list", "verify", "verify --all", "show latest", "prune --yes"] {
      try await project.tsdb("backup \(line) --repository ./mistyped")
        .expect(64, "there is no repository", "/mistyped\"", "hint: ")
    }
    #expect(try await project.done("backup prune --yes").contains("nothing to remove"))
  }

  @Test func `list the newest first, by database and number`() async throws {
    let test = try BackupProject()
    let old = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z", label: "before")
    let other = try SampleBackup.write(to: test.repository, database: "other", time: "2026-11-02T00:00:00Z")
    let part = try SampleBackup.write(
      to: test.repository, time: "2026-11-03T00:00:00Z", tables: ["public.orders"])
    try test.project.directory.write("backups/20261104T000000Z-app.partial/x", "")
    let damaged = try SampleBackup.write(to: test.repository, time: "2026-11-05T00:00:00Z")
    try test.project.directory.write("backups/\(damaged)/manifest.json", "")
    try test.project.directory.write("backups/20261104T000000Z-app.partial/x", "")
    let text = try await test.project.done("backup list")
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("STATE") && lines[0].hasSuffix("MIGRATION"))
    let ids = lines[1...5].compactMap { $0.split(separator: " ").first { $0.hasPrefix("2026") } }.map(
      String.init)
    #expect(ids == [damaged, "20261104T000000Z-app.partial", part, other, old])
    #expect(lines[3].contains("app (part)") && lines[5].contains("before") && lines[5].contains("15.20"))
    #expect(text.contains("damaged \(damaged): "))
    let json = try await test.project.tsdb("backup list --json --database app --limit 1").json()
    let first = try #require((json["backups"] as? [[String: Any]])?.first)
    #expect(first["id"] as? String == part && first["state"] as? String == "complete")
    #expect(first["rows"] as? Int == 602 && first["seconds"] as? Int == 75 && json["omitted"] as? Int == 1)
  }

  @Test func `show a backup with its tables, its checks and plain pg_restore`() async throws {
    let test = try BackupProject()
    let id = try SampleBackup.write(to: test.repository)
    try await test.project.done("backup verify")
    let text = try await test.project.done("backup show")
    for part in [
      id, "verified ", "public.orders", "600", "3 tables, 1 sequence", "pg_restore --jobs 4", test.path(id),
      "createdb --template template0 --encoding UTF8 app_restored", "sha256 ",
    ] { #expect(text.contains(part), "no \"\(part)\" in \(text)") }
    let byPath = try await test.project.tsdb(["backup", "show", test.path(id), "--json"]).json()
    #expect((byPath["backup"] as? [String: Any])?["state"] as? String == "verified")
    #expect((byPath["checks"] as? [Any])?.count == 1 && (byPath["tables"] as? [Any])?.count == 3)
    try await test.project.tsdb("backup show nonsense").expect(64, "there is no backup \"nonsense\"")
    try await test.project.tsdb(["backup", "show", "./nowhere"]).expect(64, "cannot open directory")
  }

  @Test func `verify and record, and list all findings with status 2`() async throws {
    let test = try BackupProject()
    let id = try SampleBackup.write(to: test.repository)
    let sound = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z")
    #expect(
      try await test.project.done("backup verify \(id) --jobs 3").hasPrefix("verified \(id): 5 files, "))
    try test.project.directory.write("backups/\(id)/11.dat", "x")
    try FileManager.default.removeItem(atPath: test.path(id + "/12.dat.gz"))
    let result = try await test.project.tsdb("backup verify --all")
    result.expect(2)
    #expect(result.standardOutput.contains("damaged \(id): 2 findings"))
    #expect(result.standardOutput.contains("  12.dat.gz: the file is missing"))
    #expect(result.standardOutput.contains("verified \(sound): "))
    let list = try await test.project.tsdb("backup list --json").json()
    let states = (list["backups"] as? [[String: Any]])?.map { $0["state"] as? String }
    #expect(states == ["damaged", "verified"])
    #expect(try await test.project.tsdb("backup show latest --json").json()["manifest_sha256"] is String)
    // A readable link to a directory outside is no backup.
    try FileManager.default.createSymbolicLink(
      atPath: test.path("20261201T000000Z-app"), withDestinationPath: test.path(sound))
    try await test.project.tsdb("backup verify 20261201T000000Z-app").expect(64, "there is no backup")
  }

  @Test func `verify without a database that answers, with a warning`() async throws {
    let test = try BackupProject()
    try SampleBackup.write(to: test.repository)
    let result = try await test.project.tsdb(
      "backup verify", environment: ["DATABASE_URL": "postgresql://u:planted-secret@127.0.0.1:1/app"])
    result.expect(0, "warning: not recorded in the database")
    #expect(!"\(result)".contains("planted-secret"))
  }

  @Test(.database) func `verify records in the database`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create schema tsdb")
    let test = try BackupProject(database)
    let id = try SampleBackup.write(to: test.repository, database: database.name)
    let result = try await test.project.tsdb("backup verify")
    result.expect(0)
    #expect(result.standardError.isEmpty)
    #expect(
      try await database.rows("select id, state, verified_at is not null from tsdb.backups") == [
        [id, "verified", "t"]
      ])
  }

  @Test func `take the latest of the configured database`() async throws {
    let test = try BackupProject()
    let app = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z")
    let other = try SampleBackup.write(to: test.repository, database: "other", time: "2026-11-02T00:00:00Z")
    func latest(_ environment: [String: String], _ options: String = "") async throws -> String? {
      let json = try await test.project.tsdb("backup show --json \(options)", environment: environment).json()
      return (json["backup"] as? [String: Any])?["id"] as? String
    }
    #expect(try await latest([:]) == other)
    #expect(try await latest(["DATABASE_URL": "postgresql://h/app"]) == app)
    #expect(try await latest(["PGDATABASE": "app"]) == app)
    #expect(try await latest(["PGDATABASE": "app"], "--database other") == other)
    try await test.project.tsdb("backup show", environment: ["PGDATABASE": "none"])
      .expect(64, "there is no complete backup of \"none\"", "by its id")
  }

  @Test(.database, arguments: ["isal:2", "gzip:6", "none"])
  func `verify what was taken of a database`(compression: String) async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute(
      """
      create schema tsdb;
      create table "odd ""name" (a int primary key, b text);
      insert into "odd ""name" select i, repeat('x', i % 100) || E'\\n' from generate_series(1, 20000) i;
      create table empty (a int);
      create table nothing ();
      insert into nothing default values;
      select lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'));
      """)
    let test = try BackupProject(database)
    try await test.project.done("backup create --compress \(compression) --jobs 2")
    let verified = try await test.project.done("backup verify --jobs 2")
    #expect(verified.hasPrefix("verified ") && verified.contains("20001 rows"))
    #expect(try await test.project.done("backup show").contains("1 large object"))
    #expect(try await database.value("select state from tsdb.backups") == "verified")
  }

  @Test func `refuse what makes no sense`() async throws {
    let test = try BackupProject()
    for (line, option) in [
      ("list --limit 0", "--limit"), ("list --limit many", "--limit"), ("list --database", "--database"),
      ("verify --all x", "--all"), ("verify --jobs 0", "--jobs"), ("verify --jobs 65", "--jobs"),
      ("prune --keep-daily=-1", "--keep"), ("prune --keep-last=x", "--keep-last"),
      ("prune --keep-yearly 1000001", "--keep"), ("show --repository", "--repository"),
      ("create --jobs 0", "--jobs"), ("create --jobs two", "--jobs"), ("--jobs 65", "--jobs"),
      ("create --compress zip", "--compress"), ("create --compress gzip:10", "--compress"),
      ("create --lock-timeout 5x", "--lock-timeout"), ("create --lock-timeout 0", "--lock-timeout"),
      ("create --label a/b", "--label"), ("create --table", "--table"), ("create words", "words"),
    ] {
      let result = try await test.project.tsdb("backup \(line)")
      result.expect(64, option, "Usage: tsdb backup ")
      #expect(result.standardOutput.isEmpty, "\(result)")
    }
    #expect(
      !FileManager.default.fileExists(atPath: test.project.directory.path(".tsdb")), "a server was made")
    let file = try test.project.directory.write("plain", "")
    for line in ["backup list", "backup verify", "backup prune --yes"] {
      try await test.project.tsdb(line + " --repository " + file).expect(64, "not a directory")
    }
  }

  @Test func `name the backups that a word could mean`() async throws {
    let test = try BackupProject()
    let old = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z", label: "before")
    let new = try SampleBackup.write(to: test.repository, time: "2026-11-02T00:00:00Z", label: "before")
    for command in ["show", "verify"] {
      try await test.project.tsdb("backup \(command) before").expect(
        64, "\"before\" is the label of 2 backups", "\(old), \(new).",
        "hint: name the one that is meant by its id")
      try await test.project.tsdb("backup \(command) 202611").expect(
        64, "\"202611\" is the beginning of 2 backups", "\(old), \(new).", "hint: write more of it")
    }
    #expect(try await test.project.done("backup show 20261102").contains(new))
  }

  @Test func `look after an empty repository`() async throws {
    let test = try BackupProject()
    let repository = test.repository.path.string
    #expect(try await test.project.done("backup list --repository \(repository)").hasPrefix("no backups in "))
    #expect(try await test.project.done("backup verify --all") == "no backups to verify\n")
    #expect(try await test.project.done("backup prune --yes").contains("nothing to remove"))
    for command in ["show", "verify", "verify latest"] {
      try await test.project.tsdb("backup \(command)").expect(
        64, "there is no complete backup", "tsdb backup list")
    }
  }

  @Test func `say so when the repository belongs to another user`() async throws {
    guard geteuid() == 0 else { return }
    let test = try BackupProject()
    try SampleBackup.write(to: test.repository)
    chmod(test.project.directory.path, 0o755)
    let run = try ToolRun(
      executable: "setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", try ToolRun.toolPath(), "backup", "list",
        "-C",
        test.project.directory.path,
      ], environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"])
    let result = try await run.finish()
    // The executable itself may lie where that user cannot read.
    if result.exitStatus == 126 || result.exitStatus == 127 { return }
    result.expect(1, "cannot open directory", "permission denied", "check its owner and permissions")
  }
}
