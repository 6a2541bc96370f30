import Archive

/// What a restore that ended with an error says about its backup.
enum ProofFailure {
  /// - Parameter serverMajor: of the server that it was tried on.
  static func judge(_ error: BackupError, manifest: BackupManifest, serverMajor: Int) -> RestoreFinding {
    let problem = [error.message, error.detail.map(facts)].compactMap { $0 }.filter { !$0.isEmpty }
      .joined(separator: ": ")
    let major = manifest.server.versionNumber / 10_000
    let state = error.sqlState ?? ""
    if problem.contains("shared_preload_libraries") || (error.hint ?? "").contains("shared_preload_libraries")
    {
      return RestoreFinding(
        .obstacle, problem,
        remedy: "restore it with \"tsdb restore\" on a server that loads the extension's library at its start"
      )
    }
    // Insufficient resources; a file, such as an extension's library, that is not there.
    if state.hasPrefix("53") || state == "58P01" {
      return RestoreFinding(.obstacle, problem, remedy: error.hint)
    }
    if !manifest.scope.isWholeDatabase {
      return RestoreFinding(
        .obstacle, problem,
        remedy: "a backup of some tables may need what else was in the database: prove one of the whole")
    }
    if serverMajor != major {
      return RestoreFinding(
        .obstacle, problem,
        remedy: "PostgreSQL \(serverMajor) may take less than \(major), which made the backup: install "
          + "PostgreSQL \(major) (Debian: apt-get install postgresql-\(major))")
    }
    return RestoreFinding(.difference, problem, remedy: error.hint)
  }

  /// Without what became of the new database, which is gone with its server.
  private static func facts(_ detail: String) -> String {
    detail.split(separator: "\n").filter {
      !$0.contains("new database was dropped") && !$0.hasPrefix("The unfinished")
    }
    .joined(separator: " ")
  }
}
