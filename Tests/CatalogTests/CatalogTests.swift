import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

extension TestDatabase {
  func snapshot(excluding schemas: [String] = [], user: String = "postgres") async throws -> CatalogSnapshot {
    try await connect(user: user).run { try CatalogSnapshot.read(on: $0, excludingSchemas: schemas) }
  }

  /// Makes ``NastySchema`` as far as this server can.
  func makeNastySchema() async throws {
    let available = "select count(*) from pg_available_extensions where name = 'hstore'"
    let hasExtensions = try await value(available) == "1"
    let version = Int(try await value("show server_version_num") ?? "") ?? 0
    try await execute(NastySchema.statements(serverVersion: version, hasExtensions: hasExtensions))
  }
}

extension CatalogSnapshot {
  func definition(_ kind: CatalogKind, _ identity: String) -> String? {
    objects.first { $0.kind == kind && $0.identity == identity }?.definition
  }

  var names: [String] { objects.map(\.name.description) }
}

@Suite struct `The catalogue` {
  @Test func `it reads the same whatever the session's settings are, and leaves them alone`() async throws {
    try await withDatabase { database in
      try await database.makeNastySchema()
      let expected = try await database.snapshot()
      #expect(expected.objects.count > 100)
      let odd = """
        set search_path = app, "$user", public; set quote_all_identifiers = on; set datestyle = 'German, DMY';
        set intervalstyle = 'iso_8601'; set timezone = 'Asia/Tokyo'; set extra_float_digits = -5;
        set bytea_output = 'escape'; set standard_conforming_strings = off; set jit = on; set lc_monetary = 'C'
        """
      let settings = "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings"
      let session = database.connect()
      for mode in [
        "", "begin", "begin; set local search_path = public; set work_mem = '5MB'; savepoint tsdb_catalog",
      ] {
        try await session.run { connection in
          try connection.execute(odd)
          if !mode.isEmpty { try connection.execute(mode) }
          // A temporary table that a careless query would read instead of the catalogue.
          try connection.execute("create temp table if not exists pg_class (oid oid)")
          let before = try connection.query(settings).text(0, 0)
          let snapshot = try CatalogSnapshot.read(on: connection)
          #expect(snapshot.difference(from: expected) == CatalogDifference(), "\(mode)")
          #expect(snapshot == expected)
          #expect(try connection.query(settings).text(0, 0) == before)
          #expect(connection.isInTransaction == !mode.isEmpty)
          if connection.isInTransaction { try connection.execute("commit") }
        }
      }
    }
  }

  @Test func `an ordinary role reads what a superuser reads`() async throws {
    try await withDatabase { database in
      try await database.makeNastySchema()
      let role = "reader_\(database.name)"
      try await database.execute("create role \(role) login")
      let snapshot = try await database.snapshot(user: role)
      let expected = try await database.snapshot()
      try await database.execute("drop role \(role)")
      #expect(snapshot.difference(from: expected) == CatalogDifference())
      #expect(snapshot == expected)
    }
  }

  @Test func `dump and restore give an equal fingerprint`() async throws {
    try await withDatabase { database in
      try await database.makeNastySchema()
      let before = try await database.snapshot()
      try await withDatabase(on: database.cluster) { copy in
        let files = try TemporaryDirectory()
        let cluster = database.cluster
        let address = ["--host", cluster.host, "--username", "postgres"]
        let environment = ["PATH": "/usr/bin:/bin"]
        let dump = try await ToolRun(
          executable: cluster.executable("pg_dump"),
          address + ["--file", files.path("dump.sql"), database.name],
          environment: environment
        ).finish()
        #expect(dump.exitStatus == 0, "\(dump)")
        let restore = try await ToolRun(
          executable: cluster.executable("psql"),
          address + ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", files.path("dump.sql"), copy.name],
          environment: environment
        ).finish()
        #expect(restore.exitStatus == 0, "\(restore)")
        // Options left out of definitions were restored, so nothing is missing for another reason.
        let after = try await copy.snapshot()
        #expect(after.difference(from: before) == CatalogDifference())
        #expect(after.fingerprint == before.fingerprint)
      }
    }
  }

