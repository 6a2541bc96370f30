import Catalog
import Postgres
import TestSupport
import Testing

@Suite struct `One change is one difference` {
  struct Case: Sendable, CustomTestStringConvertible {
    var change: String
    /// What the change needs first.
    var before = ""
    var added: [String] = []
    var missing: [String] = []
    var changed: [String] = []
    /// Part of the changed definition, before and after.
    var text: (String, String)?

    var testDescription: String { change }
  }

  static let base = """
    create schema s;
    create table s.t (id integer primary key, a text default 'x', b numeric(10,2), constraint positive check (b > 0));
    create table s.u (id integer, t integer references s.t);
    create index by_a on s.t (a);
    create view s.v as select id, a from s.t;
    create materialized view s.m as select id from s.t;
    create sequence s.q;
    create function s.f(x integer) returns integer language sql as 'select 1';
    create function s.tf() returns trigger language plpgsql as 'begin return new; end';
    create trigger tr before insert on s.t for each row execute function s.tf();
    create rule ru as on delete to s.u do instead nothing;
    create policy po on s.u using (id > 0);
    create type s.e as enum ('one', 'two');
    create type s.c as (x integer, y text);
    create domain s.d as integer constraint small check (value < 10);
    create type s.r as range (subtype = integer);
    create statistics s.st on id, b from s.t;
    comment on table s.t is 'before';
    create procedure s.p() language sql as 'select 1';
    create aggregate s.ag(integer) (sfunc = int4pl, stype = integer);
    create function s.eq(s.c, s.c) returns boolean language sql as 'select true';
    create operator s.=== (leftarg = s.c, rightarg = s.c, function = s.eq);
    create collation s.co (provider = libc, locale = 'C');
    create text search dictionary s.di (template = simple);
    create text search configuration s.ts (copy = simple);
    create publication pub for table s.t;
    create foreign data wrapper w; create server srv foreign data wrapper w options (host 'a');
    create foreign table s.ft (a integer) server srv;
    create cast (s.c as integer) with function s.to_int(s.c);
    create event trigger et on ddl_command_end execute function s.etf();
    """.replacing(
      "create cast",
      with: "create function s.to_int(s.c) returns integer language sql as 'select 1'; create cast"
    ).replacing(
      "create event",
      with: "create function s.etf() returns event_trigger language plpgsql as 'begin end'; create event")

