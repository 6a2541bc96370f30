import Archive
import Foundation
import TestSupport

/// pg_dump and pg_restore of the server that the tests run on.
enum PgDump {
  /// Writes an archive of a database and returns its path.
  static func dump(
    _ database: TestDatabase, _ arguments: [String], into directory: TemporaryDirectory,
    name: String = "archive"
  ) async throws -> String {
    let path = directory.path(name)
    try await run(
      database.cluster, "pg_dump",
      arguments + [
        "-h", database.cluster.host, "-p", "\(database.cluster.port)", "-U", "postgres", "-f", path,
        database.name,
      ])
    return path
  }

  @discardableResult
  static func run(_ cluster: PostgresCluster, _ program: String, _ arguments: [String]) async throws -> String
  {
    let result = try await ToolRun(
      executable: cluster.executable(program), arguments, environment: ["PATH": "/usr/bin:/bin"]
    ).finish(within: .seconds(120))
    guard result.exitStatus == 0 else { throw TestSupportError("\(program) \(arguments) failed: \(result)") }
    return result.standardOutput
  }

  /// Such as 15.
  static func majorVersion(_ cluster: PostgresCluster) async throws -> Int {
    let text = try await run(cluster, "pg_dump", ["--version"])
    return Int(text.split { !$0.isNumber }.first ?? "") ?? 0
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }
}