  @Test func `different routes to one schema have one fingerprint`() async throws {
    let direct = """
      create table t (a integer, b text not null default 'x', c date);
      create index t_b on t (b); create view v as select a, b from t;
      """
    let detour = """
      create table old (gone integer, a smallint, b text); alter table old drop column gone;
      create table other (x int); drop table other;
      alter table old add column c date; alter table old alter column a type integer;
      alter table old rename to t; alter table t alter column b set default 'x', alter column b set not null;
      create index wrong on t (b); alter index wrong rename to t_b;
      create view v as select a, b from t; insert into t values (1); analyze t; grant select on t to public;
      """
    let snapshots = try await withDatabase { first in
      try await withDatabase { second in
        try await first.execute(direct)
        try await second.execute(detour)
        return [try await first.snapshot(), try await second.snapshot()]
      }
    }
    #expect(snapshots[0].fingerprint == snapshots[1].fingerprint)
    #expect(snapshots[1].difference(from: snapshots[0]).added.map(\.kind) == [.privileges])
  }

  @Test func `the order of columns counts, and is not blamed on every column`() async throws {
    try await withDatabase { first in
      try await withDatabase { second in
        try await first.execute("create table t (a integer, b integer)")
        try await second.execute("create table t (b integer, a integer)")
        let (one, two) = (try await first.snapshot(), try await second.snapshot())
        #expect(one.fingerprint != two.fingerprint)
        #expect(two.difference(from: one).changed.map(\.name.description) == ["table public.t"])
      }
    }
  }

  @Test func `odd names are quoted, and the same in every part`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create schema "a.b"; create table "a.b"."c ""d"".e" ("f.g" integer primary key, "línea
        dos" text, "select" integer, "日本" integer, "é" integer, "e\u{301}" integer);
        create index "i.j" on "a.b"."c ""d"".e" ("select");
        """)
      let snapshot = try await database.snapshot()
      let table = #""a.b"."c ""d"".e""#
      for name in [
        "schema \"a.b\"", "table \(table)", "column \(table).\"f.g\"", "column \(table).\"línea\ndos\"",
        "column \(table).select", "column \(table).\"日本\"", "index \"a.b\".\"i.j\"",
      ] {
        #expect(snapshot.names.contains(name), "\(name)")
      }
      // Two names to the server, although Swift's strings compare as equal.
      #expect(snapshot.objects.count { $0.identity.hasSuffix(".\"é\"") && $0.kind == .column } == 2)
      #expect(Set(snapshot.objects.map(\.name)).count == snapshot.objects.count)
    }
  }

  @Test func `what is no schema is left out`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create schema hidden; create table hidden.history (a integer primary key);
        create table log (at date, line text) partition by range (at); create index on log (line);
        create table kept (id serial primary key)
        """)
      let before = try await database.snapshot(excluding: ["hidden"])
      try await database.execute(
        """
        alter table hidden.history add column b text; create function hidden.f() returns int language sql as 'select 1';
        create table log_2024 partition of log for values from ('2024-01-01') to ('2025-01-01');
        alter table log_2024 add constraint local check (line <> ''); create index on log_2024 (at);
        create temp table passing (a int); select nextval('kept_id_seq'); insert into kept select generate_series(1, 50);
        analyze kept; create role nobody_\(database.name); vacuum kept;
        """.replacing("vacuum kept;", with: ""))
      let after = try await database.snapshot(excluding: ["hidden"])
      try await database.execute("drop role nobody_\(database.name)")
      #expect(after == before)
      #expect(!after.names.contains { $0.contains("hidden") || $0.contains("pg_") })

      try await database.execute("create table log_default partition of log default")
      let difference = try await database.snapshot(excluding: ["hidden"]).difference(from: after)
      #expect(
        difference.added.map(\.name.description) == [
          "column public.log_default.at", "column public.log_default.line", "owner table public.log_default",
          "table public.log_default",
        ])
    }
  }

  @Test func `secrets in the options of foreign objects are not read`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create foreign data wrapper w; create server s foreign data wrapper w options (host 'h', password 'pl4nted');
        create user mapping for public server s options (user 'u', password 'pl4nted')
        """)
      let snapshot = try await database.snapshot()
      #expect(snapshot.definition(.foreignServer, "s") == "wrapper w\noptions host=h, password=***")
      #expect(!String(describing: snapshot).contains("pl4nted"))
    }
  }

  @Test func `a failed transaction is an error and stays one`() async throws {
    try await withDatabase { database in
      try await database.connect().run { connection in
        try connection.execute("begin")
        _ = try? connection.execute("select 1/0")
        #expect(throws: PostgresError.self) { try CatalogSnapshot.read(on: connection) }
        try connection.execute("rollback")
        #expect(try CatalogSnapshot.read(on: connection).names.contains("schema public"))
      }
    }
  }
}
