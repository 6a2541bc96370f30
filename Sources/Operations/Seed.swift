import Migrations
import Postgres

/// Inserts the initial configuration.
public struct Seed: Sendable {
  /// Runs also files that were seeded before.
  public var isForced: Bool

  public init(isForced: Bool = false) {
    self.isForced = isForced
  }

  public struct Result: Sendable, Encodable {
    public struct File: Sendable, Encodable {
      public let name: String
      public let outcome: String
      public let rows: Int
    }

    public let database: String
    public let files: [File]
  }

  public func run(_ access: DatabaseAccess) async throws -> Result {
    let files = try Self.files(of: access.project)
    let (directory, policy) = (try access.project.migrations(), access.project.configuration.order)
    let isForced = isForced
    return try await access.withRunner("seed") { runner, connection in
      if files.isEmpty { return Result(database: runner.server.database, files: []) }
      if let refusal = runner.server.refusalToWrite() { throw refusal }
      return try runner.exclusively(on: connection) { connection in
        let plan = try runner.plan(for: directory, policy: policy, on: connection)
        let results = try runner.seed(files, plan: plan, isForced: isForced, on: connection)
        return Result(
          database: runner.server.database,
          files: results.map { Result.File(name: $0.name, outcome: $0.outcome.rawValue, rows: $0.rowCount) })
      }
    }
  }

  /// The seed files, by name.
  static func files(of project: Project) throws(MigrationError) -> [MigrationFile] {
    var files: [MigrationFile] = []
    for directory in project.configuration.seedDirectories {
      for path in try SQLFiles.paths(
        below: directory, root: project.root,
        hint: "create it, or name another under \"seed: directories\" in tsdb.yaml")
      {
        files.append(
          try MigrationFile(
            name: SQLFiles.name(of: path), path: path, bytes: try SQLFiles.read(path, root: project.root)))
      }
    }
    files.sort { $0.name < $1.name }
    for (first, second) in zip(files, files.dropFirst()) where first.name == second.name {
      throw MigrationError(
        .invalidInput, "two seed files have the name \"\(first.name).sql\"",
        detail: "They are \(first.path) and \(second.path).",
        hint: "rename one of them; what was seeded is recorded by name")
    }
    return files
  }
}