  static let cases: [Case] = [
    Case(change: "create schema s2", added: ["owner schema s2", "schema s2"]),
    Case(change: "create table s.n (a integer)", added: ["column s.n.a", "owner table s.n", "table s.n"]),
    Case(
      change: "drop table s.u cascade",
      missing: [
        "column s.u.id", "column s.u.t", "constraint s.u.u_t_fkey", "owner table s.u", "policy s.u.po",
        "rule s.u.ru",
        "table s.u",
      ]),
    Case(
      change: "alter table s.t set unlogged", before: "drop table s.u; drop publication pub",
      changed: ["table s.t"], text: ("access", "unlogged")),
    Case(
      change: "alter table s.t set (fillfactor = 50)", changed: ["table s.t"],
      text: ("access method", "with fillfactor=50")),
    Case(
      change: "alter table s.t enable row level security", changed: ["table s.t"],
      text: ("", "row level security")),
    Case(
      change: "alter table s.t force row level security", changed: ["table s.t"],
      text: ("", "row level security forced")),
    Case(
      change: "alter table s.t replica identity full", changed: ["table s.t"],
      text: ("", "replica identity full")),
    Case(
      change: "alter table s.t replica identity using index t_pkey", changed: ["constraint s.t.t_pkey"],
      text: ("PRIMARY", "replica identity")),
    Case(
      change: "create table s.k () inherits (s.t)",
      added: [
        "column s.k.a", "column s.k.b", "column s.k.id", "owner table s.k", "table s.k",
      ]),
    Case(change: "alter table s.t add column n integer", added: ["column s.t.n"]),
    Case(
      change: "alter table s.t drop column b", before: "drop statistics s.st",
      missing: ["column s.t.b", "constraint s.t.positive"]),
    Case(
      change: "alter table s.t drop column a", before: "drop view s.v",
      missing: ["column s.t.a", "index s.by_a"]),
    Case(
      change: "alter table s.t rename column b to bb", added: ["column s.t.bb"], missing: ["column s.t.b"],
      changed: [
        "constraint s.t.positive", "statistics s.st",
      ]),
    Case(
      change: "alter table s.t alter column b type numeric(12,2)", before: "drop statistics s.st",
      changed: ["column s.t.b"], text: ("numeric(10,2)", "numeric(12,2)")),
    Case(
      change: "alter table s.t alter column a set not null", changed: ["column s.t.a"],
      text: ("text", "not null")),
    Case(
      change: "alter table s.t alter column a set default 'y'", changed: ["column s.t.a"],
      text: ("default 'x'", "default 'y'")),
    Case(
      change: "alter table s.t alter column a drop default", changed: ["column s.t.a"]),
    Case(
      change: "alter table s.t alter column a type text collate \"C\"", before: "drop view s.v",
      changed: ["column s.t.a"], text: ("text", "collate pg_catalog.\"C\"")),
    Case(
      change: "alter table s.t alter column id add generated always as identity",
      added: ["owner sequence s.t_id_seq", "sequence s.t_id_seq"], changed: ["column s.t.id"],
      text: ("", "generated always as identity")),
    Case(
      change: "alter table s.t alter column a set storage external", changed: ["column s.t.a"],
      text: ("", "storage external")),
    Case(
      change: "alter table s.t alter column a set compression pglz", changed: ["column s.t.a"],
      text: ("", "compression pglz")),
    Case(
      change: "alter table s.t alter column a set statistics 5", changed: ["column s.t.a"],
      text: ("", "statistics 5")),
    Case(
      change: "alter table s.t alter column a set (n_distinct = 5)", changed: ["column s.t.a"],
      text: ("", "with n_distinct=5")),
    Case(
      change: "alter table s.t add column g integer generated always as (id * 2) stored",
      added: ["column s.t.g"]),
    Case(change: "alter table s.t add constraint uq unique (a)", added: ["constraint s.t.uq"]),
    Case(change: "alter table s.t drop constraint positive", missing: ["constraint s.t.positive"]),
    Case(
      change: "alter table s.u alter constraint u_t_fkey deferrable", changed: ["constraint s.u.u_t_fkey"],
      text: ("FOREIGN KEY", "DEFERRABLE")),
    Case(
      change: "alter table s.u validate constraint nv",
      before: "alter table s.u add constraint nv check (id > 0) not valid", changed: ["constraint s.u.nv"],
    ),
    Case(change: "create index by_b on s.t (b)", added: ["index s.by_b"]),
    Case(change: "drop index s.by_a", missing: ["index s.by_a"]),
    Case(
      change: "update pg_index set indisvalid = false where indexrelid = 's.by_a'::regclass",
      changed: ["index s.by_a"], text: ("CREATE INDEX", "invalid")),
    Case(
      change: "alter index s.by_a set (fillfactor = 50)", changed: ["index s.by_a"],
      text: ("CREATE", "fillfactor")),
    Case(change: "create view s.w as select 1 as x", added: ["owner view s.w", "view s.w"]),
    Case(
      change: "create or replace view s.v as select id, a from s.t where id > 1", changed: ["view s.v"],
      text: ("FROM", "WHERE")),
    Case(
      change: "alter view s.v set (security_barrier)", changed: ["view s.v"], text: ("", "security_barrier")),
    Case(
      change: "alter view s.v alter column a set default 'z'", changed: ["view s.v"],
      text: ("", "default 'z'")),
    Case(
      change: "drop materialized view s.m", missing: ["materialized view s.m", "owner materialized view s.m"]),
    Case(
      change: "alter sequence s.q increment 2", changed: ["sequence s.q"],
      text: ("increment 1", "increment 2")),
    Case(
      change: "alter sequence s.q owned by s.t.id", changed: ["sequence s.q"], text: ("", "owned by s.t.id")),
    Case(
      change: "create or replace function s.f(x integer) returns integer language sql as 'select 2'",
      changed: ["function s.f(integer)"], text: ("select 1", "select 2")),
    Case(
      change: "alter function s.f(integer) security definer", changed: ["function s.f(integer)"],
      text: ("", "SECURITY DEFINER")),
    Case(
      change: "create function s.f(text) returns integer language sql as 'select 1'",
      added: ["function s.f(text)", "owner function s.f(text)"]),
    Case(
      change: "create or replace procedure s.p() language sql as 'select 2'", changed: ["procedure s.p()"]),
    Case(
      change: "create or replace aggregate s.ag(integer) (sfunc = int4pl, stype = integer, initcond = '1')",
      changed: ["aggregate s.ag(integer)"], text: ("", "initcond '1'")),
    Case(
      change: "alter table s.t disable trigger tr", changed: ["trigger s.t.tr"], text: ("CREATE", "disabled")),
    Case(change: "drop trigger tr on s.t", missing: ["trigger s.t.tr"]),
    Case(change: "alter table s.u disable rule ru", changed: ["rule s.u.ru"], text: ("CREATE", "disabled")),
    Case(
      change: "alter policy po on s.u using (id > 1)", changed: ["policy s.u.po"], text: ("id > 0", "id > 1")),
    Case(change: "alter type s.e add value 'three'", changed: ["type s.e"], text: ("'two'", "'three'")),
    Case(
      change: "alter type s.e add value 'zero' before 'one'", changed: ["type s.e"],
      text: ("enum\n'one'", "enum\n'zero'\n'one'")),
    Case(change: "alter type s.c add attribute z date", changed: ["type s.c"], text: ("", "z date")),
    Case(change: "alter domain s.d set default 1", changed: ["domain s.d"], text: ("", "default 1")),
    Case(change: "alter domain s.d set not null", changed: ["domain s.d"], text: ("integer", "not null")),
    Case(change: "alter domain s.d drop constraint small", missing: ["constraint s.d.small"]),
    Case(change: "drop type s.r", missing: ["owner type s.r", "type s.r"]),
    Case(
      change: "alter statistics s.st set statistics 7", changed: ["statistics s.st"],
      text: ("", "statistics 7")),
    Case(
      change: "drop operator s.=== (s.c, s.c)",
      missing: ["operator s.===(s.c, s.c)", "owner operator s.===(s.c, s.c)"]),
    Case(change: "drop cast (s.c as integer)", missing: ["cast (s.c as integer)"]),
    Case(change: "drop collation s.co", missing: ["collation s.co", "owner collation s.co"]),
    Case(
      change: "alter text search dictionary s.di (accept = false)", changed: ["text search dictionary s.di"],
      text: ("", "accept")),
    Case(
      change: "alter text search configuration s.ts drop mapping for url",
      changed: ["text search configuration s.ts"]),
    Case(
      change: "alter publication pub add table s.u", changed: ["publication pub"],
      text: ("table s.t", "table s.u")),
    Case(
      change: "alter server srv options (set host 'b')", changed: ["foreign server srv"],
      text: ("host=a", "host=b")),
    Case(change: "alter foreign table s.ft add column n integer", added: ["column s.ft.n"]),
    Case(
      change: "alter foreign data wrapper w options (add x 'y')", changed: ["foreign-data wrapper w"],
      text: ("", "x=y")),
    Case(
      change: "alter event trigger et enable always", changed: ["event trigger et"],
      text: ("", "enabled always")),
    Case(
      change: "alter extension plpgsql add function s.f(integer)",
      missing: ["function s.f(integer)", "owner function s.f(integer)"]),
    Case(
      change:
        "create operator class s.oc for type integer using btree as operator 1 <, function 1 btint4cmp(integer, integer)",
      added: [
        "operator class s.oc using btree", "operator family s.oc using btree",
        "owner operator class s.oc using btree",
        "owner operator family s.oc using btree",
      ]),
    Case(
      change: "comment on table s.t is 'after'", changed: ["comment table s.t"], text: ("before", "after")),
    Case(change: "comment on table s.t is null", missing: ["comment table s.t"]),
    Case(change: "comment on column s.t.a is 'c'", added: ["comment column s.t.a"]),
    Case(change: "comment on column s.v.a is 'c'", added: ["comment column s.v.a"]),
    Case(change: "comment on constraint positive on s.t is 'c'", added: ["comment constraint s.t.positive"]),
    Case(change: "comment on constraint small on domain s.d is 'c'", added: ["comment constraint s.d.small"]),
    Case(change: "comment on index s.by_a is 'c'", added: ["comment index s.by_a"]),
    Case(change: "comment on function s.f(integer) is 'c'", added: ["comment function s.f(integer)"]),
    Case(change: "comment on trigger tr on s.t is 'c'", added: ["comment trigger s.t.tr"]),
    Case(change: "comment on policy po on s.u is 'c'", added: ["comment policy s.u.po"]),
    Case(change: "comment on rule ru on s.u is 'c'", added: ["comment rule s.u.ru"]),
    Case(change: "comment on type s.c is 'c'", added: ["comment type s.c"]),
    Case(change: "comment on event trigger et is 'c'", added: ["comment event trigger et"]),
    Case(change: "comment on server srv is 'c'", added: ["comment foreign server srv"]),
    Case(change: "comment on publication pub is 'c'", added: ["comment publication pub"]),
    Case(change: "comment on schema s is 'c'", added: ["comment schema s"]),
    Case(change: "comment on cast (s.c as integer) is 'c'", added: ["comment cast (s.c as integer)"]),
    Case(change: "comment on statistics s.st is 'c'", added: ["comment statistics s.st"]),
  ]

