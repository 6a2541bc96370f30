import SQLSyntax
import Testing

@Suite struct OtherReferenceTests {
  static let cases: [(String, ObjectReference.Kind, [String], [String])] = [
    ("create function a.f(x a.mood) returns setof a.row language sql as 'select 1'", .function, ["a.f"], []),
    (
      "create function a.f(x a.mood) returns setof a.row language sql as 'select 1'", .type, [],
      ["a.mood", "a.row"]
    ),
    ("create function f() returns trigger language plpgsql as ''", .language, [], ["plpgsql"]),
    ("create procedure p(inout x int default g(1)) language sql as ''", .function, ["p"], ["g"]),
    (
      "create aggregate s (int) (sfunc = a.step, stype = a.state, finalfunc = fin, initcond = '0')",
      .function, ["s"],
      ["a.step", "fin"]
    ),
    (
      "create aggregate s (int) (sfunc = a.step, stype = a.state)", .type, [],
      ["a.state"]
    ),
    (
      "create table t (x int default f(1), check (g(x) > 0), exclude using gist (h(x) with =))", .function,
      [],
      ["f", "g", "h"]
    ),
    (
      "create view v as select a.f(x), count(*) over (partition by g(x)) from t where h(x)", .function, [],
      ["a.f", "count", "g", "h"]
    ),
    ("create index on t (lower(x), (a.f(y)))", .function, [], ["lower", "a.f"]),
    (
      "create trigger g before update on t for each row when (c(new.x)) execute function a.f('b')", .function,
      [],
      ["a.f", "c"]
    ),
    ("create event trigger e on ddl_command_end execute function f()", .function, [], ["f"]),
    ("create event trigger e on ddl_command_end execute function f()", .eventTrigger, ["e"], []),
    ("create policy p on t to r using (a.f(x))", .function, [], ["a.f"]),
    ("create policy p on t to r, public, current_user using (true)", .role, [], ["r"]),
    ("select * from a.f(1), rows from (g(2))", .function, [], ["a.f", "g"]),
    ("call a.p(f(1))", .function, [], ["a.p", "f"]),
    ("select 'a.f(int)'::regprocedure, 'g'::regproc", .function, [], ["a.f", "g"]),
    ("comment on function a.f(int) is 'x'", .function, [], ["a.f"]),
    ("drop function if exists f(int)", .function, [], []),
    ("drop function a.f(int), g", .function, [], ["a.f", "g"]),
    ("grant execute on function a.f(a.mood) to r", .function, [], ["a.f"]),
    ("alter function a.f(int) rename to g", .function, ["a.g"], ["a.f"]),
    ("alter function a.f(int) owner to r", .function, [], ["a.f"]),
    ("alter function f(int) set search_path = a", .function, [], ["f"]),
    ("alter function f(int) set schema a", .function, ["a.f"], ["f"]),
    ("create cast (a.x as a.y) with function a.f(a.x)", .function, [], ["a.f"]),
    ("create type a.mood as enum ('x')", .type, ["a.mood"], []),
    ("create type pair as (x a.mood, y b[])", .type, ["pair"], ["a.mood", "b"]),
    ("create type r as range (subtype = a.s, subtype_diff = f)", .type, ["r"], ["a.s"]),
    ("create type r as range (subtype = a.s, subtype_diff = f)", .function, [], ["f"]),
    ("create domain a.d as b.base check (f(value))", .type, ["a.d"], ["b.base"]),
    ("create domain a.d as b.base check (f(value))", .function, [], ["f"]),
    ("alter domain a.d add constraint c check (f(value))", .type, [], ["a.d"]),
    ("comment on constraint c on domain a.d is 'x'", .type, [], ["a.d"]),
    ("alter type a.mood add value 'y'", .type, [], ["a.mood"]),
    ("alter type a.mood rename to b", .type, ["a.b"], ["a.mood"]),
    ("alter type a.pair add attribute z c.d", .type, [], ["a.pair", "c.d"]),
    ("drop type a.mood", .type, [], ["a.mood"]),
    (
      "create table t (x a.mood, y public.b[] default '{}'::public.b[])", .type, ["t"],
      ["a.mood", "public.b"]
    ),
    ("select x::a.mood, cast(y as b) from t", .type, [], ["a.mood", "b"]),
    ("select * from f() as t(x a.mood)", .type, [], ["a.mood"]),
    ("create schema a", .schema, ["a"], []),
    ("create schema authorization r", .schema, ["r"], []),
    ("create table a.t (x int)", .schema, [], ["a"]),
    ("select a.f() from b.t", .schema, [], ["a", "b"]),
    ("alter table t set schema a", .schema, [], ["a"]),
    ("alter schema a rename to b", .schema, ["b"], ["a"]),
    ("grant usage on schema a to r", .schema, [], ["a"]),
    ("grant select on all tables in schema a to r", .schema, [], ["a"]),
    ("alter default privileges in schema a grant select on tables to r", .role, [], ["r"]),
    ("set search_path = a, \"$user\", pg_catalog", .schema, [], ["a"]),
    ("set search_path to a, public", .schema, [], ["a", "public"]),
    ("comment on schema a is 'x'", .schema, [], ["a"]),
    ("create extension if not exists pgcrypto schema a", .extension, ["pgcrypto"], []),
    ("create extension pgcrypto schema a", .schema, [], ["a"]),
    ("comment on extension pgcrypto is 'x'", .extension, [], ["pgcrypto"]),
    ("drop extension pgcrypto", .extension, [], ["pgcrypto"]),
    ("create role r in role s", .role, ["r"], ["s"]),
    ("grant r to s", .role, [], ["r", "s"]),
    ("grant select on t to r, public", .role, [], ["r"]),
    ("alter table t owner to r", .role, [], ["r"]),
    ("alter role r rename to s", .role, ["s"], ["r"]),
    ("drop role if exists r", .role, [], []),
    ("create server s foreign data wrapper w", .foreignServer, ["s"], []),
    ("create foreign table t (x int) server s", .foreignServer, [], ["s"]),
    ("create collation a.c (locale = 'C')", .collation, ["a.c"], []),
    ("create table t (x text collate a.c)", .collation, [], ["a.c"]),
    ("create text search configuration a.c (copy = simple)", .textSearch, ["a.c"], ["simple"]),
    ("create operator a.+ (leftarg = a.x, rightarg = b, function = a.f)", .function, [], ["a.f"]),
    ("create operator a.+ (leftarg = a.x, rightarg = b, function = a.f)", .type, [], ["a.x", "b"]),
    (
      "create operator class o for type a.x using btree as operator 1 <, function 1 a.f(a.x, a.x)", .function,
      [],
      ["a.f"]
    ),
  ]

