import Foundation
import TestSupport
import Testing

@Suite struct `Files that are accepted` {
  static let text =
    "-- tsdb: version 1.0.0\r\ncreate table t (i int);\r\ncomment on table t is 'uno\r\ndos';\r\n"

  @Test func `with a byte order mark, and with any line ends, have one checksum`() async throws {
    let unix = Self.text.replacingOccurrences(of: "\r\n", with: "\n")
    try await withProject(["a.sql": unix]) { project, database in
      try await project.done("migrate up")
      let checksum = try await database.value("select checksum from tsdb.migrations")
      #expect(checksum?.hasPrefix("sha256-lf-v1:") == true)
      #expect(try await database.value("select obj_description('t'::regclass)") == "uno\ndos")
      let variants = [
        Array(Self.text.utf8), [0xEF, 0xBB, 0xBF] + Array(unix.utf8),
        Array(unix.replacingOccurrences(of: "\n", with: "\r").utf8),
      ]
      for bytes in variants {
        try project.write("a.sql", bytes: bytes)
        #expect(try await project.done("migrate up").contains("nothing to do: 1 migration applied"))
        try await project.done("migrate status --check")
      }
      // And on another database each variant leaves the same.
      for bytes in variants {
        try await withProject { other, otherDatabase in
          try other.write("a.sql", bytes: bytes)
          try await other.done("migrate up")
          #expect(try await otherDatabase.value("select checksum from tsdb.migrations") == checksum)
          #expect(try await otherDatabase.value("select obj_description('t'::regclass)") == "uno\ndos")
        }
      }
    }
  }

  @Test func `with one outer BEGIN and COMMIT, which is absorbed with a notice`() async throws {
    try await withProject(["a.sql": "-- psql -f\nbegin;\ncreate table t (i int);\ncommit;\n"]) {
      project, database in
      let result = try await project.tsdb("migrate up")
      result.expect(0, "notice: the outer BEGIN and COMMIT are absorbed", "migrations/a.sql:1:1")
      #expect(try await database.value("select statement_count from tsdb.migrations") == "1")
      #expect(try await database.value("select to_regclass('t')") == "t")
    }
  }

  @Test func `with an outer transaction that fails are rolled back whole`() async throws {
    try await withProject(["a.sql": "begin;\ncreate table t (i int);\nselect nosuch;\ncommit;\n"]) {
      project, database in
      try await project.tsdb("migrate up").expect(1, "column \"nosuch\" does not exist", "a.sql:3:8")
      #expect(try await database.value("select to_regclass('t')") == nil)
    }
  }

