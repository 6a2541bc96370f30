import Foundation
import Postgres
import TestSupport
import Testing

@testable import Checklists

/// Roles belong to the whole server: each test has one of its own, and takes it away.
@Suite struct `The application's role` {
  private static let grants = """
    grant select, insert, update on all tables in schema public to ROLE
    """

  private func with(
    _ name: String, _ body: (TestDatabase, _ role: String) async throws -> Void
  ) async throws {
    let role = "reach_\(name)_\(getpid())"
    let cluster = try await PostgresCluster.shared
    try await cluster.connect().run { _ = try $0.execute("create role \(role) login") }
    do {
      try await ApplicationDatabase.with { database in
        try await database.execute(Self.grants.replacing("ROLE", with: role))
        try await body(database, role)
      }
      try await cluster.connect().run { _ = try $0.execute("drop role \(role)") }
    } catch {
      _ = try? await cluster.connect().run { _ = try $0.execute("drop role \(role)") }
      throw error
    }
  }

  private func ask(_ database: TestDatabase, _ role: String? = nil) async throws -> ProbeAnswer {
    try await ApplicationDatabase.ask(
      DatabaseReachableProbe.self, role.map { ["role": $0] } ?? [:], database.settings)
  }

  /// What breaks a role, and what of it is told; whether it is found without being named.
  struct Defect: Sendable, CustomTestStringConvertible {
    let sql: String
    let told: String
    var isFound = true
    var testDescription: String { sql }
  }

  @Test(arguments: [
    Defect(
      sql: "alter role ROLE in database DB set default_transaction_read_only = on", told: "may only read"),
    Defect(sql: "alter role ROLE set default_transaction_read_only = true", told: "may only read"),
    Defect(sql: "alter role ROLE in database DB set search_path = nowhere", told: "search_path"),
    Defect(sql: "alter role ROLE set search_path = '\"Public\"', \"$user\"", told: "search_path"),
    Defect(sql: "alter database DB set search_path = nowhere", told: "search_path"),
    Defect(
      sql: "create schema ROLE authorization ROLE; create table ROLE.support_webhooks (a text)",
      told: "to others in place of support_webhooks"),
    Defect(sql: "alter role ROLE set statement_timeout = '5ms'", told: "statement_timeout"),
    Defect(sql: "alter role ROLE set idle_in_transaction_session_timeout = 1", told: "idle_in_transaction"),
    Defect(sql: "alter role ROLE set session_replication_role = replica", told: "no trigger fires"),
    Defect(sql: "alter role ROLE set role = pg_monitor", told: "cannot become role pg_monitor"),
    Defect(
      sql: "grant pg_monitor to ROLE; alter role ROLE set role = pg_monitor",
      told: "as pg_monitor, lacks insert"),
    Defect(sql: "alter role ROLE connection limit 0", told: "no connection"),
    Defect(sql: "alter role ROLE valid until '2020-01-01'", told: "has expired"),
    Defect(sql: "alter role ROLE nologin", told: "may not log in", isFound: false),
    Defect(sql: "revoke connect on database DB from public", told: "may not connect"),
    Defect(sql: "alter database DB connection limit 0", told: "takes no connection"),
    Defect(sql: "revoke usage on schema public from public", told: "lacks usage on schema public"),
    Defect(
      sql: "revoke update on public.support_troubleshooting_sessions from ROLE",
      told: "lacks update on support_troubleshooting_sessions"),
    Defect(
      sql: "revoke insert on public.support_troubleshooting_errors from ROLE",
      told: "lacks insert on support_troubleshooting_errors"),
    Defect(
      sql: "revoke select on public.vw_troubleshooting_realtime_metrics from ROLE",
      told: "lacks select on vw_troubleshooting_realtime_metrics"),
    Defect(
      sql: "revoke insert on public.support_troubleshooting_cache from ROLE",
      told: "lacks insert on support_troubleshooting_cache", isFound: false),
    Defect(
      sql: """
        revoke execute on function public.get_troubleshooting_stats(timestamptz, timestamptz) from public
        """, told: "lacks execute on get_troubleshooting_stats"),
    Defect(
      sql: """
        create sequence public.tsdb_numbers;
        alter table public.support_troubleshooting_errors alter column id drop identity,
          alter column id set default nextval('public.tsdb_numbers')
        """, told: "lacks usage on tsdb_numbers"),
    Defect(
      sql: "alter table public.support_webhooks enable row level security",
      told: "row security hides all rows of support_webhooks"),
  ]) func `is judged as the server would judge its new session, and the remedy cures it`(defect: Defect)
    async throws
  {
    try await with("defect_\(abs(defect.sql.hashValue % 100_000))") { database, role in
      #expect(try await ask(database, role).state == .proved)
      #expect(try await ask(database).state == .proved)
      let sql = defect.sql.replacing("ROLE", with: role).replacing("DB", with: database.name)
      try await database.execute(sql)
      let named = try await ask(database, role)
      #expect(named.state == .failed && named.observed.contains(defect.told), "\(named)")
      let found = try await ask(database)
      #expect(found.state == (defect.isFound ? .failed : .proved), "\(found)")
      #expect(!defect.isFound || found.observed.contains(defect.told), "\(found)")
      // A shadow is taken away by whoever made it; a search path cannot do it for them.
      guard !defect.told.hasPrefix("to others") else { return }
      let remedy = try #require(named.remedy)
      try await database.execute(remedy)
      let cured = try await ask(database, role)
      #expect(cured.state == .proved, "\(cured)")
    }
  }

