import Migrations
import Postgres

/// Takes a state over that the history does not agree with, on a person's word.
public struct MigrateAccept: Sendable {
  public enum Subject: Sendable, Equatable {
    /// An edited file, whose effect the database already has.
    case edited(String)
    /// An applied migration whose file is gone for good.
    case missing(String)
    /// The live catalogue, as what the migrations left.
    case catalog
  }

  public let subject: Subject
  public let reason: String?

  public init(_ subject: Subject, reason: String?) {
    self.subject = subject
    self.reason = reason
  }

  public struct Result: Sendable, Encodable {
    /// False when there was nothing to accept.
    public let changed: Bool
    public let subject: String
    public let acceptedObjects: Int
  }

  public func run(_ access: DatabaseAccess) async throws -> Result {
    let directory = try access.project.migrations()
    let policy = access.project.configuration.order
    let (subject, reason) = (subject, reason)
    return try await access.withRunner("migrate accept") { runner, connection in
      if let refusal = runner.server.refusalToWrite() { throw refusal }
      return try runner.exclusively(on: connection) { connection in
        let plan = try runner.plan(for: directory, policy: policy, on: connection)
        switch subject {
        case .catalog:
          let accepted = try runner.acceptCatalog(reason: reason, on: connection)
          return Result(changed: accepted > 0, subject: "catalogue", acceptedObjects: accepted)
        case .missing(let name):
          let entry = try Self.entry(name, in: plan)
          guard entry.standing == .missing else {
            throw MigrationError(
              .invalidInput, "\"\(name)\" is not missing: its file is \(entry.file?.path ?? "there")",
              hint: "without --missing, an edited file is accepted")
          }
          try runner.acceptMissing(name, reason: reason, on: connection)
          return Result(changed: true, subject: name, acceptedObjects: 0)
        case .edited(let name):
          return try Self.acceptEdited(name, plan: plan, reason: reason, runner: runner, on: connection)
        }
      }
    }
  }

  private static func acceptEdited(
    _ name: String, plan: MigrationPlan, reason: String?, runner: MigrationRunner,
    on connection: borrowing Connection
  ) throws -> Result {
    let entry = try entry(name, in: plan)
    switch entry.standing {
    case .applied:
      return Result(changed: false, subject: name, acceptedObjects: 0)
    case .edited, .cosmeticEdit, .changedRepeatable:
      guard let file = entry.file else { return Result(changed: false, subject: name, acceptedObjects: 0) }
      try runner.accept(file, reason: reason, on: connection)
      return Result(changed: true, subject: name, acceptedObjects: 0)
    case .missing:
      throw MigrationError(
        .invalidInput, "the file of \"\(name)\" is missing",
        hint: "bring it back; or, if it is gone for good, run \"tsdb migrate accept \(name) --missing\"")
    case .pending, .interrupted:
      throw MigrationError(
        .invalidInput, "\"\(name)\" is not applied, so there is nothing to accept",
        hint: "run \"tsdb migrate up\"")
    }
  }

  private static func entry(_ name: String, in plan: MigrationPlan) throws -> MigrationPlan.Entry {
    guard let entry = plan.entries.first(where: { $0.name == name }) else {
      throw MigrationPlan.unknownMigration(name, known: plan.entries.map(\.name))
    }
    return entry
  }
}
