import SQLSyntax
import Testing

@Suite struct RelationReferenceTests {
  /// A statement, the relations it creates and the relations it uses.
  static let cases: [(String, [String], [String])] = [
    ("create table a.t (x int)", ["a.t"], []),
    ("create table if not exists t (x int)", ["t"], []),
    ("create table t (id int primary key, x int unique)", ["t", "t_pkey", "t_x_key"], []),
    ("create table t (id serial, y bigint generated always as identity)", ["t", "t_id_seq", "t_y_seq"], []),
    ("create table a.t (x int, constraint t_pk primary key (x))", ["a.t", "a.t_pk"], []),
    ("create table t (x int references a.u (id), y int, foreign key (y) references v)", ["t"], ["a.u", "v"]),
    ("create table t (like a.u including all) inherits (v, w)", ["t"], ["v", "w", "a.u"]),
    ("create table p1 partition of a.p for values in (1)", ["p1"], ["a.p"]),
    ("create table t as select * from a, b.c", ["t"], ["a", "b.c"]),
    ("select * into t from u", ["t"], ["u"]),
    ("create view v as select x from t join lateral (select * from u) s on true", ["v"], ["t", "u"]),
    ("create or replace recursive view v (n) as select 1 union all select n + 1 from v, t", ["v"], ["t"]),
    ("create materialized view a.m as select * from t", ["a.m"], ["t"]),
    ("refresh materialized view concurrently m", [], ["m"]),
    ("create index on a.t (x)", [], ["a.t"]),
    ("create unique index i on a.t (f(x)) where y in (select 1 from u)", ["a.i"], ["a.t", "u"]),
    ("create sequence s owned by a.t.x", ["s"], ["a.t"]),
    ("alter sequence s owned by none", [], ["s"]),
    ("create trigger g after insert on a.t for each row execute function f()", [], ["a.t"]),
    (
      "create constraint trigger g after insert on t from u for each row execute function f()", [],
      ["t", "u"]
    ),
    ("create policy p on t using (exists (select 1 from u where u.id = t.id))", [], ["t", "u"]),
    ("create rule r as on insert to v do instead insert into t select new.* from w", [], ["v", "t", "w"]),
    ("create statistics s on a, b from t", [], ["t"]),
    ("create publication p for table t, a.u", [], ["t", "a.u"]),
    ("create foreign table t (x int) server s", ["t"], []),
    ("alter table a.t add column x int references u, add constraint k unique (x)", ["a.k"], ["a.t", "u"]),
    ("alter table t add primary key using index i", ["t_pkey"], ["t", "i"]),
    ("alter table if exists t add column x int", [], []),
    ("alter table p attach partition c for values in (1)", [], ["p", "c"]),
    ("alter table t rename to u", ["u"], ["t"]),
    ("alter table a.t rename column x to y", [], ["a.t"]),
    ("alter index a.i rename to j", ["a.j"], ["a.i"]),
    ("alter table a.t set schema b", ["b.t"], ["a.t"]),
    ("alter view v rename to w", ["w"], ["v"]),
    ("alter table t owner to r", [], ["t"]),
    ("drop table t, a.u", [], ["t", "a.u"]),
    ("drop table if exists t", [], []),
    ("drop index i", [], ["i"]),
    ("drop trigger g on a.t", [], ["a.t"]),
    ("drop trigger if exists g on t", [], []),
    ("drop policy p on t", [], ["t"]),
    ("comment on table a.t is 'x'", [], ["a.t"]),
    ("comment on column a.t.x is 'x'", [], ["a.t"]),
    ("comment on constraint c on a.t is 'x'", [], ["a.t"]),
    ("comment on index i is 'x'", [], ["i"]),
    ("comment on view v is 'x'", [], ["v"]),
    ("grant select on t, a.u to r", [], ["t", "a.u"]),
    ("grant usage on sequence s to r", [], ["s"]),
    ("revoke all on all tables in schema a from r", [], []),
    ("truncate t, u", [], ["t", "u"]),
    ("lock table t in share mode", [], ["t"]),
    ("vacuum t", [], ["t"]),
    ("analyze t (x)", [], ["t"]),
    ("cluster t using i", [], ["t"]),
    ("reindex table t", [], ["t"]),
    ("copy t (x) from '/f'", [], ["t"]),
    ("copy (select * from t) to '/f'", [], ["t"]),
    (
      "insert into t select * from u on conflict (x) do update set y = (select 1 from v)", [],
      ["t", "u", "v"]
    ),
    ("update t set x = u.x from u where exists (select 1 from v)", [], ["t", "u", "v"]),
    ("delete from t using u where t.x = (select max(x) from v)", [], ["t", "u", "v"]),
    ("merge into t using u on true when matched then update set x = (select 1 from v)", [], ["t", "u", "v"]),
    ("explain select * from t", [], ["t"]),
    ("prepare q as select * from t", [], ["t"]),
    ("declare c cursor for select * from t", [], ["t"]),
    ("select nextval('a.s'), currval('S'), setval('\"S\"'::regclass, 1)", [], ["a.s", "s", "\"S\""]),
    ("select 'a.t'::regclass, cast('u' as regclass), '1234'::regclass", [], ["a.t", "u"]),
    ("create table t (x int default nextval('s'::regclass))", ["t"], ["s"]),
    ("select pg_get_serial_sequence('a.t', 'x')", [], ["a.t"]),
    ("select * from pg_catalog.pg_class, information_schema.tables", [], []),
    ("select * from \"T\", T, t", [], ["\"T\"", "t"]),
    ("create function f(x a.u.y%type) returns int language sql as 'select 1'", [], ["a.u"]),
    (
      "create function f() returns int begin atomic insert into t values (1); select 1 from u; end", [],
      ["t", "u"]
    ),
    ("create function f() returns int return (select count(*) from t)", [], ["t"]),
    ("create schema a create table t (x int) create view v as select * from t", ["a.t", "a.v"], ["a.t"]),
    ("select * from f(x) as t, rows from (g(1)) as u", [], []),
    ("select t.x, t.*, t from a.t as t order by t.x", [], ["a.t"]),
  ]

