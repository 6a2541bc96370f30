import Backups
import Migrations
import SystemPackage
import Timekeeping

/// Reads every byte of backups and records the outcome.
public struct BackupVerify: Sendable {
  public let names: [String]
  public let isAll: Bool
  public let database: String?
  public let jobs: Int

  /// - Parameter names: see ``RepositoryAccess/entry(_:database:)``; none for the latest.
  /// - Parameter isAll: instead every finished backup.
  public init(names: [String], isAll: Bool, database: String? = nil, jobs: Int) {
    self.names = names
    self.isAll = isAll
    self.database = database
    self.jobs = jobs
  }

  public struct Result: Sendable, Encodable {
    public struct Finding: Sendable, Encodable {
      public let file: String
      public let problem: String
    }

    public struct Backup: Sendable, Encodable {
      public let id: String
      public let path: String
      public let verified: Bool
      public let findings: [Finding]
      public let files: Int
      public let bytes: Int64
      public let tables: Int
      public let rows: Int64
      public let milliseconds: Int64
    }

    public let backups: [Backup]
    public var hasFindings: Bool { backups.contains { !$0.verified } }
  }

  public typealias ProgressReporter = @Sendable (_ id: String, _ progress: VerificationProgress) -> Void

  /// - Throws: ``BackupError`` when a backup does not exist or is being removed, `CancellationError`.
  public func run(_ access: RepositoryAccess, progress: @escaping ProgressReporter) async throws -> Result {
    var results: [Result.Backup] = []
    for entry in try entries(access) {
      try Task.checkCancellation()
      guard let backup = try hold(entry, access) else { continue }
      results.append(try await verify(backup, access, progress: progress))
    }
    return Result(backups: results)
  }

  /// Verifies one and records the outcome.
  func verify(
    _ backup: HeldBackup, _ access: RepositoryAccess, progress: @escaping ProgressReporter
  ) async throws -> Result.Backup {
    let verification = BackupVerification(backup, jobs: jobs) { progress(backup.id, $0) }
    let result = try await verification.run()
    await record(result, of: backup, access)
    return Result.Backup(
      id: backup.id, path: backup.path.string, verified: result.isWhole,
      findings: result.findings.map { Result.Finding(file: $0.path, problem: $0.problem) },
      files: result.files, bytes: result.bytes, tables: result.tables, rows: result.rows,
      milliseconds: result.durationMilliseconds)
  }

  /// - Returns: nil for one of all that is gone meanwhile.
  func hold(_ entry: BackupEntry, _ access: RepositoryAccess) throws(BackupError) -> HeldBackup? {
    do throws(BackupError) {
      return try access.hold(entry)
    } catch {
      guard isAll, error.kind != .failed else { throw error }
      access.warn("\(entry.id) was skipped: \(error.message)", nil, nil)
      return nil
    }
  }

  func entries(_ access: RepositoryAccess) throws -> [BackupEntry] {
    guard isAll else {
      return try (names.isEmpty ? ["latest"] : names).map { try access.entry($0, database: database) }
    }
    return try access.required().entries().filter { entry in
      switch entry.state {
      case .running, .abandoned, .deleting: false
      case .damaged, .complete, .verified, .proven: database == nil || entry.database == database
      }
    }
  }

  private func record(_ result: VerificationResult, of backup: HeldBackup, _ access: RepositoryAccess) async {
    // A manifest that cannot be read has no digest to put a proof to; the list shows it as damaged anyway.
    guard let digest = result.manifestSHA256 else { return }
    let first = result.findings.first.map { "\($0.path): \($0.problem)" }
    let more = result.findings.count > 1 ? ", and \(result.findings.count - 1) more" : ""
    let proof = Proof(
      kind: result.isWhole ? .verified : .failed, time: .now,
      durationMilliseconds: result.durationMilliseconds, manifestSHA256: digest,
      tool: "tsdb \(Version.current)", detail: first.map { $0 + more })
    await access.record(proof, of: backup)
  }
}

extension RepositoryAccess {
  /// Records a proof beside its backup, and in the configured database; what stands in the way is a warning.
  func record(_ proof: Proof, of backup: HeldBackup) async {
    do {
      try ProofLog.append(proof, in: backup.directory)
    } catch {
      warn("not recorded in \"\(backup.path)\": \(error.message)", nil, error.hint)
    }
    let entry = BackupEntry(reading: backup.directory, id: backup.id)
    await record { records, connection in
      records.record(entry, at: RepositoryAccess.place(of: entry), on: connection)
    }
  }
}
