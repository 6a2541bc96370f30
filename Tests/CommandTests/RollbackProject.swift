import Archive
import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

/// A project whose second deployment fails in its fourth file, after it has changed schema and data.
struct RollbackProject: Sendable {
  let project: TestProject
  let database: TestDatabase
  /// The path of the backup that the deployment began with.
  let backup: String
  let record: DeploymentRecord

  static let id = "20260101T000000Z-app"

  /// What a first deployment brought, with an application's data.
  private static let before: [(String, String)] = [
    ("001_customers.sql", "create table customers (id bigint primary key, name text not null, note text);"),
    (
      "002_tickets.sql",
      """
      -- tsdb: requires 001_customers
      create table tickets (id bigint generated always as identity primary key,
        customer bigint not null references customers, body text, created timestamptz not null default now());
      create index tickets_customer on tickets (customer);
      """
    ),
    (
      "003_totals.sql",
      """
      -- tsdb: requires 002_tickets
      create materialized view totals as select customer, count(*) from tickets group by customer;
      """
    ),
  ]

  private static let data = """
    insert into customers select n, 'customer ' || n, repeat('n', n % 50) from generate_series(1, 500) n;
    insert into tickets (customer, body) select n % 500 + 1, md5(n::text) from generate_series(1, 3000) n;
    refresh materialized view totals;
    """

  private static let after: [(String, String)] = [
    (
      "004_level.sql",
      "-- tsdb: requires 001_customers\nalter table customers add column level integer not null default 0;"
    ),
    (
      "005_clean.sql",
      """
      -- tsdb: requires 001_customers, 002_tickets
      update customers set name = upper(name);
      delete from tickets where id % 3 = 0;
      """
    ),
    ("006_audit.sql", "create table audit (id bigint primary key);"),
    ("007_fails.sql", "create table never (id integer); select 1 / 0;"),
  ]

  /// - Parameter isEmptyBefore: whether the deployment is the first on an empty database.
  static func with(
    isEmptyBefore: Bool = false, on cluster: PostgresCluster? = nil,
    _ body: (RollbackProject) async throws -> Void
  ) async throws {
    try await withProject(on: cluster) { project, database in
      do {
        try await body(try await make(project, database, isEmptyBefore: isEmptyBefore))
        try await dropOthers(database)
      } catch {
        try await dropOthers(database)
        throw error
      }
    }
  }

  private static func make(
    _ project: TestProject, _ database: TestDatabase, isEmptyBefore: Bool
  ) async throws -> RollbackProject {
    if !isEmptyBefore {
      for (name, text) in before { try project.write(name, text) }
      try await project.done("migrate up")
      try await database.execute(data)
    }
    try await project.done("backup")
    let backup = project.backupPath(try #require(project.backups().last))
    if isEmptyBefore { for (name, text) in before { try project.write(name, text) } }
    for (name, text) in after { try project.write(name, text) }
    try await project.tsdb("migrate up").expect(1, "division by zero")
    let record = try FailedDeployment.record(
      id: id, in: project.directory, of: database.name, backup: backup)
    return RollbackProject(project: project, database: database, backup: backup, record: record)
  }

  /// The databases that restores have made of the live one.
  static func others(_ database: TestDatabase) async throws -> [String] {
    try await database.cluster.connect().run { [name = database.name] connection in
      try connection.query(
        "select datname from pg_database where starts_with(datname, $1) order by 1", [name + "_"]
      ).rows().compactMap { $0[0] }
    }
  }

  private static func dropOthers(_ database: TestDatabase) async throws {
    for name in try await others(database) {
      try await database.cluster.connect().run {
        _ = try $0.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
      }
    }
  }

  func others() async throws -> [String] { try await Self.others(database) }

  /// The record as it is by now.
  func recorded() throws -> DeploymentRecord {
    try FailedDeployment.read(Self.id, in: project.directory)
  }

  /// Takes a backup of the live database, and expects what the deployment's backup holds.
  func expectContentOfBackup(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await project.done("backup", sourceLocation: sourceLocation)
    let last = project.backupPath(try #require(project.backups().last))
    let (expected, found) = (
      try FailedDeployment.manifest(at: backup), try FailedDeployment.manifest(at: last)
    )
    #expect(expected.id != found.id, sourceLocation: sourceLocation)
    #expect(Self.content(expected) == Self.content(found), sourceLocation: sourceLocation)
    #expect(expected.catalogFingerprint == found.catalogFingerprint, sourceLocation: sourceLocation)
    #expect(expected.migrations?.head == found.migrations?.head, sourceLocation: sourceLocation)
    let sequences = { (manifest: BackupManifest) in
      Set(manifest.sequences.map { "\($0.schema).\($0.name) \($0.value) \($0.isCalled)" })
    }
    #expect(sequences(expected) == sequences(found), sourceLocation: sourceLocation)
  }

  /// Fingerprints of all tables but tsdb's own.
  private static func content(_ manifest: BackupManifest) -> [String: String] {
    Dictionary(
      manifest.tables.filter { $0.schema != "tsdb" }.map { ("\($0.schema).\($0.name)", $0.fingerprint) }
    ) { $1 }
  }

  /// A line that tells whether the live database is the failed one or the one before, whole.
  func state() async throws -> String {
    let row = try await database.cluster.connect(database: database.name).run { connection in
      try connection.query(
        """
        select to_regclass('audit') is not null, to_regclass('never') is not null,
          (select count(*) from pg_attribute where attrelid = to_regclass('customers') and attname = 'level'),
          to_regclass('tickets') is not null
        """
      ).rows()[0]
    }
    switch row.map({ $0 ?? "" }) {
    case ["t", "f", "1", "t"]: return "failed"
    case ["f", "f", "0", "t"]: return "before"
    case ["f", "f", "0", "f"]: return "empty"
    default: return "mixed: \(row)"
    }
  }
}
