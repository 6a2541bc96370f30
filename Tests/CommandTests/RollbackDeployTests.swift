import Archive
import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

/// `tsdb deploy` and the way back from it.
@Suite struct `a deployment and its rollback` {
  private static let before: KeyValuePairs<String, String> = [
    "tsdb.yaml": "deploy:\n  prove: false\n",
    "one.sql": "create table one (i int primary key, name text);",
    "two.sql":
      "-- tsdb: requires one\ncreate materialized view two as select count(*) as n from one;\ncreate unique index on two (n);",
  ]

  /// The fourth fails, when all before have changed something.
  private static let after = [
    ("three.sql", "-- tsdb: requires one, two\nalter table one add column more text not null default 'x';"),
    (
      "four.sql",
      "-- tsdb: requires three\nupdate one set name = upper(name); delete from one where i % 2 = 0;"
    ),
    ("five.sql", "-- tsdb: requires four\ncreate table five (i int primary key);"),
    ("six.sql", "-- tsdb: requires five\ncreate table six (i int); select 1 / 0;"),
  ]

  /// Deploys twice: a first time with success, a second time into the failure.
  private func withFailure(
    _ options: String = "",
    _ body: (TestProject, TestDatabase, ToolRun.Result, [String: String]) async throws -> Void
  ) async throws {
    try await withProject(Self.before) { project, database in
      do {
        try await project.done("deploy")
        try await database.reconnected().execute(
          "insert into one select n, 'name ' || n from generate_series(1, 100) n; refresh materialized view two"
        )
        let content = try await content(project, database)
        for (name, text) in Self.after { try project.write(name, text) }
        let failed = try await project.tsdb("deploy \(options)")
        failed.expect(1, "division by zero")
        try await body(project, database, failed, content)
        try await dropKept(database)
      } catch {
        try await dropKept(database)
        throw error
      }
    }
  }

  /// Fingerprints of the tables outside tsdb's own schema, by a backup of their own.
  private func content(_ project: TestProject, _ database: TestDatabase) async throws -> [String: String] {
    let repository = project.directory.path("compared")
    try await project.done("backup --repository \(repository)")
    let name = try #require(
      FileManager.default.contentsOfDirectory(atPath: repository).filter { !$0.contains(".") }.max())
    let manifest = try FailedDeployment.manifest(at: "\(repository)/\(name)")
    var content = Dictionary(
      manifest.tables.filter { $0.schema != "tsdb" }.map { ("\($0.schema).\($0.name)", $0.fingerprint) }
    ) { $1 }
    content["catalogue"] = manifest.catalogFingerprint
    content["head"] = manifest.migrations?.head
    content["view"] = try await database.cluster.value("select n from two", database: database.name)
    return content
  }

  private func dropKept(_ database: TestDatabase) async throws {
    let cluster = database.cluster
    let names = try await cluster.connect().run { [name = database.name] connection in
      try connection.query(
        "select datname from pg_database where starts_with(datname, $1)", [name + "_"]
      ).rows().compactMap { $0[0] }
    }
    for name in names {
      try await cluster.connect().run {
        _ = try $0.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
      }
    }
  }

  @Test func `that failed in its fourth file ends with content-equal data`() async throws {
    try await withFailure { project, database, failed, before in
      failed.expect(1, "to go back: tsdb rollback")
      let changed = try await database.reconnected().value(
        "select count(*) from one where name = upper(name)")
      #expect(changed == "50")
      let preview = try await project.done("rollback --dry-run")
      // The deployment has noted what had been written before it.
      #expect(preview.contains("about ") && preview.contains("never restored on trial"), "\(preview)")
      let done = try await project.done("rollback --yes")
      #expect(done.contains("every row is equal"))
      #expect(try await content(project, database) == before)
      let records = try project.deployments()
      #expect(records.map(\.state) == ["deployed", "rolled-back"])
      // Mended, the next deployment is a new one.
      try project.write("six.sql", "-- tsdb: requires five\ncreate table six (i int);")
      try await project.done("deploy")
      #expect(try project.deployments().map(\.state) == ["deployed", "rolled-back", "deployed"])
      #expect(try await project.done("rollback --dry-run").contains("deployed"))
    }
  }

  @Test func `goes back by itself when it is told so before`() async throws {
    try await withFailure("--auto-rollback") { project, database, failed, before in
      failed.expect(1, "six", "It was rolled back by itself", "the failed database is kept as")
      #expect(try await content(project, database) == before)
      let record = try #require(try project.deployments().last)
      #expect(record.state == "rolled-back")
      #expect((record["rollback"] as? [String: Any])?["cause"] as? String == "automatic")
      #expect(try await project.done("rollback").contains("was rolled back before"))
      let row = try await database.reconnected().value(
        "select string_agg(state, ',' order by id) from tsdb.deployments")
      #expect(row == "deployed,rolled-back")
    }
  }

  @Test func `is not continued once its rollback has begun`() async throws {
    try await withFailure { project, _, _, _ in
      let id = try #require(try project.deployments().last?["id"] as? String)
      var record = try FailedDeployment.read(id, in: project.directory)
      record.rollback = .init(started: "2026-01-01T01:00:00Z", cause: "operator")
      record.begin(RollbackStep.restore, at: "2026-01-01T01:00:00Z")
      try FailedDeployment.write(record, in: project.directory)
      try await project.tsdb("deploy").expect(1, "tsdb rollback")
      try await project.done("rollback --yes")
    }
  }

  @Test func `that ended well can be gone back from as well`() async throws {
    try await withProject(Self.before) { project, database in
      try await project.done("deploy")
      let text = try await project.tsdb("rollback --yes")
      #expect(text.exitStatus == 0, "\(text)")
      let tables = try await database.reconnected().value(
        "select count(*) from pg_class where relnamespace = 'public'::regnamespace")
      #expect(tables == "0")
      try await dropKept(database)
    }
  }

  @Test func `asks the configured checklist, whose findings end it with 2`() async throws {
    try await withFailure { project, database, _, before in
      try project.write("tsdb.yaml", "deploy:\n  checklist: list.md\n  prove: false\n")
      try project.write(
        "./list.md",
        """
        ## Rollback
        - [ ] restored <!-- tsdb: rollback.restored -->
        - [ ] always red <!-- tsdb: command false -->
        """)
      let done = try await project.tsdb("rollback --yes")
      #expect(done.exitStatus == 2, "\(done)")
      #expect(done.standardOutput.contains("1 failed") && done.standardOutput.contains("1 proved"), "\(done)")
      #expect(done.standardOutput.contains("always red"))
      #expect(try await content(project, database) == before)
      let id = try #require(try project.deployments().last?["id"] as? String)
      let evidence = try project.directory.read(".tsdb/deployments/\(id)/rollback-1.jsonl")
      #expect(evidence.contains("rollback.restored") && !evidence.contains("\"document_phase\""))
      #expect(try await project.tsdb("rollback --yes").exitStatus == 0)
    }
  }
}
