import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `A server that does not serve` {
  @Test(arguments: [
    ["migrate", "up"], ["migrate", "status"], ["migrate", "verify"], ["migrate", "down", "--yes"],
    ["migrate", "accept", "a"], ["seed"],
  ])
  func `is unreachable: status 75`(_ command: [String]) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;", "seeds/a.sql": "select 1;"])
    let port = try PostgresCluster.freePort()
    let result = try await project.tsdb(
      command, environment: ["DATABASE_URL": "postgresql://postgres@127.0.0.1:\(port)/app"])
    result.expect(
      75, "error: cannot connect: connection to server at \"127.0.0.1\"", "Connection refused",
      "detail: Nothing was changed.", "hint: check that the server runs and that host and port are right")
    #expect(
      !FileManager.default.fileExists(atPath: project.directory.path(".tsdb")),
      "fell back to a private server")
  }

  @Test func `has no socket where it is looked for`() async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let result = try await project.tsdb("migrate up", environment: ["PGHOST": "/nonexistent"])
    result.expect(75, "cannot connect", "/nonexistent")
  }

  @Test(arguments: [
    ["PGPORT": "x"], ["PGHOST": "h", "PGSSLMODE": "bogus"], ["PGSERVICE": "nosuch"], ["PGPORT": "99999"],
  ])
  func `cannot be meant: a wrong variable is bad usage, not worth another try`(
    _ environment: [String: String]
  ) async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    try await project.tsdb("migrate up", environment: environment)
      .expect(64, "cannot connect: ", "hint: check the URL, and the variables that begin with PG")
  }

  @Test func `has a name that nobody knows`() async throws {
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    try await project.tsdb("migrate up --database-url postgresql://u@no-such-host.invalid/app")
      .expect(75, "cannot connect", "no-such-host.invalid")
  }

  @Test func `has no such database`() async throws {
    let cluster = try await PostgresCluster.shared
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    let result = try await project.tsdb(
      "migrate up", environment: ["DATABASE_URL": cluster.url(database: "no_such_database")])
    result.expect(
      1, "cannot connect", "database \"no_such_database\" does not exist", "sqlstate: 3D000",
      "hint: create it (createdb NAME), or name another in the URL")
  }

  @Test func `knows no such role`() async throws {
    let cluster = try await PostgresCluster.shared
    let project = try TestProject(nil, ["a.sql": "select 1;"])
    try await project.tsdb("migrate up", environment: ["DATABASE_URL": cluster.url(user: "nobody_here")])
      .expect(1, "role \"nobody_here\" does not exist", "sqlstate: 28000")
  }

  @Test func `allows no more connections`() async throws {
    let cluster = try await PostgresCluster.shared
    try await withProject(["a.sql": "select 1;"]) { project, database in
      try await database.execute("create role \(database.name)_full login connection limit 0")
      try await project.tsdb(
        "migrate up",
        environment: ["DATABASE_URL": cluster.url(database: database.name, user: "\(database.name)_full")]
      ).expect(75, "too many connections", "sqlstate: 53300", "try again when fewer clients are connected")
      try await database.execute("drop role \(database.name)_full")
    }
  }
}

@Suite struct `A database that lets us read only` {
  @Test func `is a standby: status and verify work, up refuses`() async throws {
    try await PostgresCluster.with { primary in
      try await withProject(
        [
          "a.sql": "create table a (i int);", "a.verify.sql": "select i from a;",
          "a.down.sql": "drop table a;",
        ],
        on: primary
      ) { project, database in
        try await project.done("migrate up")
        let standby = try await primary.createStandby()
        try await primary.waitForReplay(on: standby)
        let there = ["DATABASE_URL": standby.url(database: database.name)]
        #expect(try await project.done("migrate status --check", environment: there).contains("1 applied"))
        #expect(try await project.done("migrate verify", environment: there).contains("ok a"))
        #expect(try await project.done("migrate up", environment: there).contains("nothing to do"))
        try project.write("b.sql", "create table b (i int);")
        try await project.tsdb("migrate up", environment: there).expect(
          1, "error: the server is a read-only standby", "Nothing was changed.", "connect to the primary",
          "target_session_attrs=primary")
        try await project.tsdb("migrate status --check", environment: there).expect(2)
        #expect(
          try await project.done("migrate up --dry-run", environment: there).contains(
            "would apply 1 migration"))
        try await project.tsdb("migrate down --yes", environment: there).expect(1, "read-only standby")
        try await project.tsdb("migrate accept a", environment: there).expect(1, "read-only standby")
        await standby.destroy()
      }
    }
  }

  @Test func `is set to read-only transactions`() async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      try await database.execute("alter database \(database.name) set default_transaction_read_only = on")
      let result = try await project.tsdb("migrate up")
      result.expect(
        1, "the database \"\(database.name)\" is set to read-only transactions",
        "default_transaction_read_only",
        "hint: ")
      #expect(try await database.value("select to_regclass('a')") == nil)
      #expect(try await database.value("select to_regnamespace('tsdb')") == nil)
      #expect(try await project.done("migrate status").contains("1 pending"))
    }
  }
}

