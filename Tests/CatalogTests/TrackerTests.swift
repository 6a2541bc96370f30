import Catalog
import Postgres
import TestSupport
import Testing

@Suite struct `The tracker` {
  struct Case: Sendable, CustomTestStringConvertible {
    var change: String
    /// Whether the parts that changed are enough.
    var isPartial: Bool
    var testDescription: String { change }
  }

  static let base = """
    create schema s; create type s.c as (x integer, y text); create type s.e as enum ('a', 'b');
    create table s.t (id integer primary key, x integer, y integer, k s.c default row(1, 'a')::s.c);
    create table s.u (id integer, t integer, e s.e default 'a', plain text);
    create view s.v as select * from s.t join s.u using (id);
    create table s.lonely (id integer primary key, a text);
    create function s.f() returns integer language sql as 'select 1';
    create function s.rows() returns setof s.u language sql as 'select * from s.u';
    create view s.w as select * from s.rows();
    create domain s.d as integer;
    create schema hidden; create table hidden.t (id integer);
    """

  static let cases: [Case] = [
    Case(
      change: "create table s.n (id serial primary key, a text default 'x', b s.d references s.t)",
      isPartial: true),
    Case(change: "create index on s.lonely (a); comment on column s.lonely.a is 'c'", isPartial: true),
    Case(change: "alter table s.lonely add column b integer not null default 1", isPartial: true),
    Case(change: "alter table s.lonely alter column a set default 'y'", isPartial: true),
    Case(
      change:
        "alter table s.lonely alter column a set default 'y'; alter table s.lonely alter column a drop default",
      isPartial: true),
    Case(change: "alter table s.u add foreign key (t) references s.lonely", isPartial: true),
    Case(
      change: "create or replace view s.v as select *, 1 as one from s.t join s.u using (id)", isPartial: true
    ),
    Case(
      change: "create or replace function s.f() returns integer language sql as 'select 2'", isPartial: true),
    Case(change: "alter type s.e add value 'c'; alter domain s.d add check (value > 0)", isPartial: true),
    Case(
      change: "create schema s2; create table s2.t (a integer); grant select on s2.t to public",
      isPartial: true),
    Case(
      change: "create materialized view s.m as select 1 as a with no data; create index on s.m (a)",
      isPartial: true),
    Case(
      change:
        "do $$ begin create table s.a (i int); begin create table s.b (i int); raise 'x'; exception when others then create table s.c2 (i int); end; end $$",
      isPartial: true),
    Case(change: "insert into s.lonely values (1, 'a'); truncate s.u", isPartial: true),
    Case(change: "alter table hidden.t add column a integer; create index on hidden.t (a)", isPartial: true),
    Case(change: "grant update (a) on s.lonely to public", isPartial: true),
    Case(change: "create temp table passing (a integer)", isPartial: true),
    // The join's output gets another name, because a name is taken now.
    Case(change: "alter table s.u add column x integer", isPartial: false),
    Case(change: "alter type s.c add attribute z integer", isPartial: false),
    Case(change: "alter table s.lonely rename column a to b", isPartial: false),
    Case(
      change: "alter table s.t rename x to z; alter table s.t rename y to x; alter table s.t rename z to y",
      isPartial: false),
    Case(change: "alter type s.e rename value 'a' to 'aa'", isPartial: false),
    Case(change: "alter schema hidden rename to shown", isPartial: false),
    Case(change: "alter schema s rename to r", isPartial: false),
    Case(change: "drop table s.lonely", isPartial: false),
    Case(
      change: "drop table s.lonely; create table s.lonely (id integer primary key, a text)", isPartial: false),
    Case(change: "alter table s.lonely drop column a", isPartial: false),
    Case(change: "alter extension plpgsql add function s.f()", isPartial: false),
    Case(
      change: "create extension if not exists plpgsql; create collation s.co from \"C\"", isPartial: false),
    Case(
      change: "create function pg_catalog.tsdb_test() returns integer language sql as 'select 1'",
      isPartial: false),
    Case(change: "set local track_counts = off; create table s.n (a integer)", isPartial: false),
  ]

