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

  @Test func `that was undone is not counted as verified`() async throws {
    try await withApplied { project, _ in
      try await project.done("migrate down --yes")
      #expect(
        try await project.done("migrate verify").contains(
          "verified: 0 verify scripts passed, 1 migration not applied, no drift"))
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

@Suite struct `A file that comes late in an order by names` {
  @Test func `is applied with a warning`() async throws {
    try await withProject([
      "tsdb.yaml": "migrate:\n  order: names\n", "001.sql": "create table a (i int);",
      "003.sql": "create table c (i int);",
    ]) { project, database in
      let first = try await project.tsdb("migrate up")
      #expect(first.exitStatus == 0 && !first.standardError.contains("warning"))
      try project.write("002.sql", "create table b (i int);")
      try project.write("004.sql", "create table d (i int);")
      let late = try await project.tsdb("migrate up")
      late.expect(0, "warning: \"002\" comes before files that are applied already")
      #expect(
        try await database.rows("select name from tsdb.migrations order by ordinal") == [
          ["001"], ["003"], ["002"], ["004"],
        ])
    }
  }
}