  @Test(arguments: cases)
  func `relations are found wherever they stand`(text: String, creates: [String], uses: [String]) throws {
    let statement = try analysed(text)
    #expect(described(statement.creates, of: [.relation]) == creates)
    let own = Set(creates)
    let others = described(statement.uses, of: [.relation]).filter { !own.contains($0) || uses.contains($0) }
    #expect(others.sorted() == uses.sorted())
  }

  static let commonTables: [(String, [String])] = [
    ("with x as (select * from t) select * from x", ["t"]),
    ("with x as (select * from x) select * from x", ["x"]),
    ("with recursive x as (select 1 union all select * from x, t) select * from x", ["t"]),
    ("with x as (select 1), y as (select * from x) select * from y, x", []),
    ("with x as (select * from y), y as (select 1) select * from x", ["y"]),
    ("with recursive x as (select * from y), y as (select 1) select * from x", []),
    ("with x as (select 1) select * from a.x", ["a.x"]),
    ("with x as (select 1) select * from (select * from x, t) s", ["t"]),
    ("select * from (with x as (select 1) select * from x) s, x", ["x"]),
    ("with x as (select 1) insert into x select * from x", ["x"]),
    ("with x as (insert into t select 1 returning *) select * from x", ["t"]),
    ("with x as (with y as (select * from t) select * from y) select * from x, y", ["t", "y"]),
    ("with x as (select 1) select 1 union select * from x", []),
    ("with x as (select 1) select * from t where exists (select 1 from x where a in (table x))", ["t"]),
    ("create view v as with x as (select * from t) select * from x", ["t"]),
    ("create table v as with x as (select * from t) select * from x", ["t"]),
    ("with x as (select 1) update t set a = 1 from x", ["t"]),
    ("with x as (select 1) delete from t using x", ["t"]),
    ("with x as (select 1) merge into t using x on true when matched then delete", ["t"]),
    ("with t as (select 1) delete from t", ["t"]),
  ]

  @Test(arguments: commonTables)
  func `a common table expression hides a table exactly where it is in scope`(text: String, uses: [String])
    throws
  {
    #expect(described(try analysed(text).uses, of: [.relation]) == uses)
  }

  @Test(arguments: [
    ("drop table a.t, u", ["a.t", "u"]), ("drop table if exists t", ["t"]), ("drop index i", ["i"]),
    ("alter table t rename to u", ["t"]), ("alter table a.t set schema b", ["a.t"]),
    ("drop trigger g on t", []), ("drop materialized view m", ["m"]), ("alter table t drop column x", []),
  ])
  func `what is dropped is listed`(text: String, drops: [String]) throws {
    #expect(described(try analysed(text).drops, of: [.relation]) == drops)
  }

  @Test func `a table brings its row type and a renamed one takes it along`() throws {
    #expect(described(try analysed("create table a.t (x int)").creates, of: [.type]) == ["a.t"])
    let renamed = try analysed("alter table a.t rename to u")
    #expect(described(renamed.creates, of: [.type]) == ["a.u"])
    #expect(described(renamed.drops, of: [.type]) == ["a.t"])
  }
}
