import Migrations
import Postgres

/// Applies what is pending.
public struct MigrateUp: Sendable {
  /// Applies nothing after this migration; nil for all.
  public var target: String?

  public init(target: String? = nil) {
    self.target = target
  }

  /// What was done.
  public struct Result: Sendable, Encodable {
    public struct File: Sendable, Encodable {
      public let name: String
      public let milliseconds: Int64
      public let statements: Int
    }

    public let database: String
    public let applied: [File]
    /// Applied by another run at the same time.
    public let appliedElsewhere: [String]
    /// Applied before.
    public let upToDate: Int
    public let cosmeticEdits: [String]
    public let driftedObjects: Int
  }

  /// - Throws: ``MigrationError``; its kind tells an edited file from a refused statement and from a
  ///   lock that was not to be had.
  public func run(_ access: DatabaseAccess) async throws -> Result {
    let directory = try access.project.migrations()
    let policy = access.project.configuration.order
    let (target, project) = (target, access.project)
    return try await access.withRunner("migrate up") { runner, connection in
      let plan = try runner.plan(for: directory, policy: policy, on: connection)
      if let refusal = plan.refusal() { throw refusal }
      if try plan.toRun(upTo: target).isEmpty {
        return Self.result(UpResult(), plan: plan, runner: runner)
      }
      try UnfinishedRollback.refuse(in: project, on: connection)
      if let refusal = runner.server.refusalToWrite() { throw refusal }
      return try runner.exclusively(on: connection) { connection in
        let plan = try runner.plan(for: directory, policy: policy, on: connection)
        let outcome = try runner.up(try plan.toRun(upTo: target), plan: plan, on: connection)
        return Self.result(outcome, plan: plan, runner: runner)
      }
    }
  }

  /// What would run, without running it.
  public func dryRun(_ access: DatabaseAccess) async throws -> DryRun {
    let directory = try access.project.migrations()
    let policy = access.project.configuration.order
    let target = target
    return try await access.withRunner("migrate up --dry-run") { runner, connection in
      let plan = try runner.plan(for: directory, policy: policy, on: connection)
      let files = try runner.dryRun(try plan.toRun(upTo: target), plan: plan, on: connection)
      return DryRun(
        database: runner.server.database,
        files: files.map { file in
          DryRun.File(
            name: file.name, transactional: file.isTransactional, notAnalysed: file.notAnalysed,
            statements: file.statements.map { DryRun.Statement(line: $0.line, command: $0.tag) })
        })
    }
  }

  /// The result of a dry run.
  public struct DryRun: Sendable, Encodable {
    public struct Statement: Sendable, Encodable {
      public let line: Int
      public let command: String
    }

    public struct File: Sendable, Encodable {
      public let name: String
      public let transactional: Bool
      /// Statements that the parser did not know; the server will decide.
      public let notAnalysed: Int
      public let statements: [Statement]
    }

    public let database: String
    public let files: [File]
  }

  private static func result(_ outcome: UpResult, plan: MigrationPlan, runner: MigrationRunner) -> Result {
    var applied: [Result.File] = []
    var elsewhere: [String] = []
    for file in outcome.files {
      switch file.outcome {
      case .applied(let milliseconds, let statements):
        applied.append(Result.File(name: file.name, milliseconds: milliseconds, statements: statements))
      case .appliedElsewhere:
        elsewhere.append(file.name)
      }
    }
    return Result(
      database: runner.server.database, applied: applied, appliedElsewhere: elsewhere,
      upToDate: plan.entries.count { !$0.isToRun }, cosmeticEdits: plan.entries(.cosmeticEdit).map(\.name),
      driftedObjects: outcome.driftCount)
  }
}
