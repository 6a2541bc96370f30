import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `A lock held by somebody else` {
  @Test func `on the history holds up neither the run nor the file's tables for long`() async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      try await project.done("migrate up")
      try project.write("b.sql", "-- tsdb: requires a\nalter table a add j int;")
      let holder = database.connect()
      let process = try await holder.run { connection in
        try connection.execute("begin; lock table tsdb.migrations in share mode")
        return try connection.query("select pg_backend_pid()").text(0, 0)
      }
      // Reading is possible; writing is not, once the table is already locked by the file.
      try await project.tsdb("migrate up --lock-timeout 400ms --lock-attempts 2").expect(
        75, "\"b\" did not get a lock", "It was tried 2 times.", "Blocked by process \(process)")
      #expect(try await database.value("select count(*) from a") == "0")
      try await holder.run { _ = try $0.execute("lock table tsdb.migrations") }
      for command in ["migrate up", "migrate status"] {
        try await project.tsdb(command, environment: ["TSDB_MIGRATE_LOCK_TIMEOUT": "400ms"]).expect(
          75, "the history is locked by another session", "Blocked by process \(process)",
          "Nothing was changed.")
      }
      try await holder.run { _ = try $0.execute("commit") }
      try await project.done("migrate up")
    }
  }

  @Test func `by a prepared transaction is named, as it belongs to no process`() async throws {
    try await PostgresCluster.with(.init(configuration: ["max_prepared_transactions = 2"])) { cluster in
      try await withProject(["a.sql": "create table a (i int);"], on: cluster) { project, database in
        try await project.done("migrate up")
        try await database.execute("begin; insert into a values (1); prepare transaction 'it''s forgotten'")
        try project.write("b.sql", "-- tsdb: requires a\nalter table a add j int;")
        try await project.tsdb("migrate up --lock-timeout 500ms --lock-attempts 2").expect(
          75, "Blocked by prepared transaction 'it''s forgotten' of user postgres, ",
          "run: rollback prepared 'it''s forgotten';")
        try await database.execute("rollback prepared 'it''s forgotten'")
        try await project.done("migrate up")
      }
    }
  }

  @Test func `by a session whose state is hidden gets no age`() async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      try await project.done("migrate up")
      let role = "limited_\(database.name)"
      try await database.execute(
        """
        create role \(role) login; alter table a owner to \(role); grant create on schema public to \(role);
        grant all on schema tsdb to \(role); grant all on all tables in schema tsdb to \(role);
        grant all on all sequences in schema tsdb to \(role);
        """)
      let holder = database.connect()
      try await holder.run { _ = try $0.execute("begin; lock table a") }
      try project.write("b.sql", "-- tsdb: requires a\nalter table a add j int;")
      let result = try await project.tsdb(
        "migrate up --lock-timeout 500ms --lock-attempts 2",
        environment: ["DATABASE_URL": database.cluster.url(database: database.name, user: role)])
      result.expect(75, "state not visible")
      #expect(!result.standardError.contains("state not visible for"), "\(result)")
      try await holder.run { _ = try $0.execute("rollback") }
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }
}
