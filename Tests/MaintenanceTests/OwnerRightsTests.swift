import Foundation
import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// What an ordinary role has put on its tables gets nothing of a superuser who maintains them.
@Suite struct OwnerRightsTests {
  /// What the role tries; each would be enough if it ran with the superuser's rights.
  enum Attack: String, CaseIterable, CustomTestStringConvertible {
    case directly = "perform app.grab();"
    case resettingTheRole =
      "begin execute 'reset role'; exception when others then null; end; perform app.grab();"
    case settingTheRole =
      "begin execute 'set role postgres'; exception when others then null; end; perform app.grab();"
    case resettingTheSession =
      "begin execute 'set session authorization default'; exception when others then null; end; perform app.grab();"
    case holdingACursor =
      "if not exists (select from pg_cursors where name = 'c') then execute 'declare c cursor with hold for select app.grab()'; end if;"
    case deferring = "insert into app.later values (1);"
    case deferringAgain = "execute 'set constraints all deferred'; insert into app.again values (1);"
    case settingThePath = "execute 'set search_path = app, pg_catalog';"
    case shadowing =
      "if to_regclass('pg_temp.pg_proc') is null then execute 'create temp view pg_proc as select 0 as oid'; end if;"
    case becomingInvoker = """
      execute (select format('alter function %s security invoker', p.oid::regprocedure) from pg_catalog.pg_proc as p
        where p.proname like 'tsdb\\_as\\_%' limit 1);
      """
    case replacing = """
      execute (select format('create or replace function %s(statement text, given text[]) returns setof record'
          ' language plpgsql security invoker as %L', p.oid::regproc,
          'begin perform app.grab(); return query execute statement using given[1], given[2], given[3], given[4]; end')
        from pg_catalog.pg_proc as p where p.proname like 'tsdb\\_as\\_%' limit 1);
      """

    var testDescription: String { "\(self)" }
    /// Whether the rule is refused for it; else it goes on and has not noticed.
    var isFatal: Bool { [.deferringAgain, .becomingInvoker, .replacing].contains(self) }
  }

  /// Made by the role itself. `app.grab` tries all that a superuser may, and hides that it failed.
  private func arm(_ database: TestDatabase, _ role: String, _ attack: String, file: String) async throws {
    try await database.execute("create schema app authorization \(role); create schema other")
    try await database.connect().run { connection in
      _ = try connection.execute(
        """
        set session authorization \(role);
        create table app.seen (who name);
        create function app.grab() returns void language plpgsql as $f$
        begin
          insert into app.seen values (current_user);
          begin execute 'alter role \(role) superuser'; exception when others then null; end;
          begin execute $$copy (select 1) to '\(file)'$$; exception when others then null; end;
        end $f$;
        create function app.same(oid, oid) returns boolean language plpgsql as
          $f$ begin perform app.grab(); return $1 operator(pg_catalog.=) $2; end $f$;
        create operator app.= (leftarg = oid, rightarg = oid, function = app.same);
        create function app.late() returns trigger language plpgsql as $f$ begin perform app.grab(); return new; end $f$;
        create table app.later (a int);
        create constraint trigger late after insert on app.later initially deferred for each row execute function app.late();
        create table app.again (a int);
        create function app.once_more() returns trigger language plpgsql as $f$
        begin
          execute 'set constraints all deferred';
          insert into app.again values (1);
          begin execute 'reset role'; exception when others then null; end;
          perform app.grab();
          return new;
        end $f$;
        create constraint trigger again after insert on app.again initially deferred
          for each row execute function app.once_more();
        create function app.attack() returns trigger language plpgsql as $f$ begin \(attack) return old; end $f$;
        """)
    }
  }

  private func tables(_ database: TestDatabase, _ role: String) async throws {
    try await database.connect().run { connection in
      _ = try connection.execute(
        """
        set session authorization \(role);
        create table app.t (a int, at timestamptz);
        insert into app.t select i, '2026-01-01' from generate_series(1, 250) as i;
        create index t_at on app.t (at);
        create trigger attack before delete on app.t for each row execute function app.attack();
        reset session authorization;
        create table other.t (a int, at timestamptz);
        insert into other.t select i, '2026-01-01' from generate_series(1, 30) as i;
        create index other_at on other.t (at);
        """)
    }
  }

  private func expectNothingGained(_ database: TestDatabase, _ role: String, file: String) async throws {
    #expect(try await database.value("select rolsuper from pg_roles where rolname = '\(role)'") == "f")
    #expect(!FileManager.default.fileExists(atPath: file))
    #expect(try await database.value("select count(*) from app.seen where who <> '\(role)'") == "0")
  }