  @Test(arguments: [
    "with space", "it's \"quoted\"", "año_ñandú", "日本語", "100%", "semi;colon", "$dollar$", "back\\slash",
    "v1.2.3",
  ])
  func `under odd names`(_ name: String) async throws {
    try await withProject { project, database in
      try project.write("\(name).sql", "create table t (i int);")
      try project.write("\(name).down.sql", "drop table t;")
      try project.write("\(name).verify.sql", "select i from t;")
      try project.write(
        "zz.sql",
        "-- tsdb: requires \"\(name.replacingOccurrences(of: "\"", with: "\"\""))\"\nalter table t add j int;"
      )
      try await project.done("migrate up")
      #expect(try await database.value("select name from tsdb.migrations order by ordinal") == name)
      #expect(try await project.done("migrate status --check").contains("applied  \(name)"))
      #expect(try await project.done("migrate verify").contains("ok \(name)"))
      try project.write("zz.down.sql", "alter table t drop j;")
      try await project.done("migrate down --all --yes")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "0")
      let again = try await project.tsdb(["migrate", "up", "--to", name + ".sql"])
      again.expect(0, "ok \(name)")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "1")
    }
  }

  @Test func `in subdirectories, also with dots in their names`() async throws {
    try await withProject([
      "migrations/1.0/a.sql": "create table a (i int);",
      "migrations/2.0/sub/b.sql": "create table b (i int);",
      "migrations/.hidden/c.sql": "nonsense",
    ]) { project, database in
      try await project.done("migrate up")
      #expect(try await database.rows("select name from tsdb.migrations order by 1") == [["a"], ["b"]])
    }
  }

  @Test func `behind a licence in a block comment keep their directives`() async throws {
    try await withProject([
      "a.sql": "/* Licence\n * -- tsdb: nonsense\n */\n\n-- tsdb: requires b\n-- tsdb: version 3\nselect 1;",
      "b.sql": "select 1;",
    ]) { project, database in
      try await project.done("migrate up")
      #expect(try await database.rows("select name from tsdb.migrations order by ordinal") == [["b"], ["a"]])
      #expect(try await database.value("select version from tsdb.migrations where name = 'a'") == "3")
    }
  }

  @Test func `in a LATIN1 database, as far as its characters go`() async throws {
    try await withProject(
      ["a.sql": "create table año (descripción text);\ninsert into año values ('ñandú');"],
      options: "encoding 'LATIN1' locale 'C'"
    ) { project, database in
      try await project.done("migrate up")
      #expect(try await database.value("select descripción from año") == "ñandú")
      #expect(try await project.done("migrate status").contains("applied  a"))
      try project.write(
        "b.sql", "-- tsdb: requires a\ninsert into año values ('ok');\ninsert into año values ('日本');")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(1, "no equivalent in encoding \"LATIN1\"", "sqlstate: 22P05", "b.sql:3:")
    }
  }

  @Test func `with a history in a schema whose name needs quotes`() async throws {
    try await withProject([
      "tsdb.yaml": "history:\n  schema: \"we ird\"\n", "a.sql": "create table t (i int);",
      "a.down.sql": "drop table t;",
      "c.sql": "-- tsdb: transaction off\ncreate index concurrently t_i on t (i);",
      "c.down.sql": "drop index t_i;",
      "seeds/s.sql": "insert into t values (1) on conflict do nothing;",
    ]) { project, database in
      try project.write(
        "c.sql", "-- tsdb: requires a\n-- tsdb: transaction off\ncreate index concurrently t_i on t (i);")
      try await project.done("migrate up")
      try await project.done("seed")
      #expect(try await database.value("select count(*) from \"we ird\".migrations") == "2")
      #expect(try await database.value("select to_regnamespace('tsdb')") == nil)
      try await project.done("migrate status --check")
      try await project.done("migrate verify")
      try project.write("a.sql", "create table t (i bigint);")
      try await project.tsdb("migrate up").expect(1, "was edited after it was applied")
      try await project.done("migrate accept a")
      try await project.done("migrate down --all --yes")
      #expect(try await database.value("select count(*) from \"we ird\".migrations") == "0")
    }
  }

  @Test func `with syntax newer than the parser are for the server to decide`() async throws {
    let text = """
      create table t (id int primary key, a int, b int generated always as (a * 2) virtual);
      insert into t values (1, 2);
      merge into t using (values (1, 3)) v (id, a) on t.id = v.id when matched then update set a = v.a
        when not matched by source then delete;
      """
    try await withProject(["a.sql": text]) { project, database in
      #expect(try await project.done("migrate up --dry-run").contains("not analysed: 2 statements"))
      // Both came with PostgreSQL 17 and 18.
      guard try await database.value("select current_setting('server_version_num')::int >= 180000") == "t"
      else {
        try await project.tsdb("migrate up").expect(
          1, "syntax error at or near", "a.sql:1:", "sqlstate: 42601")
        return
      }
      try await project.done("migrate up")
      #expect(try await database.value("select b from t") == "6")
      try await project.done("migrate status --check")
      try await project.done("migrate verify")
    }
  }

  @Test func `with syntax newer than the server are refused by the server, at the place`() async throws {
    try await withProject(["a.sql": "create table t (id int);\nselect nonsense from where;\n"]) {
      project, database in
      try await database.expectUnchanged { try await project.tsdb("migrate up --dry-run") }
        .expect(0)
      try await project.tsdb("migrate up").expect(
        1, "syntax error at or near \"where\"", "a.sql:2:22", "sqlstate: 42601")
      #expect(try await database.value("select to_regclass('t')") == nil)
    }
  }
}
