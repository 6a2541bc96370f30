import Archive
import Backups
import Compression
import Deployments
import Migrations
import SystemPackage

extension DeployRun {
  private var label: String { "deploy-\(record.id)" }
  private var repositoryPath: String {
    access.project.path(access.project.configuration.backupRepository)
  }

  private var repository: RepositoryAccess {
    RepositoryAccess(project: access.project, path: repositoryPath, settings: access.settings) {
      [report] message, detail, hint in report(.warning(message, detail: detail, hint: hint))
    }
  }

  /// Takes the backup, or finds the one that an interrupted run has finished.
  mutating func backup() async throws -> End {
    if let entry = try existingBackup(), let manifest = entry.manifest {
      record.backup = DeploymentRecord.Backup(
        id: entry.id, path: entry.path.string, snapshotTime: manifest.snapshot.time,
        isProven: isProven(entry))
      return .done(
        "\(entry.id), taken before the interruption: \(counted(manifest.tables.count, "table")), "
          + counted(manifest.totalRows, "row")
      )
    }
    guard !record.hasChangedDatabase else {
      return .failed(
        "there is no backup \"\(label)\" any more in \"\(repositoryPath)\"",
        ["None is taken now: the database has been changed already."],
        hint: "bring it back, or go on without a way back: --skip backup --because \"…\"")
    }
    let facts = try await DeploymentFacts.read(access)
    record.writesAtBackup = await DeploymentWrites.count(access)
    record.headBefore = facts.migrationHead
    try store.save(record)
    let configuration = access.project.configuration
    var options = BackupOptions(
      jobs: configuration.backupJobs,
      compression: DataCompression(argument: configuration.backupCompression) ?? .fastest,
      historySchema: configuration.historySchema, tool: "tsdb \(Version.current)")
    options.label = label
    options.lockTimeout = configuration.backupLockTimeout
    let result = try await BackupCreate(options: options, repository: repositoryPath).run(access) {
      [report] event in report(.backup(event))
    }
    record.backup = DeploymentRecord.Backup(
      id: result.id, path: result.path, snapshotTime: result.snapshotTime)
    return .done("\(result.id): \(counted(result.tables, "table")), \(counted(result.rows, "row"))")
  }

  /// The newest usable one with the deployment's label, of this database.
  private func existingBackup() throws -> BackupEntry? {
    try repository.existing()?.entries().last { entry in
      entry.isUsable && entry.manifest?.label == label && entry.database == record.database
        && entry.manifest?.scope.isWholeDatabase == true
    }
  }

  private func isProven(_ entry: BackupEntry) -> Bool {
    if case .proven = entry.state { true } else { false }
  }

  /// Restores the backup on a throwaway server and compares.
  mutating func prove() async throws -> End {
    guard access.project.configuration.deploy.proves else {
      return .skipped("deploy.prove is false in tsdb.yaml")
    }
    guard let backup = record.backup else { return .skipped("the deployment has no backup of its own") }
    let verify = BackupVerify(
      names: [backup.path], isAll: false, jobs: access.project.configuration.backupJobs)
    let result = try await BackupProve(verify: verify).run(repository) { [report] id, event in
      report(.proof(id: id, event))
    }
    guard let proof = result.backups.first else { return .failed("the backup \(backup.id) is gone") }
    var findings = proof.findings.map { $0.problem + ($0.remedy.map { " (\($0))" } ?? "") }
    switch proof.outcome {
    case .proven:
      record.backup?.isProven = true
      let restored =
        proof.restore.map {
          ": \(counted($0.tables, "table")), \(counted($0.rows, "row")) restored, all equal"
        } ?? ""
      return .done(
        "\(backup.id)\(restored)"
          + (proof.serverVersion.map { ", on a throwaway server of PostgreSQL \($0)" } ?? ""), proof.notes)
    case .damaged, .failed:
      findings += proof.verification.findings.map { "\($0.file): \($0.problem)" }
      // It is of no use: the next run takes another.
      record.backup = nil
      record.steps.removeAll { $0.step == .backup }
      return .failed(
        proof.outcome == .damaged
          ? "the backup \(backup.id) is damaged" : "the backup \(backup.id) does not restore",
        findings, hint: "the same command takes another backup")
    case .notProven:
      return .failed(
        "the backup \(backup.id) could not be restored on trial", findings,
        hint: "provide what is missing; or go on without the proof: --skip prove --because \"…\"")
    }
  }
}
