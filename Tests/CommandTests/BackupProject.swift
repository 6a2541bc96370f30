import Foundation
import TestSupport
import Testing

/// A project without migrations, for backups of a database.
func withBackupProject<Result: Sendable>(
  on cluster: PostgresCluster? = nil, options: String = "",
  _ body: (TestProject, TestDatabase) async throws -> Result
) async throws -> Result {
  try await withProject(on: cluster, options: options, body)
}

extension TestProject {
  /// The names of complete backups, oldest first.
  func backups() -> [String] { names().filter { !$0.contains(".") } }

  /// What is in the repository and is no backup.
  func leftovers() -> [String] { names().filter { $0.contains(".") && !$0.hasPrefix(".") } }

  func backupPath(_ name: String) -> String { directory.path("backups/" + name) }

  func manifest(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: backupPath(name) + "/manifest.json"))
    return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func names() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path("backups"))) ?? []).sorted()
  }
}

/// Waits until `condition` holds.
func waitUntil(
  within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it did not come about within \(limit)", sourceLocation: sourceLocation)
      return
    }
    try await Task.sleep(for: .milliseconds(2))
  }
}
