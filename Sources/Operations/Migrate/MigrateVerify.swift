import Catalog
import Migrations
import Postgres

/// Compares files, verify scripts and the live catalogue with the history; writes nothing.
public struct MigrateVerify: Sendable {
  /// Verifies only this migration's script; nil for all.
  public var name: String?

  public init(name: String? = nil) {
    self.name = name
  }

  public struct Result: Sendable, Encodable {
    public struct Migration: Sendable, Encodable {
      public let name: String
      public let state: String
      /// `passed`, `failed`, `no-script`, or `not-applied`.
      public let script: String
      public let message: String?
      public let detail: String?
      public let location: String?
      public let excerpt: String?
    }

    public struct Drift: Sendable, Encodable {
      /// `added`, `missing` or `changed`.
      public let change: String
      public let kind: String
      public let object: String
      public let expected: String?
      public let found: String?
    }

    public let database: String
    public let migrations: [Migration]
    public let drift: [Drift]
    /// The fingerprint that the last migration recorded.
    public let recordedFingerprint: String?
    public let liveFingerprint: String?

    public var hasFindings: Bool {
      !drift.isEmpty
        || migrations.contains { migration in
          switch MigrationPlan.Standing(rawValue: migration.state) {
          case .applied, .cosmeticEdit, .pending, .changedRepeatable: migration.script == "failed"
          default: true
          }
        }
    }
  }

  public func run(_ access: DatabaseAccess) async throws -> Result {
    let directory = try access.project.migrations()
    let project = access.project
    let name = name
    return try await access.withRunner("migrate verify") { runner, connection in
      let plan = try runner.plan(for: directory, policy: project.configuration.order, on: connection)
      if let name, !plan.entries.contains(where: { $0.name == name }) {
        throw MigrationPlan.unknownMigration(name, known: plan.entries.map(\.name))
      }
      var migrations: [Result.Migration] = []
      for entry in plan.entries where name == nil || entry.name == name {
        migrations.append(try Self.verify(entry, project: project, runner: runner, on: connection))
      }
      let comparison = try runner.catalogComparison(on: connection)
      let latest = plan.entries.compactMap(\.history).max { $0.ordinal < $1.ordinal }
      return Result(
        database: runner.server.database, migrations: migrations,
        drift: Result.Drift.all(in: comparison.difference), recordedFingerprint: latest?.fingerprint,
        liveFingerprint: comparison.liveFingerprint)
    }
  }

  private static func verify(
    _ entry: MigrationPlan.Entry, project: Project, runner: MigrationRunner,
    on connection: borrowing Connection
  ) throws -> Result.Migration {
    func outcome(_ script: String, _ error: MigrationError? = nil) -> Result.Migration {
      Result.Migration(
        name: entry.name, state: entry.standing.rawValue, script: script, message: error?.summary,
        detail: error?.detail, location: error?.location?.description, excerpt: error?.excerpt)
    }
    guard entry.history?.state == .applied else { return outcome("not-applied") }
    guard let path = entry.file?.verifyPath else { return outcome("no-script") }
    let file = try MigrationFile(
      name: entry.name + ".verify", path: path, bytes: try SQLFiles.read(path, root: project.root))
    switch try runner.verify(file, on: connection) {
    case .passed: return outcome("passed")
    case .noScript: return outcome("no-script")
    case .failed(let error): return outcome("failed", error)
    }
  }
}

extension MigrateVerify.Result.Drift {
  static func all(in difference: CatalogDifference) -> [Self] {
    difference.added.map {
      Self(change: "added", kind: $0.kind.rawValue, object: $0.identity, expected: nil, found: $0.definition)
    }
      + difference.missing.map {
        Self(
          change: "missing", kind: $0.kind.rawValue, object: $0.identity, expected: $0.definition, found: nil)
      }
      + difference.changed.map {
        Self(
          change: "changed", kind: $0.name.kind.rawValue, object: $0.name.identity,
          expected: $0.before.definition,
          found: $0.after.definition)
      }
  }
}