  @Test(arguments: cases) func `a change equals a full read`(expected: Case) async throws {
    let (change, tracked, full) = try await withDatabase { database in
      try await database.execute(Self.base)
      return try await database.connect().run { connection in
        var tracker = try CatalogTracker(reading: connection, excludingSchemas: ["hidden"])
        try connection.execute("begin; select pg_current_xact_id()")
        try connection.execute(expected.change)
        let change = try tracker.change(on: connection)
        try connection.execute("commit")
        tracker.apply(change)
        let full = try CatalogSnapshot.read(on: connection, excludingSchemas: ["hidden"])
        return (change, tracker.snapshot, full)
      }
    }
    #expect((change.fullReadReason == nil) == expected.isPartial, "\(change.fullReadReason ?? "none")")
    #expect(full.difference(from: tracked) == CatalogDifference())
    #expect(tracked == full)
    #expect(change.fingerprint == full.fingerprint)
  }

  @Test func `nothing changed is found out without a read`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.base)
      try await database.connect().run { connection in
        let tracker = try CatalogTracker(reading: connection)
        for statement in [
          "select 1", "insert into s.u values (1)", "create temp table x (a int); drop table x",
        ] {
          try connection.execute("begin")
          try connection.execute(statement)
          let change = try tracker.change(on: connection)
          #expect(change.isEmpty && change.fingerprint == tracker.fingerprint)
          if !statement.contains("drop") { #expect(change.fullReadReason == nil) }
          try connection.execute("rollback")
        }
      }
    }
  }

  @Test func `a rolled back change leaves the tracker as it was`() async throws {
    try await withDatabase { database in
      try await database.connect().run { connection in
        var tracker = try CatalogTracker(reading: connection)
        for attempt in 0..<5 {
          try connection.execute("begin; create table t (a integer)")
          let change = try tracker.change(on: connection)
          #expect(
            change.written.map(\.name.description) == [
              "column public.t.a", "owner table public.t", "table public.t",
            ])
          try connection.execute(attempt < 4 ? "rollback" : "commit")
          if attempt == 4 { tracker.apply(change) }
        }
        #expect(tracker.snapshot == (try CatalogSnapshot.read(on: connection)))
      }
    }
  }

  @Test func `a drop does not make the next transaction read everything`() async throws {
    try await withDatabase { database in
      try await database.execute("create table gone (a integer)")
      let reasons = try await database.connect().run { connection in
        var tracker = try CatalogTracker(reading: connection)
        var reasons: [String?] = []
        for statement in ["drop table gone", "create table a (i int)", "create table b (i int)"] {
          try connection.execute("begin")
          try connection.execute(statement)
          let change = try tracker.change(on: connection)
          try connection.execute("commit")
          tracker.apply(change)
          reasons.append(change.fullReadReason)
        }
        return (reasons, connection.serverVersion)
      }
      #expect(reasons.0[0] != nil)
      // Earlier versions cannot be told to flush their counts.
      if reasons.1 >= 150_000 { #expect(reasons.0[1] == nil && reasons.0[2] == nil) }
    }
  }

  @Test(.enabled(if: PgBouncer.isInstalled))
  func `behind a transaction pooler each transaction may meet another server session`() async throws {
    try await withDatabase { database in
      let pooler = try await PgBouncer.start(.transaction, for: database.cluster, poolSize: 3)
      let settings = pooler.settings(database: database.name)
      let busy = Session(settings, applicationName: "busy")
      let isEqual = try await Session(settings, applicationName: "test").run { connection in
        var tracker = try CatalogTracker(reading: connection)
        for number in 0..<6 {
          try connection.execute("begin; create table t\(number) (id serial primary key, a text default 'x')")
          let change = try tracker.change(on: connection)
          #expect(change.fullReadReason == nil)
          try connection.execute("commit")
          tracker.apply(change)
          // Discards what the session had prepared, as another client might.
          if number == 3 { try connection.execute("deallocate all") }
        }
        return try tracker.snapshot == CatalogSnapshot.read(on: connection)
      }
      #expect(isEqual)
      await busy.close()
      await pooler.stop()
    }
  }

  @Test func `statements outside of a transaction block need a reread`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a integer)")
      try await database.connect().run { connection in
        var tracker = try CatalogTracker(reading: connection)
        try connection.execute("create index concurrently i on t (a)")
        let change = try tracker.reread(on: connection)
        #expect(change.written.map(\.name.description) == ["index public.i"])
        tracker.apply(change)
        #expect(tracker.snapshot == (try CatalogSnapshot.read(on: connection)))
      }
    }
  }
}
