import Foundation
import TestSupport
import Testing

@Suite struct `An applied file` {
  static let original = "-- tsdb: version 1\ncreate table a (i int);\n"

  private func withApplied(_ body: (TestProject, TestDatabase) async throws -> Void) async throws {
    try await withProject([
      "a.sql": Self.original, "a.verify.sql": "select i from a;", "a.down.sql": "drop table a;",
    ]) { project, database in
      try await project.done("migrate up")
      try await body(project, database)
    }
  }

  @Test(arguments: [
    "-- tsdb: version 1\n-- a comment\ncreate  table a\n(\n  i int\n) ;\n",
    "-- tsdb: version 2\ncreate table a (i int);",
  ])
  func `that was edited in comments or layout only is cosmetic`(_ text: String) async throws {
    try await withApplied { project, database in
      try project.write("a.sql", text)
      let status = try await project.tsdb("migrate status --check")
      #expect(status.exitStatus == 0 && status.standardOutput.contains("cosmetic-edit  a"), "\(status)")
      let up = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      #expect(up.exitStatus == 0)
      #expect(up.standardOutput.contains("note: \"a\" was edited in comments or layout only"))
      #expect(up.standardOutput.contains("tsdb migrate accept a"))
      try await project.done("migrate verify")
      #expect(try await project.done("migrate accept a").contains("accepted \"a\""))
      #expect(try await project.done("migrate status --check").contains("applied  a"))
      #expect(try await project.done("migrate accept a").contains("nothing to accept"))
    }
  }

  @Test func `that was edited in substance stops the run until it is undone or accepted`() async throws {
    try await withApplied { project, database in
      try project.write("a.sql", "create table a (i bigint);\n")
      try project.write("b.sql", "create table b (i int);")
      for command in ["migrate up", "migrate up --dry-run", "migrate up --to b"] {
        let result = try await database.expectUnchanged { try await project.tsdb(command) }
        result.expect(
          1, "error: \"a\" was edited after it was applied", "migrations/a.sql was applied at 20",
          "Z by postgres",
          "Nothing was run.", "undo the edit", "tsdb migrate accept a")
      }
      let status = try await project.tsdb("migrate status --check")
      #expect(status.exitStatus == 2 && status.standardOutput.contains("edited   a"), "\(status)")
      #expect(try await project.done("migrate status").contains("1 pending, 1 edited"))
      let verify = try await project.tsdb("migrate verify")
      #expect(
        verify.exitStatus == 2 && verify.standardOutput.contains("edited a (its verify script passed)"),
        "\(verify)")
      #expect(verify.standardOutput.contains("not verified"))
      // Undoing the edit is enough …
      try project.write("a.sql", Self.original)
      try await project.tsdb("migrate up --dry-run").expect(0)
      // … and so is accepting it, which is logged.
      try project.write("a.sql", "create table a (i bigint);\n")
      _ = try await project.tsdb(["migrate", "accept", "a.sql", "--reason", "it's \"fine\""])
      #expect(
        try await database.rows(
          "select action, name, reason, actor from tsdb.migration_log order by id desc limit 1")
          == [["accepted", "a", "it's \"fine\"", "postgres"]])
      try await project.done("migrate up")
      try await project.done("migrate status --check")
    }
  }

  @Test func `that was edited so that it cannot be read is edited in substance`() async throws {
    try await withApplied { project, database in
      try project.write("a.sql", "create table a (i int); select 'open")
      try await database.expectUnchanged { try await project.tsdb("migrate up") }
        .expect(1, "\"a\" was edited after it was applied")
      try await database.expectUnchanged { try await project.tsdb("migrate accept a") }
        .expect(64, "unterminated quoted string", "a.sql:1:32")
    }
  }

  @Test func `that is missing stops the run until it is back or forgotten`() async throws {
    try await withApplied { project, database in
      for name in ["a.sql", "a.verify.sql", "a.down.sql"] { try project.remove(name) }
      try project.write("b.sql", "create table b (i int);")
      try await database.expectUnchanged { try await project.tsdb("migrate up") }.expect(
        1, "error: \"a\" was applied, but its file is missing", "by postgres. Nothing was run.",
        "bring a.sql back",
        "tsdb migrate accept a --missing")
      let status = try await project.tsdb("migrate status --check")
      #expect(status.exitStatus == 2 && status.standardOutput.contains("missing  a"))
      try await project.tsdb("migrate verify").expect(2)
      try await project.tsdb("migrate down --all --yes")
        .expect(1, "\"a\" cannot be undone: its file is missing", "bring a.sql and a.down.sql back")
      try await project.tsdb("migrate accept a").expect(
        64, "the file of \"a\" is missing", "accept a --missing")
      try await project.tsdb("migrate accept b --missing").expect(64, "\"b\" is not missing")
      try await project.tsdb("migrate accept b").expect(64, "\"b\" is not applied", "tsdb migrate up")
      #expect(try await project.done("migrate accept a --missing").contains("accepted \"a\""))
      try await project.done("migrate up")
      #expect(try await database.value("select to_regclass('a')") == "a")
    }
  }

  @Test func `whose history was written by a newer tsdb is left alone`() async throws {
    try await withApplied { project, database in
      try await database.execute("update tsdb.meta set value = '99' where key = 'history_version'")
      for command in [
        "migrate up", "migrate status", "migrate verify", "migrate down --yes", "migrate accept a",
      ] {
        let result = try await database.expectUnchanged { try await project.tsdb(command) }
        result.expect(
          1, "the history in schema \"tsdb\" was written by a newer tsdb",
          "It has version 99; this build knows version 1.",
          "use the newer tsdb")
      }
    }
  }

  @Test func `whose verify script fails is a finding with its place`() async throws {
    try await withApplied { project, database in
      try project.write("a.verify.sql", "select i from a;\nselect j from a;\n")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate verify") }
      #expect(result.exitStatus == 2)
      for text in [
        "failed a", "column \"j\" does not exist", "--> migrations/a.verify.sql:2:8",
        "   | select j from a;\n   |        ^",
      ] {
        #expect(result.standardOutput.contains(text), "\(result)")
      }
      try project.write("a.verify.sql", "insert into a values (1);")
      let writing = try await database.expectUnchanged { try await project.tsdb("migrate verify") }
      #expect(writing.exitStatus == 2)
      #expect(writing.standardOutput.contains("cannot execute INSERT in a read-only transaction"))
      try project.remove("a.verify.sql")
      #expect(try await project.done("migrate verify").contains("no-script a"))
      try await project.tsdb("migrate verify --name b").expect(
        64, "there is no migration \"b\"", "did you mean \"a\"?")
      try await project.done("migrate verify --name a.sql")
    }
  }
}