  @Test func `is named in the evidence, and asked of by who deploys`() async throws {
    try await with("named") { database, role in
      let found = try await ask(database)
      #expect(found.observed.contains("; \(role): gets in"), "\(found)")
      #expect(found.observed.contains("asked as "), "\(found)")
      try await database.execute("revoke insert on all tables in schema public from \(role)")
      let none = try await ask(database)
      #expect(none.state == .proved && none.observed.contains("no other role"), "\(none)")
    }
  }

  @Test func `may have what the database refuses to others`() async throws {
    try await with("own") { database, role in
      try await database.execute(
        """
        alter database \(database.name) set search_path = nowhere;
        alter role \(role) in database \(database.name) set search_path = "$user", public;
        alter role \(role) in database \(database.name) set statement_timeout = '2s';
        """)
      #expect(try await ask(database, role).state == .proved)
      #expect(try await ask(database).state == .failed)
    }
  }

  /// One session of the role is there; another would be one too many.
  @Test func `has no connection left when its limit is reached`() async throws {
    try await with("limit") { database, role in
      try await database.execute("alter role \(role) connection limit 1")
      #expect(try await ask(database, role).state == .proved)
      let session = Session(database.settings(user: role), applicationName: "application")
      try await session.connect()
      let full = try await ask(database, role)
      #expect(full.state == .failed && full.observed.contains("all 1 connections"), "\(full)")
      await session.close()
    }
  }

  @Test func `a role that is none of the server's does not exist`() async throws {
    try await ApplicationDatabase.with { database in
      let answer = try await ask(database, "reach_nobody")
      #expect(answer.state == .failed && answer.observed.contains("does not exist"), "\(answer)")
    }
  }

  @Test func `lacks what it has no right to, by name`() async throws {
    try await with("poor") { database, role in
      try await database.execute("revoke all on all tables in schema public from \(role)")
      let poor = try await ask(database, role)
      #expect(
        poor.state == .failed && poor.observed.contains("lacks select on support_troubleshooting_sessions"))
      try await database.execute(poor.remedy ?? "")
      #expect(try await ask(database, role).state == .proved)
    }
  }

  @Test(arguments: [
    ("\"$user\", public", ["$user", "public"]), ("Public ,tsdb", ["public", "tsdb"]), ("", []),
    ("\"a, \"\"b\"\"\", \"C\"", ["a, \"b\"", "C"]), ("\"\"", [""]),
  ]) func `search paths are read as the server reads them`(path: String, schemas: [String]) {
    #expect(RoleSettings.schemas(path) == schemas)
  }

  @Test(
    arguments: [
      ("5", 5.0), ("5ms", 5), ("1s", 1000), ("0.5 s", 500), ("2min", 120_000), ("1h", 3_600_000), ("0", 0),
      ("100us", 0.1), ("-1", -1), ("soon", nil), ("", nil),
    ] as [(String, Double?)])
  func `timeouts are read as the server reads them`(text: String, milliseconds: Double?) {
    #expect(RoleSettings.milliseconds(text) == milliseconds)
  }

  @Test func `a name that is an address is shown without it`() {
    #expect(RoleSight.shown("someone@example.invalid") == "someone…")
    #expect(RoleSight.shown("app") == "app")
  }
}