@Suite struct `A role without rights` {
  private func withRole(
    _ grants: [String], _ body: (TestProject, TestDatabase, [String: String]) async throws -> Void
  ) async throws {
    try await withProject(["a.sql": "create table a (i int);"]) { project, database in
      let role = database.name + "_role"
      try await database.execute("create role \(role) login")
      for grant in grants { try await database.execute(grant.replacingOccurrences(of: "ROLE", with: role)) }
      let url = ["DATABASE_URL": database.cluster.url(database: database.name, user: role)]
      do {
        try await body(project, database, url)
      } catch {
        try? await database.execute("drop owned by \(role); drop role \(role)")
        throw error
      }
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func `may not create the schema of the history`() async throws {
    try await withRole(["grant create on schema public to ROLE"]) { project, database, url in
      let role = database.name + "_role"
      let result = try await database.expectUnchanged {
        try await project.tsdb("migrate up", environment: url)
      }
      result.expect(
        1, "role \"\(role)\" may not create the history: permission denied for database", "sqlstate: 42501",
        "Nothing was changed.", "create schema \"tsdb\" authorization \"\(role)\";")
      // The hint, followed to the letter, is enough.
      try await database.execute("create schema tsdb authorization \(role)")
      try await project.done("migrate up", environment: url)
    }
  }

  @Test func `may not create in public`() async throws {
    try await withRole(["create schema tsdb authorization ROLE"]) { project, database, url in
      let result = try await project.tsdb("migrate up", environment: url)
      result.expect(
        1, "permission denied for schema public", "a.sql:1:14", "sqlstate: 42501", "\"a\" was rolled back",
        "let the owner grant what is missing")
      #expect(try await database.value("select count(*) from tsdb.migrations") == "0")
    }
  }

  @Test(arguments: ["migrate status", "migrate verify", "migrate up"])
  func `may not read the history`(_ command: String) async throws {
    try await withRole([]) { project, database, url in
      try await project.done("migrate up")
      let result = try await database.expectUnchanged { try await project.tsdb(command, environment: url) }
      result.expect(
        1, "role \"\(database.name)_role\" may not read the history", "permission denied for schema tsdb",
        "sqlstate: 42501", "grant usage on schema \"tsdb\" to \"\(database.name)_role\"")
    }
  }

  @Test func `may read the history but not write it`() async throws {
    try await withRole([]) { project, database, url in
      try await project.done("migrate up")
      let role = database.name + "_role"
      try await database.execute(
        "grant usage on schema tsdb to \(role); grant select on all tables in schema tsdb to \(role)")
      try await project.done("migrate status --check", environment: url)
      #expect(try await project.done("migrate up", environment: url).contains("nothing to do"))
      try project.write("b.sql", "select 1;")
      let result = try await database.expectUnchanged {
        try await project.tsdb("migrate up", environment: url)
      }
      result.expect(1, "permission denied for", "sqlstate: 42501", "hint: ")
    }
  }
}

@Suite struct `A password that is wrong` {
  @Test func `or missing is refused with a hint`() async throws {
    try await PostgresCluster.with(.init(password: "right-one")) { cluster in
      let project = try TestProject(nil, ["a.sql": "create table a (i int);"])
      let base = "postgresql://postgres@127.0.0.1:\(cluster.port)/postgres"
      let wrong = try await project.tsdb(
        "migrate up", environment: ["DATABASE_URL": base, "PGPASSWORD": "wrong-one"])
      wrong.expect(
        1, "password authentication failed for user \"postgres\"", "sqlstate: 28P01",
        "hint: check the user and the password (PGPASSWORD, ~/.pgpass), and pg_hba.conf on the server")
      #expect(!wrong.description.contains("wrong-one"))
      try await project.tsdb("migrate status", environment: ["DATABASE_URL": base])
        .expect(1, "no password supplied", "sqlstate: 28P01")
      try await project.done("migrate up", environment: ["DATABASE_URL": base, "PGPASSWORD": "right-one"])
    }
  }
}
