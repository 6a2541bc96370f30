import Foundation
import TestSupport
import Testing

@Suite struct `Seeds` {
  static let table = "create table settings (key text primary key, value text, at timestamptz default now());"
  static let rows =
    "insert into settings (key, value) values ('a', '1'), ('b', '2') on conflict (key) do nothing;\n"

  private func withSeeds(_ body: (TestProject, TestDatabase) async throws -> Void) async throws {
    try await withProject([
      "s.sql": Self.table, "s.down.sql": "drop table settings;", "seeds/s.sql": Self.rows,
    ]) { project, database in
      try await project.done("migrate up")
      try await body(project, database)
    }
  }

  @Test func `are inserted once, and never touch what an operator changed or deleted`() async throws {
    try await withSeeds { project, database in
      #expect(try await project.done("seed") == "seeded s: 2 rows\n")
      try await database.execute(
        "update settings set value = 'mine' where key = 'a'; delete from settings where key = 'b'")
      #expect(try await database.expectUnchanged { try await project.done("seed") } == "unchanged s\n")
      #expect(try await database.rows("select key, value from settings") == [["a", "mine"]])
      #expect(try await project.done("seed --force") == "seeded s: 1 row\n")
      #expect(
        try await database.rows("select key, value from settings order by 1") == [
          ["a", "mine"], ["b", "2"],
        ])
    }
  }

  @Test func `run again when the file changed, without overwriting`() async throws {
    try await withSeeds { project, database in
      try await project.done("seed")
      try await database.execute("update settings set value = 'mine'")
      try project.write(
        "seeds/s.sql", Self.rows.replacingOccurrences(of: "('b', '2')", with: "('b', '22'), ('c', '3')"))
      #expect(try await project.done("seed") == "seeded s: 1 row\n")
      #expect(
        try await database.rows("select key, value from settings order by 1") == [
          ["a", "mine"], ["b", "mine"], ["c", "3"],
        ])
    }
  }

  @Test func `run again after their tables were undone and applied`() async throws {
    try await withSeeds { project, database in
      try await project.done("seed")
      try await project.done("migrate down --yes")
      try await project.tsdb("seed").expect(
        1, "relation \"settings\" does not exist", "seeds/s.sql:1:13", "\"s\" was rolled back")
      try await project.done("migrate up")
      #expect(try await project.done("seed") == "seeded s: 2 rows\n")
      #expect(try await database.value("select count(*) from settings") == "2")
    }
  }

  @Test func `that require a migration wait for it`() async throws {
    try await withProject(["s.sql": Self.table, "seeds/s.sql": "-- tsdb: requires s\n" + Self.rows]) {
      project, database in
      let result = try await database.expectUnchanged { try await project.tsdb("seed") }
      result.expect(
        1, "seed \"s\" requires \"s\", which is not applied", "seeds/s.sql:1:19",
        "run \"tsdb migrate up\" first")
    }
  }

  @Test(arguments: [
    (
      "insert into settings values ('a', '3') on conflict (key) do update set value = excluded.value;",
      "INSERT is not allowed in a seed: it overwrites existing rows"
    ),
    (
      "insert into settings values ('z', '3');",
      "INSERT is not allowed in a seed: without ON CONFLICT DO NOTHING it cannot run twice"
    ),
    ("update settings set value = '3';", "UPDATE is not allowed in a seed: it does more than insert"),
    ("delete from settings;", "DELETE is not allowed in a seed"),
    ("truncate settings;", "TRUNCATE is not allowed in a seed"),
    ("do $$ begin update settings set value = '3'; end $$;", "DO is not allowed in a seed"),
    ("create table x (i int);", "CREATE TABLE is not allowed in a seed"),
    (
      "with d as (delete from settings returning key) insert into settings select key from d on conflict do nothing;",
      "is not allowed in a seed"
    ),
    (
      "with u as (update settings set value = '3' returning key) select count(*) from u;",
      "is not allowed in a seed"
    ),
    (
      "merge into settings using (values (1)) v on true when matched then delete;",
      "MERGE is not allowed in a seed"
    ),
    ("copy settings from '/tmp/x';", "COPY is not allowed in a seed"),
    ("grant select on settings to public;", "GRANT is not allowed in a seed"),
    ("select * into x from settings;", "is not allowed in a seed"),
  ])
  func `that do more than insert are refused`(statement: String, text: String) async throws {
    try await withSeeds { project, database in
      try await project.done("seed")
      try await database.execute("update settings set value = 'mine'")
      try project.write("seeds/s.sql", "-- initial rows\n" + statement)
      let result = try await database.expectUnchanged { try await project.tsdb("seed") }
      result.expect(64, text, "seeds/s.sql:2:1", "hint: use: insert into … on conflict (…) do nothing")
    }
  }

  @Test func `of one name in two directories are refused`() async throws {
    try await withProject(["seeds/x/s.sql": "select 1;", "seeds/y/s.sql": "select 2;"]) { project, database in
      try await database.expectUnchanged { try await project.tsdb("seed") }
        .expect(64, "two seed files have the name \"s.sql\"", "seeds/x/s.sql and seeds/y/s.sql")
    }
  }

  @Test func `with a row that the server refuses are rolled back`() async throws {
    try await withSeeds { project, database in
      try project.write(
        "seeds/s.sql",
        "insert into settings values ('x', 'y') on conflict do nothing;\n"
          + "insert into settings (key, nosuch) values ('y', 'z') on conflict do nothing;")
      try await database.expectUnchanged { try await project.tsdb("seed") }
        .expect(1, "column \"nosuch\" of relation \"settings\" does not exist", "seeds/s.sql:2:28")
    }
  }
}
