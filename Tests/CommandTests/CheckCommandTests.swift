import Foundation
import TestSupport
import Testing

/// `tsdb check` as monitoring systems call it.
@Suite struct `tsdb check` {
  @Test func `says OK in one line with performance data`() async throws {
    try await withProject { project, database in
      try await database.execute(
        "create table t (id bigint generated always as identity, constraint t_pkey primary key (id))")
      let result = try await project.tsdb("check --skip backups,jobs")
      #expect(result.exitStatus == 0, "\(result)")
      let lines = result.standardOutput.split(separator: "\n")
      #expect(lines.count == 1)
      #expect(lines.first?.hasPrefix("TSDB OK - 15 checks of \(database.name) | ") == true)
      try expectPlugin(result.standardOutput, "OK")
      #expect(result.standardError.isEmpty)
    }
  }

  @Test func `says what is wrong, one line each, with the remedy; the worst counts`() async throws {
    try await withProject { project, database in
      try await database.execute(
        """
        create table "a|b" (a int, b int); create index on "a|b" (a); create index on "a|b" (a);
        create sequence s; select setval('s', 1900000000);
        alter table "a|b" alter column a set default nextval('s')
        """)
      let warned = try await project.tsdb("check --skip backups,jobs")
      #expect(warned.exitStatus == 1, "\(warned)")
      try expectPlugin(warned.standardOutput, "WARNING")
      #expect(warned.standardOutput.contains("WARNING duplicate-indexes: index public.\"a¦b_a_idx1\" on "))
      #expect(warned.standardOutput.contains("-> drop index concurrently public.\"a¦b_a_idx1\";"))
      let critical = try await project.tsdb("check --skip backups,jobs --critical sequence-used=80")
      #expect(critical.exitStatus == 2)
      try expectPlugin(critical.standardOutput, "CRITICAL")
      #expect(critical.standardOutput.contains("sequence_used=88.48%;75;80"))
      let quiet = try await project.tsdb("check --quiet --skip backups,jobs")
      #expect(quiet.exitStatus == 1)
      #expect(quiet.standardOutput.split(separator: "\n").count == 1)
      let one = try await project.tsdb("check --only replication-slots,server")
      #expect(one.exitStatus == 0, "\(one)")
    }
  }

  @Test func `keeps a line end in a name from breaking its lines`() async throws {
    try await withProject { project, database in
      try await database.execute(
        "create table t (a int); create index \"x\ny|z='1'\" on t (a); create index on t (a)")
      let result = try await project.tsdb("check --only duplicate-indexes")
      #expect(result.exitStatus == 1)
      #expect(result.standardOutput.split(separator: "\n").count == 2)
      try expectPlugin(result.standardOutput, "WARNING")
    }
  }

  @Test func `tells a program all of it as JSON, with the same status`() async throws {
    try await withProject { project, database in
      try await database.execute(
        "create table t (a int); create index \"x|1\" on t (a); create index \"x|2\" on t (a)")
      let result = try await project.tsdb("check --json --only duplicate-indexes,plpgsql")
      #expect(result.exitStatus == 1)
      let document = try result.json()
      #expect(document["status"] as? String == "warning")
      #expect(document["database"] as? String == database.name)
      let findings = try #require(document["findings"] as? [[String: Any]])
      #expect(findings.map { $0["check"] as? String } == ["plpgsql", "duplicate-indexes"])
      let problems = try #require(findings.last?["problems"] as? [[String: Any]])
      #expect(problems.first?["remedy"] as? String == "drop index concurrently public.\"x|2\";")
    }
  }

