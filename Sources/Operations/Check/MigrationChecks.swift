import Catalog
import Maintenance
import Migrations
import Postgres

/// Whether the files and the database agree.
enum MigrationChecks {
  static let pending = HealthCheckDescription(
    "pending", looksAt: "migrations that are pending, changed, missing or not finished",
    rights: "usage on the history's schema and select on its tables")
  static let drift = HealthCheckDescription(
    "drift", looksAt: "objects that are not as the migrations left them",
    rights: "usage on the history's schema and select on its tables")

  struct Facts: Sendable {
    struct Migration: Sendable {
      let name: String
      let state: MigrationPlan.Standing
    }

    struct Object: Sendable {
      /// `added`, `missing` or `changed`.
      let change: String
      let object: String
    }

    /// Whether anything was ever applied.
    var isManaged: Bool
    var migrations: [Migration]
    /// nil where it was not asked for.
    var drift: [Object]?
  }

  /// Both findings, of which only `names` are asked for.
  static func run(
    _ names: Set<String>, project: Project, settings: Postgres.ConnectionSettings
  ) async -> [HealthFinding] {
    let wanted = [pending, drift].filter { names.contains($0.name) }
    guard !wanted.isEmpty else { return [] }
    do {
      let facts = try await facts(names, project: project, settings: settings)
      return wanted.map { $0.name == pending.name ? pendingVerdict(facts) : driftVerdict(facts) }
    } catch {
      return wanted.map { failure($0, error) }
    }
  }

  private static func facts(
    _ names: Set<String>, project: Project, settings: Postgres.ConnectionSettings
  ) async throws -> Facts {
    let directory = try project.migrations()
    var options = project.configuration.runOptions
    options.lockTimeout = .milliseconds(200)
    options.lockAttempts = 1
    let access = DatabaseAccess(project: project, settings: settings, options: options)
    let policy = project.configuration.order
    let wantsDrift = names.contains(drift.name)
    return try await access.withRunner("check") { runner, connection in
      // Behind a pooler it would stay set for others.
      if !runner.server.isPooled { try connection.execute("set statement_timeout = '5s'") }
      let plan = try runner.plan(for: directory, policy: policy, on: connection)
      let isManaged = plan.entries.contains { $0.history != nil }
      var facts = Facts(
        isManaged: isManaged,
        migrations: plan.entries.map { Facts.Migration(name: $0.name, state: $0.standing) }, drift: nil)
      if wantsDrift, isManaged {
        let difference = try runner.catalogComparison(on: connection).difference
        facts.drift = MigrateVerify.Result.Drift.all(in: difference).map {
          Facts.Object(change: $0.change, object: "\($0.kind) \($0.object)")
        }
      }
      return facts
    }
  }

  static func pendingVerdict(_ facts: Facts) -> HealthFinding {
    guard facts.isManaged || facts.migrations.isEmpty else { return unmanaged(pending) }
    let problems = facts.migrations.compactMap { migration -> HealthProblem? in
      switch migration.state {
      case .applied, .cosmeticEdit: nil
      case .pending, .changedRepeatable:
        HealthProblem(
          .warning, "migration \"\(migration.name)\" is \(migration.state.rawValue)",
          remedy: "tsdb migrate up")
      default:
        HealthProblem(
          .critical, "migration \"\(migration.name)\" is \(migration.state.rawValue)",
          remedy: "tsdb migrate status")
      }
    }
    return HealthFinding(
      pending.name, problems: problems, several: "migrations that are not applied as they are",
      fine: facts.migrations.isEmpty
        ? "there are no migrations" : "\(counted(facts.migrations.count, "migration")) applied",
      performance: [
        PerformanceData(
          "pending_migrations",
          Double(facts.migrations.count { $0.state == .pending || $0.state == .changedRepeatable }))
      ])
  }

  static func driftVerdict(_ facts: Facts) -> HealthFinding {
    guard facts.isManaged || facts.migrations.isEmpty else { return unmanaged(drift) }
    let objects = facts.drift ?? []
    return HealthFinding(
      drift.name,
      problems: objects.map {
        HealthProblem(
          .warning, "\($0.object) is \($0.change)",
          remedy: "see tsdb migrate verify; put it back, or: tsdb migrate accept")
      }, several: "objects drifted", fine: "no drift",
      performance: [PerformanceData("drifted_objects", Double(objects.count))])
  }

  private static func unmanaged(_ check: HealthCheckDescription) -> HealthFinding {
    HealthFinding(
      check.name, .unknown, "this database is not managed by the project's migrations",
      detail: "It has no history of them. Without this question: tsdb check --skip pending,drift.",
      remedy: "tsdb migrate up")
  }

  private static func failure(_ check: HealthCheckDescription, _ error: any Error) -> HealthFinding {
    switch error {
    case let error as MigrationError:
      HealthFinding(
        check.name, .unknown, "could not look: \(error.summary)", detail: error.location.map { "At \($0)." },
        remedy: error.hint)
    case let error as PostgresError:
      HealthFinding(check.name, .unknown, "could not look: \(error.message)", remedy: error.hint)
    default: HealthFinding(check.name, .unknown, "could not look: \(error)")
    }
  }
}
