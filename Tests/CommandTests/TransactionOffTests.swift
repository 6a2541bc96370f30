import Foundation
import TestSupport
import Testing

@Suite struct `A transaction off file` {
  static let directive = "-- tsdb: transaction off\n"

  @Test func `that is half applied cannot go on as one transaction, which would apply that half twice`()
    async throws
  {
    let done = "create table if not exists a (i int);\ninsert into a values (1);\n"
    try await withProject(["a.sql": Self.directive + done + "select nosuch;"]) { project, database in
      try await project.tsdb("migrate up").expect(1, "2 of 3 statements of \"a\" are applied and recorded")
      try project.write("a.sql", done)
      for command in ["migrate up", "migrate up --dry-run"] {
        let result = try await database.expectUnchanged { try await project.tsdb(command) }
        result.expect(
          1, "\"a\" is half applied, and is not \"transaction off\" any more", "Nothing was run.",
          "put \"-- tsdb: transaction off\" back at the top of migrations/a.sql")
      }
      try project.write("a.sql", Self.directive + done)
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from a") == "1")
    }
  }

  @Test func `continues with the settings that a query made`() async throws {
    let first = "create schema s;\nselect pg_catalog.set_config('search_path', 's', false);\n"
    try await withProject([
      "a.sql": Self.directive + first
        + "create table t (i int);\ncreate index concurrently t_i on t (nosuch);"
    ]) { project, database in
      try await project.tsdb("migrate up").expect(1, "column \"nosuch\" does not exist")
      try project.write(
        "a.sql",
        Self.directive + first
          + "create table t (i int);\ncreate index concurrently t_i on t (i);\ncreate table u (i int);")
      try await project.done("migrate up")
      #expect(
        try await database.rows(
          "select relname from pg_class where relnamespace = 's'::regnamespace order by 1") == [
            ["t"], ["t_i"], ["u"],
          ])
    }
  }

  @Test(arguments: [
    ("create temp table t (i int)", "CREATE TABLE", "what is temporary ends with the session"),
    ("select 1 as i into temp t", "SELECT INTO", "what is temporary"),
    ("create temporary view v as select 1", "CREATE VIEW", "what is temporary"),
    ("prepare p as select 1", "PREPARE", "a prepared statement ends with the session"),
    ("declare c cursor with hold for select 1", "DECLARE CURSOR", "a cursor ends with the session"),
    ("discard all", "DISCARD ALL", "it would give up the lock"),
  ])
  func `with what another session could not continue is refused`(_ text: String, _ tag: String, _ why: String)
    async throws
  {
    try await withProject(["a.sql": Self.directive + "select 1;\n" + text + ";"]) { project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(64, "\(tag) is not allowed in a \"transaction off\" file: \(why)", "a.sql:3:1")
    }
  }

  @Test func `keeps its journal as the role that connected, whatever role it sets`() async throws {
    try await withProject { project, database in
      let role = "limited_\(database.name)"
      try await database.execute("create role \(role); create schema s authorization \(role)")
      try project.write(
        "a.sql",
        Self.directive
          + "set role \(role);\ncreate table s.t (i int);\ncreate index concurrently t_i on s.t (i);\n"
          + "create table s.u (i int);")
      try await project.done("migrate up")
      #expect(
        try await database.rows(
          "select relname, relowner::regrole from pg_class where relnamespace = 's'::regnamespace order by 1")
          == [["t", role], ["t_i", role], ["u", role]])
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func `that is repeatable and fails at its first statement stays applied as it was`() async throws {
    let head = Self.directive + "-- tsdb: repeatable\n"
    try await withProject(["a.sql": head + "create or replace view a as select 1 as i;"]) {
      project, database in
      try await project.done("migrate up")
      try project.write("a.sql", head + "create or replace view a as select nosuch;")
      // The journal of the run before is gone; its row and what it made are as they were.
      let row = try await database.rows("select * from tsdb.migrations")
      let result = try await project.tsdb("migrate up")
      result.expect(1, "column \"nosuch\" does not exist", "Nothing of \"a\" was applied.")
      #expect(try await database.rows("select * from tsdb.migrations") == row)
      #expect(try await database.rows("select i from a") == [["1"]])
      #expect(try await project.done("migrate status").contains("changed-repeatable  a"))
      try project.write("a.sql", head + "create or replace view a as select 1 as i, 2 as j;")
      try await project.done("migrate up")
      try await project.done("migrate verify")
      #expect(try await database.rows("select state from tsdb.migrations") == [["applied"]])
    }
  }

  @Test func `whose tablespace was made before the outcome was written goes on behind it`() async throws {
    try await withProject { project, database in
      let name = "space_\(database.name)"
      let path = "\(database.cluster.directory)/\(name)"
      try await database.execute("copy (select 1) to program 'cat > /dev/null; mkdir \(path)'")
      let creation = Self.directive + "create tablespace \(name) location '\(path)';\n"
      try project.write("a.sql", creation + "create table t (a nosuch);")
      try await project.tsdb("migrate up").expect(1, "type \"nosuch\" does not exist", "1 of 2 statements")
      // As a kill between the statement's work and its outcome leaves the journal.
      try await database.execute("update tsdb.statements set state = 'started', finished_at = null")
      try project.write("a.sql", creation + "create table t (a int);")
      let result = try await project.tsdb("migrate up")
      result.expect(0, "the tablespace is there")
      #expect(try await database.rows("select state from tsdb.migrations") == [["applied"]])
      try await database.execute("drop tablespace \(name)")
    }
  }
}