  @Test func `is UNKNOWN for a role without rights, and fine after the GRANT that it names`() async throws {
    try await withProject { project, database in
      try await database.execute("create table t (a int generated always as identity)")
      let role = "\(database.name)_plain"
      try await database.execute("create role \(role) login")
      let there = ["DATABASE_URL": database.cluster.url(database: database.name, user: role)]
      let hidden = try await project.tsdb("check --only sequences,server", environment: there)
      #expect(hidden.exitStatus == 3, "\(hidden)")
      try expectPlugin(hidden.standardOutput, "UNKNOWN")
      let line = hidden.standardOutput.split(separator: "\n").last ?? ""
      let grant = try #require(line.firstRange(of: "-> ").map { String(line[$0.upperBound...]) })
      try await database.execute(grant)
      let seen = try await project.tsdb("check --only sequences,server", environment: there)
      #expect(seen.exitStatus == 0, "\(seen)")
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test(arguments: [
    ["check", "--bogus"], ["--bogus", "check"], ["check", "--only", "nothing"], ["check", "--only"],
    ["check", "--warning", "x=1"], ["check", "--critical", "backup-age=soon"], ["check", "extra"],
    ["check", "-C", "/nonexistent"], ["check", "--database-url", "postgresql://u:secret@@h/x"],
    ["check", "--only", "jobs", "--skip", "jobs"],
  ])
  func `is UNKNOWN for bad usage`(_ arguments: [String]) async throws {
    let project = try TestProject(nil)
    let result = try await project.tsdb(arguments)
    #expect(result.exitStatus == 3, "\(result)")
    try expectPlugin(result.standardOutput, "UNKNOWN")
    #expect(!(result.standardOutput + result.standardError).contains("secret"))
  }

  @Test func `is UNKNOWN for a bad configuration`() async throws {
    let project = try TestProject(nil, ["tsdb.yaml": "backup:\n  jobs: many\n"])
    let result = try await project.tsdb("check")
    #expect(result.exitStatus == 3, "\(result)")
    #expect(
      result.standardOutput.hasPrefix("TSDB UNKNOWN - tsdb.yaml:2:9: \"backup.jobs\" cannot take this value"))
    let asJSON = try await project.tsdb("check --json")
    #expect(asJSON.exitStatus == 3)
    #expect(try asJSON.json()["status"] as? String == "unknown")
  }

  @Test func `is CRITICAL where the server is away or has no such database`() async throws {
    let project = try TestProject(nil)
    let port = try PostgresCluster.freePort()
    let away = try await project.tsdb(
      "check", environment: ["DATABASE_URL": "postgresql://postgres@127.0.0.1:\(port)/app"])
    #expect(away.exitStatus == 2, "\(away)")
    try expectPlugin(away.standardOutput, "CRITICAL")
    #expect(away.standardOutput.contains("Connection refused"))
    let cluster = try await PostgresCluster.shared
    let missing = try await project.tsdb(
      "check", environment: ["DATABASE_URL": cluster.url(database: "no_such_database")])
    #expect(missing.exitStatus == 2, "\(missing)")
    let role = try await project.tsdb(
      "check", environment: ["DATABASE_URL": cluster.url(user: "nobody_here")])
    #expect(role.exitStatus == 3, "\(role)")
    try expectPlugin(role.standardOutput, "UNKNOWN")
  }

  @Test func `starts no private server`() async throws {
    let project = try TestProject(nil)
    let result = try await project.tsdb("check")
    #expect(result.exitStatus == 2, "\(result)")
    #expect(result.standardOutput.contains("the private server is not running"))
    #expect(!FileManager.default.fileExists(atPath: project.directory.path(".tsdb")))
  }

  @Test func `lists its checks without a server`() async throws {
    let project = try TestProject(nil)
    let text = try await project.done("check --list")
    for name in ["invalid-indexes", "backups", "drift", "backup-age: ", "warning 26h"] {
      #expect(text.contains(name))
    }
    let document = try await project.tsdb("check --list --json").json()
    #expect((document["checks"] as? [Any])?.count == 17)
    #expect(try await project.tsdb("check --help").exitStatus == 0)
  }

  @Test func `counts backups by their age, and asks for a proof`() async throws {
    try await withProject { project, database in
      try await database.execute("create table t (a int)")
      let none = try await project.tsdb("check --only backups")
      #expect(none.exitStatus == 2, "\(none)")
      #expect(none.standardOutput.hasPrefix("TSDB CRITICAL - there is no backup |"))
      try await project.done("backup create")
      let unproven = try await project.tsdb("check --only backups")
      #expect(unproven.exitStatus == 2, "\(unproven)")
      #expect(unproven.standardOutput.contains("no backup was ever proven to restore"))
      try await project.done("backup verify latest --restore")
      let proven = try await project.tsdb("check --only backups")
      #expect(proven.exitStatus == 0, "\(proven)")
      try await Task.sleep(for: .milliseconds(1100))
      let old = try await project.tsdb("check --only backups --warning backup-age=0")
      #expect(old.exitStatus == 1, "\(old)")
      try FileManager.default.removeItem(atPath: project.backupPath(project.backups()[0] + "/manifest.json"))
      let damaged = try await project.tsdb("check --only backups")
      #expect(damaged.exitStatus == 2, "\(damaged)")
    }
  }

  @Test func `compares the database with the migrations`() async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      let unmanaged = try await project.tsdb("check --only pending,drift")
      #expect(unmanaged.exitStatus == 3, "\(unmanaged)")
      #expect(unmanaged.standardOutput.contains("not managed"))
      try await project.done("migrate up")
      try await project.done("check --only pending,drift")
      try await database.execute("alter table a add column extra int")
      let drifted = try await project.tsdb("check --only pending,drift")
      #expect(drifted.exitStatus == 1, "\(drifted)")
      #expect(drifted.standardOutput.contains("WARNING drift: "))
      try project.write("b.sql", "create table b (i int);")
      let pending = try await project.tsdb("check --only pending")
      #expect(pending.exitStatus == 1)
      #expect(pending.standardOutput.contains("migration \"b\" is pending"))
      try project.write("a.sql", "create table a (i bigint);")
      let edited = try await project.tsdb("check --only pending")
      #expect(edited.exitStatus == 2, "\(edited)")
      // Files that cannot be read are no reason to be silent about the rest.
      try project.write("a.sql", bytes: [0xFF, 0xFE])
      #expect(try await project.tsdb("check --only pending,server").exitStatus == 3)
    }
  }

  @Test func `writes nothing`() async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      try await project.done("migrate up")
      _ = try await database.expectUnchanged { try await project.tsdb("check") }
    }
  }
}

/// Reads output as a monitoring system does: the first line's status and data; what stands behind a bar in later lines
/// would be data, so there is none.
private func expectPlugin(
  _ output: String, _ status: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
  let first = lines[0].split(separator: "|", omittingEmptySubsequences: false)
  #expect(first[0].hasPrefix("TSDB \(status) - "), sourceLocation: sourceLocation)
  #expect(first.count <= 2, sourceLocation: sourceLocation)
  let datum = /[^='|\s]+=(U|-?[0-9]+(\.[0-9]+)?(s|us|ms|%|B|c)?(;[-0-9.:~@]*){0,4})/
  for word in first.dropFirst().flatMap({ $0.split(separator: " ") }) {
    #expect(word.wholeMatch(of: datum) != nil, "\(word)", sourceLocation: sourceLocation)
  }
  #expect(!lines.dropFirst().contains { $0.contains("|") }, sourceLocation: sourceLocation)
}
