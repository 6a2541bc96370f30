import Archive
import Backups
import LocalServer
import Migrations
import Postgres
import SystemPackage
import Timekeeping

/// The proof of one backup whose files were just verified.
struct ProofRun: Sendable {
  let backup: HeldBackup
  let files: BackupVerify.Result.Backup
  let jobs: Int
  let parent: FilePath
  let keepsServer: Bool
  let access: RepositoryAccess
  let report: @Sendable (BackupProve.Event) -> Void

  typealias Result = BackupProve.Result

  /// What one attempt on a server came to.
  private struct Attempt: Sendable {
    var outcome: Result.Outcome
    var findings: [RestoreFinding] = []
    var serverVersion: String?
    var comparedCatalogue = false
    var restore: RestoreReport?
    var scripts: ProofScripts?
    var notes: [String] = []
    var kept: Result.Kept?
  }

  func perform() async throws -> Result.Backup {
    guard files.verified else { return result(Attempt(outcome: .damaged)) }
    let (manifest, digest) = try ManifestFile.read(in: backup.directory)
    let attempt = try await attempt(manifest)
    if let proof = proof(attempt, digest) { await access.record(proof, of: backup) }
    return result(attempt)
  }

  private func result(_ attempt: Attempt) -> Result.Backup {
    Result.Backup(
      id: backup.id, path: backup.path.string, outcome: attempt.outcome, verification: files,
      findings: attempt.findings.map(Result.Finding.init), serverVersion: attempt.serverVersion,
      comparedCatalogue: attempt.comparedCatalogue, restore: attempt.restore, scripts: attempt.scripts,
      notes: attempt.notes, kept: attempt.kept)
  }

  /// nil where there is nothing to say for or against the backup.
  private func proof(_ attempt: Attempt, _ digest: String) -> Proof? {
    let kind: Proof.Kind
    switch attempt.outcome {
    case .proven: kind = .proven
    case .failed: kind = .failed
    case .damaged, .notProven: return nil
    }
    let more = attempt.findings.count > 1 ? ", and \(attempt.findings.count - 1) more" : ""
    return Proof(
      kind: kind, time: .now, durationMilliseconds: attempt.restore?.milliseconds ?? 0,
      manifestSHA256: digest,
      tool: "tsdb \(Version.current)", serverVersion: attempt.serverVersion,
      detail: attempt.findings.first.map { "restored: \($0.problem)\(more)" } ?? attempt.scripts?.summary)
  }

  private func attempt(_ manifest: BackupManifest) async throws -> Attempt {
    let major = manifest.server.versionNumber / 10_000
    let installations = try InstallationSearch().installations()
    guard let installation = ServerInstallation.choose(among: installations, forDataOf: major) else {
      return Attempt(outcome: .notProven, findings: [Self.noServer(major, installations)])
    }
    report(.startingServer(version: "\(installation.version)"))
    let server = try ThrowawayServer.make(below: parent, installation: installation)
    do {
      var attempt = try await attempt(manifest, on: server)
      attempt.serverVersion = "\(installation.version)"
      attempt.comparedCatalogue =
        attempt.restore != nil && manifest.catalogFingerprint != nil && installation.version.major == major
      if installation.version.major != major {
        attempt.notes.append(
          "PostgreSQL \(major) is not installed here; restored on \(installation.version), so the catalogue was "
            + "not compared, and a restore on \(major) is likely to work but not shown")
      }
      try end(server, manifest, &attempt)
      return attempt
    } catch {
      // What stopped it is what is to be told; a server that stays is found by the next run.
      try? server.destroy()
      throw error
    }
  }

  private func end(
    _ server: ThrowawayServer, _ manifest: BackupManifest, _ attempt: inout Attempt
  ) throws {
    guard keepsServer else { return try server.destroy() }
    let name = BackupProof.databaseName(manifest)
    let url = try server.server.connectionSettings(database: name).url
    try server.keep(configuration: "local:\n  database: \(Self.quoted(name))\n")
    attempt.kept = Result.Kept(directory: server.directory.string, url: url)
  }

  /// A scalar in YAML's double quotes.
  private static func quoted(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "\"") { result, scalar in
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        result += (digits.count == 1 ? "\\x0" : "\\x") + digits
      default: result.unicodeScalars.append(scalar)
      }
    } + "\""
  }

  private static func noServer(_ major: Int, _ installations: [ServerInstallation]) -> RestoreFinding {
    let found = Set(installations.map(\.version.major)).sorted().map(String.init).joined(separator: ", ")
    return RestoreFinding(
      .obstacle,
      "no server of PostgreSQL \(major) or later is installed here"
        + (found.isEmpty ? "" : "; found \(found.contains(",") ? "are" : "is") \(found)"),
      remedy:
        "install it (Debian: apt-get install postgresql-\(major)), or set TSDB_PG_BINDIR to its directory")
  }
}

extension ProofRun {
  private func attempt(_ manifest: BackupManifest, on server: ThrowawayServer) async throws -> Attempt {
    let start = try server.start()
    try Task.checkCancellation()
    let needed = BackupProof.space(for: manifest)
    let free = try server.freeSpace()
    guard free >= needed else {
      return Attempt(
        outcome: .notProven,
        findings: [
          RestoreFinding(
            .obstacle,
            "the restored database takes about \(needed >> 20) MB, and \(free >> 20) MB are free where the throwaway "
              + "server keeps its data",
            remedy: "make room, or name a larger place with --scratch")
        ])
    }
    var settings = Postgres.ConnectionSettings(
      parameters: Dictionary(uniqueKeysWithValues: start.connection.keywords.map { ($0.keyword, $0.value) }))
    settings["target_session_attrs"] = "any"
    let proof = BackupProof(
      source: try RestoreSource(opening: backup.path), settings: settings,
      dataDirectory: try server.dataDirectory()?.string ?? "", jobs: jobs, keepsFailed: keepsServer,
      historySchema: access.project.configuration.historySchema
    ) { [report] in report(.restoring($0)) }
    switch try await proof.run(manifest) {
    case .different(let findings): return Attempt(outcome: .failed, findings: findings)
    case .notPossible(let findings): return Attempt(outcome: .notProven, findings: findings)
    case .equal(let restored):
      settings["dbname"] = restored.database
      let scripts = try await scripts(manifest, settings)
      let failed = scripts?.failed ?? []
      return Attempt(
        outcome: failed.isEmpty ? .proven : .notProven,
        findings: failed.map {
          RestoreFinding(
            .obstacle, $0,
            remedy: "the database may have been so when it was backed up: run \"tsdb migrate verify\" on it")
        }, restore: restored, scripts: scripts,
        notes: restored.notes)
    }
  }

  /// Runs the migrations' verify scripts in the restored database.
  private func scripts(
    _ manifest: BackupManifest, _ settings: Postgres.ConnectionSettings
  ) async throws -> ProofScripts? {
    guard let state = manifest.migrations else { return nil }
    let configuration = access.project.configuration
    guard state.schema == configuration.historySchema else {
      return ProofScripts(
        notChecked: "the backup's history is in schema \"\(state.schema)\", the project's in "
          + "\"\(configuration.historySchema)\"")
    }
    report(.runningScripts)
    let database = DatabaseAccess(
      project: access.project, settings: settings, options: configuration.runOptions)
    do {
      return ProofScripts(try await MigrateVerify().run(database))
    } catch let error as MigrationError where error.kind != .interrupted && error.kind != .tryAgain {
      return ProofScripts(notChecked: error.summary)
    }
  }
}
