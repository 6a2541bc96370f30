import Foundation
import TestSupport
import Testing

@Suite struct `Over nothing` {
  @Test func `status, verify, up, down and seed have nothing to do`() async throws {
    try await withProject { project, database in
      let lines: [(String, String)] = [
        ("migrate status", "no migrations; \"tsdb migrate new NAME\" writes the first\n"),
        ("migrate status --check", "no migrations; \"tsdb migrate new NAME\" writes the first\n"),
        ("migrate up", "nothing to do: 0 migrations applied to \"\(database.name)\"\n"),
        ("migrate up --dry-run", "nothing to do on \"\(database.name)\"\n"),
        ("migrate down --yes", "nothing to undo on \"\(database.name)\"\n"),
      ]
      for (line, output) in lines {
        let result = try await database.expectUnchanged { try await project.tsdb(line) }
        #expect(result.exitStatus == 0 && result.standardOutput == output, "\(line): \(result)")
      }
      try await database.expectUnchanged { try await project.tsdb("migrate verify") }.expect(0)
      try await database.expectUnchanged { try await project.tsdb("seed") }
        .expect(64, "the directory \"seeds\" cannot be read", "seed: directories")
    }
  }

  @Test func `status of files on an empty database shows them pending and writes nothing`() async throws {
    try await withProject(["a.sql": "select 1;", "b.sql": ""]) { project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("migrate status") }
      #expect(
        result.exitStatus == 0
          && result.standardOutput.contains("2 pending in \"\(database.name)\" (PostgreSQL "))
      try await project.tsdb("migrate status --check").expect(2)
    }
  }

  @Test(arguments: ["migrate up", "migrate status", "migrate down --yes", "seed"])
  func `in a directory that is no project, no private server is made`(_ line: String) async throws {
    let project = try TestProject(nil)
    try FileManager.default.removeItem(atPath: project.directory.path("migrations"))
    try await project.tsdb(line).expect(64, "the directory \"migrations\" cannot be read")
    #expect(try FileManager.default.contentsOfDirectory(atPath: project.directory.path).isEmpty)
  }

  @Test func `of ours, but a schema of somebody else's, is refused`() async throws {
    try await withProject(["a.sql": "select 1;"]) { project, database in
      try await database.execute("create schema tsdb; create table tsdb.migrations (id int)")
      for line in ["migrate up", "migrate status", "migrate verify", "migrate down --yes"] {
        let result = try await database.expectUnchanged { try await project.tsdb(line) }
        result.expect(1, "schema \"tsdb\" holds something else than a history", "history:\n", "schema: NAME")
      }
      try project.write("tsdb.yaml", "history:\n  schema: mine\n")
      try await project.done("migrate up")
    }
  }
}

@Suite struct `A new migration` {
  @Test func `is written with its down and verify files`() async throws {
    let project = try TestProject(nil, ["base one.sql": "select 1;"])
    let result = try await project.tsdb([
      "migrate", "new", "add_x.sql", "--requires", "base one", "--repeatable",
    ])
    #expect(result.exitStatus == 0)
    #expect(
      result.standardOutput
        == "migrations/add_x.sql\nmigrations/add_x.down.sql\nmigrations/add_x.verify.sql\n")
    #expect(
      try project.directory.read("migrations/add_x.sql").hasPrefix(
        "-- tsdb: requires \"base one\"\n-- tsdb: repeatable\n"))
    // The directory is made where there is none.
    let empty = try TestProject(nil)
    try FileManager.default.removeItem(atPath: empty.directory.path("migrations"))
    #expect(try await empty.done("migrate new first").contains("migrations/first.sql"))
  }

  @Test(arguments: [
    ("", "the name is empty"), ("a b", "a name is made of letters"), ("../a", "may not begin with a dot"),
    ("a/b", "a name is made of letters"), (".hidden", "may not begin with a dot"),
    ("x.down", "may not end in .down"),
    ("x.verify", "may not end in .down or .verify"), ("ñ", "a name is made of letters"),
    ("a;b", "a name is made of letters"),
    ("taken", "there is a migration \"taken\" already"), ("TAKEN", "there is a migration \"taken\" already"),
  ])
  func `is refused under a bad name`(name: String, text: String) async throws {
    let project = try TestProject(nil, ["taken.sql": "select 1;"])
    let result = try await project.tsdb(["migrate", "new", name])
    result.expect(64, text, "hint: ")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: project.directory.path("migrations")) == [
        "taken.sql"
      ])
  }

  @Test func `is refused when what it requires is unknown`() async throws {
    let project = try TestProject(nil, ["tickets.sql": "select 1;"])
    try await project.tsdb("migrate new b --requires ticket").expect(
      64, "there is no migration \"ticket\"", "did you mean \"tickets\"?")
    try await project.tsdb("migrate new").expect(64, "Missing expected argument '<name>'")
  }
}
