import Migrations
import Postgres

/// What is applied, pending and changed; writes nothing.
public struct MigrateStatus: Sendable {
  public init() {}

  public struct Result: Sendable, Encodable {
    public struct Migration: Sendable, Encodable {
      public let name: String
      public let state: String
      public let version: String?
      public let appliedAt: String?
      public let appliedBy: String?
      public let milliseconds: Int?
      public let requires: [String]
      public let repeatable: Bool
    }

    public let database: String
    public let serverVersion: Int
    public let migrations: [Migration]
    public let catalogFingerprint: String?

    /// Whether anything is not as it should be: what `--check` looks for.
    public var hasFindings: Bool {
      migrations.contains { migration in
        switch MigrationPlan.Standing(rawValue: migration.state) {
        case .applied, .cosmeticEdit: false
        default: true
        }
      }
    }

    public func count(_ standing: MigrationPlan.Standing) -> Int {
      migrations.count { $0.state == standing.rawValue }
    }
  }

  public func run(_ access: DatabaseAccess) async throws -> Result {
    let directory = try access.project.migrations()
    let policy = access.project.configuration.order
    return try await access.withRunner("migrate status") { runner, connection in
      let plan = try runner.plan(for: directory, policy: policy, on: connection)
      let latest = plan.entries.compactMap(\.history).max { $0.ordinal < $1.ordinal }
      return Result(
        database: runner.server.database, serverVersion: runner.server.versionNumber,
        migrations: plan.entries.map(Self.migration), catalogFingerprint: latest?.fingerprint)
    }
  }

  private static func migration(_ entry: MigrationPlan.Entry) -> Result.Migration {
    Result.Migration(
      name: entry.name, state: entry.standing.rawValue,
      version: entry.file?.directives.version ?? entry.history?.version, appliedAt: entry.history?.appliedAt,
      appliedBy: entry.history?.appliedBy, milliseconds: entry.history?.durationMilliseconds,
      requires: entry.file?.directives.requirements.map(\.name) ?? entry.history?.requirements ?? [],
      repeatable: entry.file?.directives.isRepeatable ?? entry.history?.isRepeatable ?? false)
  }
}
