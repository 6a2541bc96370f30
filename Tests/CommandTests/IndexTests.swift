import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `An index built concurrently` {
  static let build =
    "-- tsdb: requires a\n-- tsdb: transaction off\ncreate unique index concurrently t_i on t (i);\n"

  /// Leaves an invalid index `t_i`, as an interrupted or failed build does.
  private func leaveInvalidIndex(_ database: TestDatabase) async throws {
    try await database.execute("insert into t values (1), (1)")
    try? await database.execute("create unique index concurrently t_i on t (i)")
    #expect(
      try await database.value("select indisvalid from pg_index where indexrelid = 't_i'::regclass") == "f")
    try await database.execute("truncate t")
  }

  @Test func `and left invalid by somebody else is refused by a plain IF NOT EXISTS`() async throws {
    try await withProject(["a.sql": "create table t (i int);"]) { project, database in
      try await project.done("migrate up")
      try await leaveInvalidIndex(database)
      try project.write("b.sql", "-- tsdb: requires a\ncreate unique index if not exists t_i on t (i);")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(
        1, "index public.t_i exists but is invalid", "b.sql:2:1", "run: drop index concurrently public.t_i;")
      try await database.execute("drop index concurrently public.t_i")
      try await project.done("migrate up")
    }
  }

  @Test(arguments: [
    "create unique index concurrently t_i on t (i);", "create index concurrently if not exists t_i on t (i);",
  ])
  func `and left invalid by somebody else is refused concurrently`(_ statement: String) async throws {
    try await withProject(["a.sql": "create table t (i int);"]) { project, database in
      try await project.done("migrate up")
      try await leaveInvalidIndex(database)
      try project.write("b.sql", "-- tsdb: requires a\n-- tsdb: transaction off\n" + statement)
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(
        1, "index public.t_i exists but is invalid", "b.sql:3:1", "drop index concurrently public.t_i")
      try await database.execute("drop index concurrently public.t_i")
      try await project.done("migrate up")
      try await project.done("migrate status --check")
    }
  }

  @Test func `by somebody else at the moment is waited for, and not killed`() async throws {
    try await withProject(["a.sql": "create table t (i int);"]) { project, database in
      try await project.done("migrate up")
      let writer = database.connect()
      try await writer.run { _ = try $0.execute("begin; insert into t values (1)") }
      let builder = database.connect()
      let build = Task {
        try await builder.run { _ = try $0.execute("create index concurrently t_i on t (i)") }
      }
      while try await database.value(
        "select count(*) from pg_stat_progress_create_index where relid = 't'::regclass")
        != "1"
      { try await Task.sleep(for: .milliseconds(20)) }
      try project.write(
        "b.sql",
        "-- tsdb: requires a\n-- tsdb: transaction off\ncreate index concurrently if not exists t_i on t (i);"
      )
      try await project.tsdb("migrate up --wait 1s").expect(
        75, "index public.t_i is still being built by process")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "1")
      try await writer.run { _ = try $0.execute("commit") }
      try await build.value
      try await project.done("migrate up")
      #expect(
        try await database.value("select indisvalid from pg_index where indexrelid = 't_i'::regclass") == "t")
    }
  }

  @Test func `that fails on duplicates is cleaned up, and finishes when the data is mended`() async throws {
    try await withProject(["a.sql": "create table t (i int);"]) { project, database in
      try await project.done("migrate up")
      try await database.execute("insert into t values (7), (7)")
      try project.write("b.sql", Self.build)
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(
        1, "could not create unique index \"t_i\"", "b.sql:3:1", "sqlstate: 23505",
        "Key (i)=(7) is duplicated.",
        "Nothing of \"b\" was applied.", "dropped the invalid index public.t_i")
      #expect(try await database.value("select to_regclass('t_i')") == nil)
      #expect(try await project.done("migrate status").contains("pending  b"))
      try await database.execute("delete from t where ctid = '(0,1)'")
      try await project.done("migrate up")
      #expect(
        try await database.value("select indisvalid from pg_index where indexrelid = 't_i'::regclass") == "t")
    }
  }

  @Test func `that fails after other statements says what is kept, and continues there`() async throws {
    try await withProject(["a.sql": "create table t (i int);"]) { project, database in
      try await project.done("migrate up")
      try await database.execute("insert into t values (7), (7)")
      try project.write(
        "b.sql",
        "-- tsdb: requires a\n-- tsdb: transaction off\nalter table t add j int;\n"
          + "create unique index concurrently t_i on t (i);\nalter table t add k int;\n")
      try await project.tsdb("migrate up").expect(
        1, "could not create unique index", "b.sql:4:1",
        "1 of 3 statements of \"b\" are applied and recorded; the next run continues after them.")
      try await project.tsdb("migrate status --check").expect(2)
      #expect(try await project.done("migrate status").contains("interrupted  b"))
      // What ran already must stay as it was written.
      let text = try project.directory.read("migrations/b.sql")
      try project.write("b.sql", text.replacingOccurrences(of: "add j int", with: "add j bigint"))
      try await database.expectUnchanged { try await project.tsdb("migrate up") }
        .expect(1, "\"b\" was edited while it is half applied", "b.sql:3:1", "undo the edit")
      try project.write("b.sql", text)
      try await database.execute("delete from t where ctid = '(0,1)'")
      try await project.done("migrate up")
      #expect(
        try await database.value(
          "select count(*) from pg_attribute where attrelid = 't'::regclass and attnum > 0") == "3")
      try await project.done("migrate status --check")
    }
  }

  @Test func `cannot be undone concurrently`() async throws {
    try await withProject([
      "a.sql": "create table t (i int);", "a.down.sql": "drop table t;", "b.sql": Self.build,
      "b.down.sql": "-- tsdb: transaction off\ndrop index concurrently t_i;",
    ]) { project, database in
      try await project.done("migrate up")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate down --yes") }
      result.expect(64, "a down script cannot be \"transaction off\"", "b.down.sql:1:1", "Nothing was undone")
    }
  }
}
