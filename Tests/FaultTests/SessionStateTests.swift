import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  @Suite struct `Session state` {
    private static let files = [
      "a_sets": """
      set search_path = decoy;
      set role nobody_special;
      set lock_timeout = '17s';
      select set_config('statement_timeout', '170s', false);
      reset role;
      create table made_in_decoy (n int);
      set role nobody_special;
      """,
      "b_plain": """
      create table accounts (id int primary key, note text);
      insert into accounts values (1, current_user);
      """,
      "c_off": """
      -- tsdb: requires b_plain
      -- tsdb: transaction off
      alter table accounts add column extra int;
      create index concurrently accounts_note_idx on accounts (note);
      """,
      "d_dump": """
      -- As pg_dump writes it.
      select pg_catalog.set_config('search_path', '', false);
      set default_table_access_method = heap;
      create table public.dumped (n int);
      """,
      "e_after": "create table after_dump (n int);",
    ]

    @Test(arguments: [Route.directly, .throughTransactionPool])
    func `what a file sets reaches neither the next file nor the pooler's next client`(
      route: Route
    ) async throws {
      try await withDecoy { target in
        try await route.reach(target.base, poolSize: 2) { url in
          try await expectDone(["migrate", "up"], in: target.project, url: url)
          try await expectInPublic(target)
          try await expectCleanSessions(target, url)
        }
      }
    }

    @Test func `what other clients left in the pooler's sessions does not matter`() async throws {
      try await withDecoy { target in
        try await PgBouncer.with(.transaction, for: target.base.cluster, poolSize: 2) { pooler in
          let settings = pooler.settings(database: target.base.name)
          let clients = (0..<2).map { _ in Session(settings, applicationName: "application") }
          // Open at the same time, so that each has a connection to the server of its own.
          for client in clients { try await client.run { _ = try $0.execute("begin") } }
          for client in clients {
            try await client.run { connection in
              _ = try connection.execute(
                """
                set search_path = decoy; set role nobody_special; set lock_timeout = 1;
                set default_transaction_isolation = 'serializable'; commit
                """)
            }
          }
          try await expectDone(
            ["migrate", "up"], in: target.project, url: pooler.url(database: target.base.name))
          try await expectInPublic(target)
        }
      }
    }

    private func withDecoy(_ body: (FaultTarget) async throws -> Void) async throws {
      try await withDatabase { database in
        let target = FaultTarget(base: database, project: try TemporaryDirectory())
        for (name, text) in Self.files { try target.project.write("migrations/\(name).sql", text) }
        // Roles belong to the whole server, so another test may make the same one.
        try await database.execute(
          """
          do $$ begin create role nobody_special; exception when duplicate_object or unique_violation then end $$;
          create schema decoy;
          create table decoy.accounts (id int, note text);
          grant usage on schema decoy to nobody_special;
          """)
        try await body(target)
      }
    }

    private func expectInPublic(_ target: FaultTarget) async throws {
      let tables = try await target.base.text(
        """
        select nspname || '.' || relname from pg_class c join pg_namespace n on n.oid = relnamespace
        where nspname in ('public', 'decoy') and relkind in ('r', 'i') order by 1
        """)
      #expect(
        tables
          == [
            "decoy.accounts", "decoy.made_in_decoy", "public.accounts", "public.accounts_note_idx",
            "public.accounts_pkey", "public.after_dump", "public.dumped",
          ].joined(separator: ","))
      #expect(try await target.base.text("select note from accounts") == "postgres")
      #expect(
        try await target.base.text(
          "select count(*) from pg_attribute where attrelid = 'decoy.accounts'::regclass and attnum > 0")
          == "2")
    }

    /// Asks in two transactions at once, so that both connections of the pool answer.
    private func expectCleanSessions(_ target: FaultTarget, _ url: String) async throws {
      let settings = try ConnectionSettings(parsing: url)
      let clients = (0..<2).map { _ in Session(settings, applicationName: "application") }
      for client in clients {
        let state = try await client.run { connection in
          _ = try connection.execute("begin")
          return try connection.query(
            """
            select current_user, current_setting('search_path'), current_setting('lock_timeout'),
              current_setting('statement_timeout'), current_setting('client_connection_check_interval')
            """
          ).rows()[0].map { $0 ?? "" }
        }
        #expect(state == ["postgres", "\"$user\", public", "0", "0", "0"])
      }
    }
  }
}
