import Migrations

/// What the project's verify scripts say about a restored database.
///
/// The files may be newer than the backup, or older. A script counts against the backup only where the files
/// are those that the backup was taken with: otherwise it may expect what came later.
public struct ProofScripts: Sendable, Encodable, Equatable {
  public let passed: Int
  /// One sentence for each, without a full stop.
  public let failed: [String]
  /// What was not checked, and why; one sentence for each, without a full stop.
  public let notChecked: [String]

  init(passed: Int = 0, failed: [String] = [], notChecked: [String] = []) {
    self.passed = passed
    self.failed = failed
    self.notChecked = notChecked
  }

  init(notChecked reason: String) { self.init(notChecked: [reason]) }

  init(_ result: MigrateVerify.Result) {
    let migrations = result.migrations
    let applied = migrations.filter { $0.script != "not-applied" }
    guard migrations.isEmpty || applied.contains(where: { Self.standing($0) != .missing }) else {
      self.init(notChecked: "the files of the backup's migrations are not in this project")
      return
    }
    let differences = Self.differences(migrations)
    var failed: [String] = []
    var notChecked = differences
    for migration in applied where migration.script == "failed" {
      let text = "verify script of \(migration.name): \(migration.message ?? "it failed")"
      if differences.isEmpty {
        failed.append(text)
      } else {
        notChecked.append(text + " (it may expect the state of the files here)")
      }
    }
    self.init(
      passed: applied.count { $0.script == "passed" }, failed: failed, notChecked: notChecked)
  }

  private static func standing(_ migration: MigrateVerify.Result.Migration) -> MigrationPlan.Standing? {
    MigrationPlan.Standing(rawValue: migration.state)
  }

  /// How the files here are not those of the backup.
  private static func differences(_ migrations: [MigrateVerify.Result.Migration]) -> [String] {
    func names(_ standings: MigrationPlan.Standing...) -> String? {
      let names = migrations.filter { migration in standings.contains { $0 == standing(migration) } }.map(
        \.name)
      return names.isEmpty ? nil : names.joined(separator: ", ")
    }
    return [
      names(.pending).map { "the backup is older than \($0)" },
      names(.missing).map { "no file here for \($0)" },
      names(.edited, .changedRepeatable).map { "edited since the backup: \($0)" },
      names(.interrupted).map { "interrupted when the backup was taken: \($0)" },
    ].compactMap { $0 }
  }

  /// Such as `5 verify scripts passed`.
  var summary: String {
    let passed = "\(passed) verify script\(passed == 1 ? "" : "s") passed"
    return notChecked.isEmpty ? passed : "\(passed); not checked: \(notChecked.joined(separator: "; "))"
  }
}