@Suite struct `A repeatable file` {
  @Test func `runs again when it changed, and not otherwise`() async throws {
    try await withProject([
      "a.sql": "create table a (i int);",
      "v.sql": "-- tsdb: requires a\n-- tsdb: repeatable\ncreate or replace view v as select i from a;",
      "w.sql": "-- tsdb: requires v\ncreate view w as select * from v;",
    ]) { project, database in
      try await project.done("migrate up")
      #expect(try await project.done("migrate up").contains("nothing to do"))
      let text = try project.directory.read("migrations/v.sql")
      try project.write("v.sql", "-- comment\n" + text)
      #expect(try await project.done("migrate status").contains("cosmetic-edit  v"))
      #expect(try await project.done("migrate up").contains("nothing to do"))
      try project.write("v.sql", text.replacingOccurrences(of: "select i", with: "select i, 1 as one"))
      #expect(try await project.done("migrate status").contains("changed-repeatable  v"))
      try await project.tsdb("migrate status --check").expect(2)
      let result = try await project.tsdb("migrate up")
      result.expect(0, "ok v")
      #expect(!result.standardError.contains("ok a") && !result.standardError.contains("ok w"))
      #expect(
        try await database.value(
          "select count(*) from pg_attribute where attrelid = 'v'::regclass and attnum > 0") == "2")
      #expect(
        try await database.rows("select action, name from tsdb.migration_log order by id desc limit 1") == [
          ["reapplied", "v"]
        ])
      #expect(try await project.done("migrate up").contains("nothing to do"))
      // It was applied last now, but what requires it stays.
      try project.write("v.down.sql", "drop view v;")
      let down = try await database.expectUnchanged { try await project.tsdb("migrate down --yes") }
      down.expect(
        64, "\"v\" cannot be undone: \"w\" requires it and stays applied", "undo \"w\" as well",
        "Nothing was undone.")
    }
  }

  @Test func `that fails the second time keeps the first`() async throws {
    try await withProject(["v.sql": "-- tsdb: repeatable\ncreate or replace view v as select 1 as a;"]) {
      project, database in
      try await project.done("migrate up")
      try project.write("v.sql", "-- tsdb: repeatable\ncreate or replace view v as select 1 as b;")
      try await database.expectUnchanged { try await project.tsdb("migrate up") }
        .expect(1, "cannot change name of view column", "v.sql:2:1", "\"v\" was rolled back")
      #expect(try await project.done("migrate status").contains("changed-repeatable  v"))
    }
  }
}

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

@Suite struct `Applying up to a name` {
  @Test func `stops there, in the order of dependency`() async throws {
    try await withProject([
      "a.sql": "-- tsdb: requires c\nselect 1;", "b.sql": "select 1;", "c.sql": "select 1;",
      "d.sql": "select 1;",
    ]) { project, database in
      try await project.tsdb("migrate up --to e").expect(
        64, "there is no migration \"e\"", "hint: did you mean")
      try await project.tsdb("migrate up --to something_else_entirely").expect(
        64, "run \"tsdb migrate status\" to see the names")
      try await project.done("migrate up --to a.sql")
      #expect(
        try await database.rows("select name from tsdb.migrations order by ordinal") == [["b"], ["c"], ["a"]])
      #expect(try await project.done("migrate up --to b").contains("nothing to do"))
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "4")
    }
  }

  @Test func `says the same in a dry run`() async throws {
    try await withProject(["a.sql": "select 1;\nselect 2;", "b.sql": "select 1;"]) { project, database in
      let result = try await database.expectUnchanged {
        try await project.tsdb("migrate up --to a --dry-run")
      }
      #expect(
        result.standardOutput == """
          a (2 statements, one transaction)
            line 1: select
            line 2: select
          would apply 1 migration to "\(database.name)"; nothing was changed

          """)
    }
  }
}

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
