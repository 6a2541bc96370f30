import Migrations
import Postgres

/// Undoes migrations by their down scripts, newest first.
public struct MigrateDown: Sendable {
  public let target: DownPlan.Target

  public init(target: DownPlan.Target) {
    self.target = target
  }

  public struct Result: Sendable, Encodable {
    public struct File: Sendable, Encodable {
      public let name: String
      public let milliseconds: Int64
    }

    public let database: String
    public let undone: [File]
  }

  /// What would be undone, newest first, and in which database.
  public struct Preview: Sendable, Encodable {
    public let database: String
    public let names: [String]
  }

  public func preview(_ access: DatabaseAccess) async throws -> Preview {
    let directory = try access.project.migrations()
    let (policy, target) = (access.project.configuration.order, target)
    return try await access.withRunner("migrate down") { runner, connection in
      let plan = try runner.plan(for: directory, policy: policy, on: connection)
      return Preview(
        database: runner.server.database, names: try DownPlan(plan, target: target).entries.map(\.name))
    }
  }

  /// - Parameter expected: what the preview showed; anything else is refused, since it was not confirmed.
  public func run(_ access: DatabaseAccess, expected: [String]) async throws -> Result {
    let directory = try access.project.migrations()
    let (project, target) = (access.project, target)
    return try await access.withRunner("migrate down") { runner, connection in
      if expected.isEmpty { return Result(database: runner.server.database, undone: []) }
      if let refusal = runner.server.refusalToWrite() { throw refusal }
      return try runner.exclusively(on: connection) { connection in
        let plan = try runner.plan(for: directory, policy: project.configuration.order, on: connection)
        let entries = try DownPlan(plan, target: target).entries
        guard entries.map(\.name) == expected else {
          throw MigrationError(
            .tryAgain, "the applied migrations changed while this was being confirmed",
            detail: "Nothing was undone.",
            hint: "look at \"tsdb migrate status\" and run it again")
        }
        let undone = try runner.down(entries, on: connection) { entry in
          let path = entry.file?.downPath ?? ""
          return try MigrationFile(
            name: entry.name + ".down", path: path, bytes: try SQLFiles.read(path, root: project.root))
        }
        return Result(
          database: runner.server.database,
          undone: undone.map { Result.File(name: $0.name, milliseconds: $0.milliseconds) })
      }
    }
  }
}
