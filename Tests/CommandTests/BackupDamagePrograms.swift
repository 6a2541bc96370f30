import Foundation
import TestSupport
import Testing

/// A pg_restore that is installed.
struct RestoreProgram: Sendable {
  enum Outcome: Equatable {
    case noticed
    /// It noticed what it need not.
    case noticedMore
    /// The data is the same.
    case equalData
    case excused(String)
    case unnoticed

    var text: String {
      switch self {
      case .noticed: "failed, as they must"
      case .noticedMore: "failed, though nothing was sure to show"
      case .equalData: "passed: bits between deflate blocks, the data is the same"
      case .excused(let reason): "passed: \(reason)"
      case .unnoticed: "passed, and must not"
      }
    }
  }

  let path: String
  let version: String

  /// That of the server, and the newest of those that `TSDB_TEST_PG_RESTORES` names, separated by colons.
  static func all(beside binaries: String) async throws -> [RestoreProgram] {
    let named = (ProcessInfo.processInfo.environment["TSDB_TEST_PG_RESTORES"] ?? "").split(separator: ":")
    var programs: [RestoreProgram] = []
    for directory in [binaries] + named.map(String.init) {
      let path = directory + "/pg_restore"
      let result = try await ToolRun(executable: path, ["--version"], environment: [:]).finish()
      let version = result.standardOutput.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
      programs.append(
        RestoreProgram(path: path, version: version.trimmingCharacters(in: .whitespacesAndNewlines)))
    }
    let newest = programs.dropFirst().max { $0.numbers.lexicographicallyPrecedes($1.numbers) }
    return [programs[0]] + (newest.map { [$0] } ?? [])
  }

  private var numbers: [Int] { version.split(separator: ".").compactMap { Int($0) } }

  /// Source: the releases with the fix for following links out of an archive.
  private var refusesLinks: Bool {
    guard let major = numbers.first, let minor = numbers.dropFirst().first else { return false }
    let first = [14: 25, 15: 20, 16: 16, 17: 12, 18: 7]
    return major > 18 || first[major].map { minor >= $0 } ?? false
  }

  /// Reads the whole archive without a server.
  func outcome(_ damage: BackupDamage, _ archive: String, _ files: BackupFiles) async throws -> Outcome {
    let result = try await ToolRun(
      executable: path, ["--file=/dev/null", archive], environment: ["PATH": "/usr/bin:/bin"]
    ).finish(within: .seconds(120))
    let hasFailed = result.exitStatus != 0
    switch damage.notice {
    case .cannot(let reason): return hasFailed ? .noticedMore : .excused(reason)
    case .failsForLinks where !refusesLinks: return hasFailed ? .noticedMore : .excused("it follows links")
    case .fails, .failsForLinks:
      if hasFailed { return .noticed }
      return try await holdsEqualData(damage, archive, files) ? .equalData : .unnoticed
    }
  }

  /// Some bits only fill up a byte, before a block that is stored: whoever decodes skips them.
  private func holdsEqualData(_ damage: BackupDamage, _ archive: String, _ files: BackupFiles) async throws
    -> Bool
  {
    guard let (name, _) = damage.changes.first, damage.changes.count == 1, name.hasSuffix(".gz"),
      let original = files.bytes[name]
    else { return false }
    let directory = try TemporaryDirectory()
    try directory.write("original.gz", bytes: original)
    let compare = "gzip -dc '\(archive)/\(name)' > damaged && gzip -dc original.gz | cmp - damaged"
    let result = try await ToolRun(
      executable: "/bin/sh", ["-c", compare], environment: ["PATH": "/usr/bin:/bin"],
      directory: directory.path
    ).finish()
    return result.exitStatus == 0
  }
}
