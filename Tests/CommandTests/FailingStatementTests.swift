import Foundation
import TestSupport
import Testing

@Suite struct `A statement that fails` {
  /// A second file after a first that is applied, where it must fail, and what must be said.
  struct Case: CustomStringConvertible, Sendable {
    let description: String
    let text: String
    let texts: [String]
    var status: Int32 = 1
  }

  static let cases = [
    Case(
      description: "in the middle",
      text: "create table b (i int);\ninsert into b values (1);\nselect nosuch from b;\nselect 1;",
      texts: [
        "error: column \"nosuch\" does not exist", "--> migrations/b.sql:3:8",
        "   | select nosuch from b;\n   |        ^",
        "sqlstate: 42703", "\"b\" was rolled back.", "Not tried: 1 more.",
      ]),
    Case(
      description: "behind letters of several bytes",
      text: "create table b (i int);\n/* ñ 日本 🐘 e\u{301} */ select 'ñandú 日本 🐘', nosuch from b;",
      texts: ["--> migrations/b.sql:2:38", "nosuch from b;\n"]),
    Case(
      description: "on a later line of the statement, behind a comment of its own",
      text: "-- año\ncreate table b (\n  i int,\n  -- señal\n\tj nosuchtype\n);",
      texts: [
        "type \"nosuchtype\" does not exist", "--> migrations/b.sql:5:4", "   | \tj nosuchtype\n   | \t  ^",
      ]),
    Case(
      description: "in the body of an SQL function",
      text: "create function f() returns int language sql as $$\n  select 1;\n  select nosuch;\n$$;",
      texts: [
        "column \"nosuch\" does not exist", "--> migrations/b.sql:3:10",
        "   |   select nosuch;\n   |          ^",
      ]),
    Case(
      description: "in the body of a PL/pgSQL function, which does not compile",
      text: "create function f() returns int language plpgsql as $$\nbegin\n  retrun 1;\nend;\n$$;",
      texts: ["syntax error at or near \"retrun\"", "--> migrations/b.sql:3:3"]),
    Case(
      description: "when a PL/pgSQL function is called",
      text:
        "create function f() returns int language plpgsql as $$\nbegin\n  return 1 / 0;\nend;\n$$;\nselect f();",
      texts: ["division by zero", "--> migrations/b.sql:6:1", "In PL/pgSQL function f() line 3 at RETURN"]),
    Case(
      description: "in a DO block",
      text:
        "-- first\n\ndo $$\ndeclare\n  i int;\nbegin\n  i := 1;\n  raise exception 'not % here', 'right' using hint = 'look there';\nend\n$$;",
      texts: [
        "error: not right here", "--> migrations/b.sql:8:3", "   |   raise exception", "hint: look there",
        "sqlstate: P0001",
      ]),
    Case(
      description: "in a statement of a DO block in a named dollar quote",
      text:
        "select 1; do language plpgsql $x$ begin\n    perform 1;\n    insert into nosuch values (1);\nend $x$;",
      texts: ["relation \"nosuch\" does not exist", "--> migrations/b.sql:3:5"]),
    Case(
      description: "in a DO block with quotes",
      text: "do '\nbegin\n  raise exception ''x'';\nend';", texts: ["error: x", "--> migrations/b.sql:3:3"]),
    Case(
      description: "a constraint that is deferred to the commit",
      text: """
        create table b (i int primary key, a int references b deferrable initially deferred);
        insert into b values (1, 2);
        """,
      texts: [
        "\"b\" could not be committed: insert or update on table \"b\" violates foreign key constraint",
        "sqlstate: 23503",
        "Key (a)=(2) is not present in table \"b\".", "\"b\" was rolled back.",
      ]),
    Case(
      description: "a trigger that is deferred to the commit",
      text: """
        create table b (i int);
        create function no() returns trigger language plpgsql as $$ begin raise exception 'refused late'; end $$;
        create constraint trigger b_no after insert on b deferrable initially deferred for each row execute function no();
        insert into b values (1);
        """, texts: ["\"b\" could not be committed: refused late", "\"b\" was rolled back."]),
    Case(
      description: "a timeout of its own", text: "-- tsdb: statement-timeout 100ms\nselect pg_sleep(20);",
      texts: ["canceling statement due to statement timeout", "sqlstate: 57014", "--> migrations/b.sql:2:1"]),
    Case(
      description: "what the parser does not know and the server neither", text: "create tabel b (i int);",
      texts: [
        "syntax error at or near \"tabel\"", "--> migrations/b.sql:1:8",
        "   | create tabel b (i int);\n   |        ^",
      ]),
    Case(
      description: "in a line of two thousand characters",
      text: "select " + String(repeating: "1, ", count: 600) + "nosuch, "
        + String(repeating: "2, ", count: 100) + "3;",
      texts: ["--> migrations/b.sql:1:1808", "…"]),
    Case(
      description: "a psql variable", text: "select 1 where 1 = :id;",
      texts: ["syntax error at or near \":\"", "b.sql:1:20", "hint: psql variables do not exist here"]),
    Case(
      description: "a missing table that no file makes", text: "insert into nowhere values (1);",
      texts: ["relation \"nowhere\" does not exist", "b.sql:1:13"]),
    Case(
      description: "a setting by which the server would read the file's letters wrongly",
      text: "set client_encoding = 'LATIN1';\ncreate table b as select 'ñ' as letter;",
      texts: [
        "the statement sets client_encoding to LATIN1, but the file is read with UTF8",
        "--> migrations/b.sql:1:1",
        "files are UTF-8",
      ]),
    Case(
      description: "a setting by which the server would read the file's strings wrongly",
      text: "select 1;\nset standard_conforming_strings = off;\ncreate table b as select 'C:\\n' as path;",
      texts: ["sets standard_conforming_strings to off", "--> migrations/b.sql:2:1", "E'…'"]),
    Case(
      description: "a COMMIT inside a DO block", text: "create table b (i int);\ndo $$ begin commit; end $$;",
      texts: [
        "invalid transaction termination", "sqlstate: 2D000", "remove the COMMIT", "--> migrations/b.sql:2:1",
      ]),
  ]