  @Test(arguments: cases) func `it names exactly what changed`(expected: Case) async throws {
    let (before, after) = try await snapshots(around: expected, role: nil)
    check(expected, before, after)
    #expect(before.fingerprint != after.fingerprint)
  }

  /// The catalogue before and after the change of a case.
  private func snapshots(
    around expected: Case, role: String?
  ) async throws -> (before: CatalogSnapshot, after: CatalogSnapshot) {
    try await withDatabase { database in
      let role = role.map { $0 + database.name }
      try await database.execute(Self.base)
      if let role { try await database.execute("create role \(role)") }
      if !expected.before.isEmpty { try await database.execute(expected.before) }
      let before = try await database.snapshot()
      try await database.execute(expected.change.replacing("ROLE", with: role ?? ""))
      let after = try await database.snapshot()
      if let role { try await database.execute("drop owned by \(role) cascade; drop role \(role)") }
      return (before, after)
    }
  }

  private func check(_ expected: Case, _ before: CatalogSnapshot, _ after: CatalogSnapshot) {
    let difference = after.difference(from: before)
    #expect(difference.added.map(\.name.description) == expected.added)
    #expect(difference.missing.map(\.name.description) == expected.missing)
    #expect(difference.changed.map(\.name.description) == expected.changed)
    if let text = expected.text, let change = difference.changed.first {
      #expect(change.before.definition.contains(text.0) || text.0.isEmpty, "\(change.before.definition)")
      #expect(!change.before.definition.contains(text.1), "\(change.before.definition)")
      #expect(change.after.definition.contains(text.1), "\(change.after.definition)")
    }
    let back = before.difference(from: after)
    #expect(back.added.map(\.name) == difference.missing.map(\.name))
    #expect(back.changed.map(\.name) == difference.changed.map(\.name))
  }

  static let ungatheredCases: [Case] = [
    Case(change: "alter table s.t owner to ROLE", changed: ["owner table s.t"], text: ("postgres", "other")),
    Case(change: "grant select on s.t to ROLE", added: ["privileges table s.t"]),
    Case(change: "grant update (a) on s.t to ROLE", added: ["privileges column s.t.a"]),
    Case(
      change: "revoke execute on function s.f(integer) from public",
      added: ["privileges function s.f(integer)"]),
    Case(change: "grant usage on schema s to public", added: ["privileges schema s"]),
    Case(change: "grant select on s.t to ROLE; revoke select on s.t from ROLE"),
    Case(
      change: "alter default privileges in schema s grant select on tables to ROLE",
      added: ["default privileges postgres in s on tables"]),
  ]

  @Test(arguments: ungatheredCases)
  func `owners and grants are compared, but are not part of the fingerprint`(expected: Case) async throws {
    let (before, after) = try await snapshots(around: expected, role: "other_")
    check(expected, before, after)
    #expect(before.fingerprint == after.fingerprint)
  }
}
