import Catalog
import Postgres
import TestSupport
import Testing

/// Statements that only create relations, told apart by the transaction's locks.
@Suite struct `Created relations` {
  static let changes = [
    "create table s.n (id bigint generated always as identity primary key, a text not null default 'x')",
    "create table s.n (id serial, a text unique); create index on s.n (lower(a)); create view s.nv as select * from s.n",
    "create table s.n (a s.d, b s.e default 'a', check (a > 0)); create sequence s.q increment 5",
    "create table s.p (id int primary key, a text); create table s.c (p int references s.p, exclude using gist (box(point(p, 1), point(2, 2)) with &&))",
    "create temp table passing (a integer); create table s.n (like s.t including all)",
    "create table s.n (a int) partition by range (a); create table s.n1 partition of s.n default",
    "create table s.n (a int); create table s.m () inherits (s.n)",
    "create unlogged table s.n (a int) with (fillfactor = 50); create table hidden.n (a int)",
    "create table if not exists s.t (a int)",
    // An existing relation takes part, so the locks do not tell all.
    "create index on s.t (x)", "create table s.n (t int references s.t)",
    "create or replace view s.v as select *, 1 as one from s.t", "create table s.t1 () inherits (s.t)",
  ]

  static let base = """
    create schema s; create type s.e as enum ('a', 'b'); create domain s.d as integer;
    create table s.t (id integer primary key, x integer); create view s.v as select * from s.t;
    create schema hidden; comment on table s.t is 'c';
    alter default privileges in schema s grant select on tables to public;
    """

  @Test(arguments: changes) func `are what a full read finds`(change sql: String) async throws {
    let (tracked, full, fingerprint) = try await withDatabase { database in
      try await database.execute(Self.base)
      return try await database.connect().run { connection in
        var tracker = try CatalogTracker(reading: connection, excludingSchemas: ["hidden"])
        try connection.execute("begin")
        try connection.execute(sql)
        let change = try tracker.change(on: connection, onlyCreatesRelations: true)
        try connection.execute("commit")
        tracker.apply(change)
        let full = try CatalogSnapshot.read(on: connection, excludingSchemas: ["hidden"])
        return (tracker.snapshot, full, change.fingerprint)
      }
    }
    #expect(tracked == full)
    #expect(fingerprint == full.fingerprint)
  }

  @Test func `do not hide what an event trigger does beside them`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table known (a int);
        create function grant_known() returns event_trigger language plpgsql as
          $$ begin grant select on known to public; end $$;
        create event trigger t on ddl_command_end when tag in ('CREATE TABLE') execute function grant_known();
        """)
      try await database.connect().run { connection in
        let tracker = try CatalogTracker(reading: connection)
        try connection.execute("begin; create table n (a int)")
        let change = try tracker.change(on: connection, onlyCreatesRelations: true)
        try connection.execute("rollback")
        #expect(change.written.contains { $0.name.description == "privileges table public.known" })
      }
    }
  }
}
