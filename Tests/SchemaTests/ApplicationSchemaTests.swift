import Catalog
import Foundation
import Postgres
import SQLSyntax
import TestSupport
import Testing

/// The application's five files, its initial configuration and what the contract says of them.
@Suite struct `The application's schema` {
  /// The order of the deployment checklist.
  static let names = [
    "support_troubleshooting_schema", "support_troubleshooting_feedback_schema", "support_webhooks_schema",
    "support_troubleshooting_advanced_schema", "support_troubleshooting_performance_schema",
  ]

  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  @Test func `is applied in the checklist's order, seeded and verified`() async throws {
    try await withDatabase { database in
      try await expectDone("migrate up", on: database)
      let order = try await database.rows("select name from tsdb.migrations order by ordinal")
      #expect(order.compactMap { $0[0] } == Self.names)
      #expect(
        try await expectDone("seed", on: database).contains("seeded support_troubleshooting_config: 6 rows"))
      #expect(
        try await expectDone("migrate verify", on: database).contains("5 verify scripts passed, no drift"))
      try await expectDone("migrate status --check", on: database)
      #expect(try await expectDone("migrate up", on: database).contains("nothing to do"))
      #expect(try await expectDone("seed", on: database).contains("unchanged"))
    }
  }

  @Test func `has the contract's 16 tables, 154 columns, 4 views, 3 materialized views and 12 functions`()
    async throws
  {
    try await withDatabase { database in
      try await expectDone("migrate up", on: database)
      let counts = try await database.rows(
        """
        select count(*) filter (where c.relkind in ('r', 'p')),
          sum((select count(*) from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)) filter (where c.relkind in ('r', 'p')),
          count(*) filter (where c.relkind = 'v'), count(*) filter (where c.relkind = 'm'),
          (select count(*) from pg_proc where pronamespace = 'public'::regnamespace
            and prorettype <> 'trigger'::regtype)
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and not c.relispartition
        """)
      #expect(counts == [["16", "154", "4", "3", "12"]])
    }
  }

  @Test(arguments: names)
  func `can run again on its own result without a change`(name: String) async throws {
    try await withDatabase { database in
      try await expectDone("migrate up", on: database)
      let script = try SQLScript.parse(
        SourceText(try String(contentsOfFile: "\(Self.root)/migrations/\(name).sql", encoding: .utf8)))
      let (before, after) = try await database.connect().run { connection in
        let before = try CatalogSnapshot.read(on: connection)
        try connection.execute("begin")
        for statement in script.statements { _ = try connection.query(statement.text) }
        try connection.execute("commit")
        return (before, try CatalogSnapshot.read(on: connection))
      }
      #expect(after.difference(from: before).isEmpty)
    }
  }

  @Test func `goes, and comes back the same`() async throws {
    try await withDatabase { database in
      let empty = try await snapshot(of: database)
      try await expectDone("migrate up", on: database)
      let first = try await snapshot(of: database)
      try await expectDone("migrate down --all --yes", on: database)
      #expect(try await snapshot(of: database).difference(from: empty).isEmpty)
      try await expectDone("migrate up", on: database)
      #expect(try await snapshot(of: database).difference(from: first).isEmpty)
    }
  }

  @Test func `takes its place beside tables of the same names only if they fit`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table public.support_troubleshooting_cache (cache_key text primary key)")
      let result = try await run("migrate up", on: database)
      #expect(result.exitStatus == 1)
      #expect(result.standardError.contains("migrations/support_troubleshooting_performance_schema.sql:"))
      #expect(result.standardError.contains("support_troubleshooting_advanced_schema"))
    }
  }

  @Test func `lets no directive be missing: every use of another file is required`() async throws {
    try await withDatabase { database in
      let plan = try await expectDone("migrate up --dry-run", on: database)
      #expect(plan.contains("would apply 5 migrations"))
      #expect(!plan.contains("not analysed"))
    }
  }

  /// 135 assertions on behaviour in each of its scenarios, on a server of the script's own.
  @Test func `does what its clients ask, in every scenario of the check script`() async throws {
    let binaries = try await PostgresCluster.shared.binaries
    let check = try ToolRun(
      executable: "/bin/bash", ["\(Self.root)/scripts/check-schema.sh", "--bindir", binaries],
      environment: [
        "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
      ],
      directory: Self.root)
    let result = try await check.finish(within: .seconds(600))
    #expect(result.exitStatus == 0, "\(result)")
  }

  private func snapshot(of database: TestDatabase) async throws -> CatalogSnapshot {
    try await database.connect().run {
      try CatalogSnapshot.read(on: $0, excludingSchemas: ["tsdb"])
    }
  }

  private func run(_ line: String, on database: TestDatabase) async throws -> ToolRun.Result {
    try await ToolRun.tsdb(
      line.split(separator: " ").map(String.init), environment: ["DATABASE_URL": database.url],
      directory: Self.root)
  }

  @discardableResult
  private func expectDone(
    _ line: String, on database: TestDatabase, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let result = try await run(line, on: database)
    #expect(result.exitStatus == 0, "\(result)", sourceLocation: sourceLocation)
    return result.standardOutput
  }
}