  @Test(arguments: cases)
  func `objects of every kind are found`(
    text: String, kind: ObjectReference.Kind, creates: [String], uses: [String]
  ) throws {
    let statement = try analysed(text)
    #expect(described(statement.creates, of: [kind]) == creates)
    #expect(described(statement.uses, of: [kind]) == uses)
  }

  @Test func `names are folded as PostgreSQL folds them and quoted when shown`() throws {
    let statement = try analysed("select * from App.\"My \"\"T\"\"\", ÑANDÚ")
    #expect(
      statement.uses.filter { $0.kind == .relation }
        == [
          ObjectReference(.relation, schema: "app", name: "My \"T\""),
          ObjectReference(.relation, name: "ÑandÚ"),
        ])
    #expect(statement.uses[0].description == "app.\"My \"\"T\"\"\"")
  }

  @Test(arguments: [
    ("a", "a", true), ("a", "b", false), ("s.a", "a", true), ("a", "s.a", true), ("s.a", "s.a", true),
    ("s.a", "r.a", false),
  ])
  func `two references may denote one object unless their schemas differ`(
    left: String, right: String, expected: Bool
  ) {
    func reference(_ text: String) -> ObjectReference {
      let parts = text.split(separator: ".").map(String.init)
      return ObjectReference(
        .relation, schema: parts.count > 1 ? parts[0] : nil, name: parts[parts.count - 1])
    }
    #expect(reference(left).mayDenote(reference(right)) == expected)
  }
}