  @Test(arguments: Attack.allCases)
  func `a trigger gains nothing of the superuser that deletes`(_ attack: Attack) async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        let file = "/tmp/\(role)_grabbed"
        try await arm(database, role, attack.rawValue, file: file)
        try await tables(database, role)
        let result = try await retain(database, rule("app.t") { $0.maxRows = 100 }, rule("other.t"))
        try await expectNothingGained(database, role, file: file)
        // The rule after it is followed all the same.
        #expect(try await database.value("select count(*) from other.t") == "0")
        if attack.isFatal {
          #expect(result.outcome == .failed)
          #expect(result.objects.first?.action == "failed")
          #expect(result.reason?.contains(role) == true, "\(result)")
        } else {
          #expect(result.outcome == .ok, "\(result)")
          #expect(try await database.value("select count(*) from app.t") == "0")
        }
        try await database.execute("drop schema app cascade")
      }
    }
  }

  @Test func `an attack that fails the deletion fails that rule only`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await arm(database, role, "execute 'alter role \(role) superuser';", file: "/tmp/\(role)_grabbed")
        try await tables(database, role)
        let result = try await retain(database, rule("app.t"), rule("other.t"))
        #expect(result.outcome == .failed)
        #expect(result.objects.map(\.action).prefix(2) == ["failed", "deleted"])
        #expect(result.sqlState == "42501")
        #expect(result.hint?.contains("with the rights of the table's owner") == true)
        try await expectNothingGained(database, role, file: "/tmp/\(role)_grabbed")
        try await database.execute("drop schema app cascade")
      }
    }
  }

  @Test func `an owner without the right to its own schema is a clear failure`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await arm(database, role, "perform app.grab();", file: "/tmp/\(role)_grabbed")
        try await tables(database, role)
        try await database.execute(
          "alter schema app owner to postgres; revoke all on schema app from \(role)")
        let result = try await retain(database, rule("app.t"), rule("other.t"))
        #expect(result.outcome == .failed)
        #expect(result.objects.map(\.action).prefix(2) == ["failed", "deleted"])
        #expect(result.reason?.contains("permission denied for schema app") == true)
        #expect(try await database.value("select count(*) from app.t") == "250")
        try await database.execute("drop schema app cascade")
      }
    }
  }

  @Test func `an index's predicate gains nothing of the superuser that only looks`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        let file = "/tmp/\(role)_grabbed"
        try await arm(database, role, "", file: file)
        try await tables(database, role)
        // Immutable by its word: the planner calls it.
        try await database.connect().run { connection in
          _ = try connection.execute(
            """
            set session authorization \(role);
            create function app.peek() returns boolean immutable language plpgsql as $f$
            begin
              begin execute 'set role postgres'; exception when others then null; end;
              if current_user <> '\(role)' then raise exception 'called as %', current_user; end if;
              return true;
            end $f$;
            create index peeking on app.t (a) where app.peek();
            """)
        }
        let previews = try await database.connect().run {
          try RetentionJob([rule("app.t")]).preview(on: $0, now: retentionNow)
        }
        #expect(previews.first?.rows == 250, "\(previews)")
        #expect(try await retain(database, rule("app.t")).outcome == .ok)
        try await database.execute("drop schema app cascade")
      }
    }
  }

  @Test(arguments: [false, true])
  func `rows that are moved into a partition gain nothing of the superuser either`(
    _ isDeferred: Bool
  ) async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        let file = "/tmp/\(role)_grabbed"
        try await arm(database, role, "", file: file)
        try await database.connect().run { connection in
          _ = try connection.execute(
            """
            set session authorization \(role);
            create function app.check() returns boolean language plpgsql as $f$
            begin
              \(isDeferred ? Attack.deferring.rawValue : Attack.resettingTheRole.rawValue)
              return true;
            end $f$;
            create table app.p (at date not null, constraint p_check check (app.check())) partition by range (at);
            create table app.p_default partition of app.p default;
            insert into app.p select '2026-07-05' from generate_series(1, 20);
            truncate app.seen;
            """)
        }
        var run = SampleRun()
        run.now = UTCTime(year: 2026, month: 7, day: 1)
        let result = try await run(
          [PartitionRule(table: "app.p", interval: .month, ahead: 1)], on: database)
        #expect(result.outcome == .ok, "\(result)")
        #expect(result.rows == 20)
        #expect(try await database.value("select count(*) from app.p_default") == "0")
        try await expectNothingGained(database, role, file: file)
        #expect(try await database.value("select count(*) > 0 from app.seen") == "t")
        try await database.execute("drop schema app cascade")
      }
    }
  }
}