  @Test(arguments: cases)
  func `is located, rolled back and explained`(_ failing: Case) async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      try await project.done("migrate up")
      try project.write("b.sql", failing.text)
      try project.write("c.sql", "create table c (i int);")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate up") }
      result.expect(failing.status)
      for text in failing.texts {
        #expect(result.standardError.contains(text), "no \"\(text)\" in: \(result)")
      }
      #expect(result.standardOutput.isEmpty)
    }
  }

  @Test func `keeps what was applied before it, and the next run continues`() async throws {
    try await withProject([
      "a.sql": "create table a (i int);", "b.sql": "create table b (i int);", "c.sql": "select nosuch;",
      "d.sql": "select 1;",
      "e.sql": "select 1;",
    ]) { project, database in
      let result = try await project.tsdb("migrate up")
      result.expect(
        1, "ok a", "ok b", "migrations/c.sql:1:8", "Applied in this run: \"a\", \"b\".", "Not tried: 2 more.")
      #expect(try await database.rows("select name from tsdb.migrations order by ordinal") == [["a"], ["b"]])
      try project.write("c.sql", "select 1;")
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "5")
    }
  }

  @Test func `does not leak its settings into the next file`() async throws {
    try await withProject([
      "a.sql": "create schema other;\nselect set_config('search_path', '', false);\nset lock_timeout = 0;",
      "b.sql": "create table b (i int);\nset role pg_read_all_data;",
      "c.sql": "-- tsdb: requires b\ninsert into b values (1);",
    ]) { project, database in
      try await project.done("migrate up")
      #expect(try await database.value("select count(*) from public.b") == "1")
    }
  }

  @Test func `that turns the server's counting off does not hide what the file makes`() async throws {
    try await withProject([
      "a.sql": "create table a (i int);", "b.sql": "set track_counts = off;\ncreate table b (i int);",
    ]) { project, database in
      try await project.done("migrate up")
      #expect(try await project.done("migrate verify").contains("no drift"))
    }
  }

  @Test func `of which the server warns is shown with its place`() async throws {
    try await withProject([
      "a.sql": "select 1;\ndo $$ begin raise warning 'careful'; raise notice 'by the way'; end $$;"
    ]) { project, database in
      try await project.tsdb("migrate up").expect(
        0, "warning: careful (migrations/a.sql:2:1)", "notice: by the way (migrations/a.sql:2:1)")
    }
  }
}
