import Foundation
import TestSupport
import Testing

@Suite struct `Undoing` {
  private func withThree(_ body: (TestProject, TestDatabase) async throws -> Void) async throws {
    try await withProject([
      "a.sql": "create table a (i int);", "a.down.sql": "drop table a;",
      "b.sql": "-- tsdb: requires a\ncreate view b as select * from a;", "b.down.sql": "drop view b;",
      "c.sql": "create table c (i int);",
    ]) { project, database in
      try await project.done("migrate up")
      try await body(project, database)
    }
  }

  @Test func `asks on a terminal and is refused without --yes elsewhere`() async throws {
    try await withThree { project, database in
      try project.write("c.down.sql", "drop table c;")
      let result = try await database.expectUnchanged {
        try await project.tsdb("migrate down", input: "yes\n")
      }
      result.expect(
        64, "undoing c on \"\(database.name)\" needs to be confirmed", "Nothing was undone.", "pass --yes",
        "--dry-run")
      let dryRun = try await database.expectUnchanged {
        try await project.tsdb("migrate down --dry-run --steps 2")
      }
      #expect(
        dryRun.exitStatus == 0 && dryRun.standardOutput.hasPrefix("c\nb\nwould undo 2 migrations"),
        "\(dryRun)")
    }
  }

  @Test(arguments: [("yes", Int32(0)), ("y", 130), ("no", 130), ("", 130)])
  func `goes ahead on a terminal after a "yes" only`(answer: String, status: Int32) async throws {
    try await withThree { project, database in
      try project.write("c.down.sql", "drop table c;")
      let result = try await ToolRun(
        executable: "/usr/bin/script", ["-qec", "\(try ToolRun.toolPath()) migrate down", "/dev/null"],
        environment: project.environment(["PATH": "/usr/bin:/bin", "NO_COLOR": "1", "TERM": "xterm"]),
        directory: project.directory.path, input: answer + "\n"
      ).finish()
      #expect(result.exitStatus == status, "\(result)")
      #expect(
        result.standardOutput.contains(
          "This undoes c on \"\(database.name)\", with the data in what it drops. Type \"yes\""))
      #expect(
        result.standardOutput.contains(status == 0 ? "undid 1 migration" : "error: not confirmed"),
        "\(result)")
      #expect(try await database.value("select to_regclass('c')") == (status == 0 ? nil : "c"))
    }
  }

  @Test func `without a down file is refused before anything is undone`() async throws {
    try await withThree { project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("migrate down --all --yes") }
      result.expect(64, "\"c\" cannot be undone: there is no c.down.sql", "write it beside migrations/c.sql")
    }
  }

  @Test func `goes newest first, by steps, to a name, and all`() async throws {
    try await withThree { project, database in
      try project.write("c.down.sql", "drop table c;")
      #expect(
        try await project.done("migrate down --yes").contains("undid 1 migration on \"\(database.name)\": c"))
      #expect(try await project.done("migrate down --to a.sql --yes").contains(": b"))
      #expect(try await project.done("migrate down --to a --yes").contains("nothing to undo"))
      try await project.tsdb("migrate down --to b --yes").expect(
        64, "\"b\" is not applied, so there is nothing to go back to")
      try await project.tsdb("migrate down --to aa --yes").expect(
        64, "there is no migration \"aa\"", "did you mean \"a\"?")
      #expect(try await project.done("migrate down --all --yes").contains(": a"))
      #expect(try await project.done("migrate down --all --yes").contains("nothing to undo"))
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "3")
    }
  }

  @Test func `that fails is rolled back and says what was undone before`() async throws {
    try await withThree { project, database in
      try project.write("c.down.sql", "drop table c;")
      try project.write("b.down.sql", "drop view b;\ndrop table nosuch;")
      let result = try await project.tsdb("migrate down --steps 2 --yes")
      result.expect(
        1, "table \"nosuch\" does not exist", "b.down.sql:2:1", "\"b\" stays applied.",
        "Undone in this run: \"c\".")
      #expect(try await database.rows("select name from tsdb.migrations order by 1") == [["a"], ["b"]])
      #expect(try await database.value("select to_regclass('b')") == "b")
      // A script that cannot be read is refused before the first is run.
      try project.write("a.down.sql", "drop table a")
      try project.write("b.down.sql", "drop view b; select 'x")
      try await database.expectUnchanged { try await project.tsdb("migrate down --steps 2 --yes") }
        .expect(64, "unterminated quoted string", "b.down.sql:1:21")
    }
  }

  @Test(arguments: [
    ("migrate down --steps 0", "--steps takes a number from 1"), ("migrate down --steps x", "invalid"),
    ("migrate down --steps 1 --all", "exclude one another"),
    ("migrate down --to a --all", "exclude one another"),
  ])
  func `with options that make no sense is bad usage`(line: String, text: String) async throws {
    let result = try await TestProject(nil).tsdb(line, environment: ["PGHOST": "/nonexistent"])
    #expect(result.exitStatus == 64 && result.standardError.contains(text), "\(result)")
  }
}
