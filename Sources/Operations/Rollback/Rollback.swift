import Archive
import Backups
import Deployments
import FoundationEssentials
import Postgres

/// Goes back to the backup that a deployment began with.
///
/// The backup is restored beside the live database and compared row by row; then the two names are swapped in one
/// transaction. At every moment the live name belongs to the failed database or to the restored one, complete. Each
/// step looks first at what is there, so that a rollback that was killed continues.
public struct Rollback: Sendable {
  /// How long sessions may go on with their transactions before they are ended.
  public var grace = DatabaseSwap.defaultGrace
  /// Connections that restore; nil for the configured number.
  public var jobs: Int?
  /// Who began it: `operator` or `automatic`.
  public var cause = "operator"
  /// The checklist whose items of the phase rollback are asked in the end, as it is meant on a command line; nil for
  /// the configured one.
  public var checklist: String?
  /// Of this process, for the checklist's commands.
  public var environment: [String: String] = [:]
  /// Held until the names are swapped; nil for a deployment that goes back by itself, which has given it up.
  public var databaseLock: DatabaseLock?
  /// Writes the page for people; what it throws is a finding.
  public var writePage: (@Sendable (DeploymentRecord) async throws -> Void)?

  public init() {}

  /// A rollback that was looked at and can begin; the backup is held as long as the value is.
  public struct Prepared: Sendable {
    public let preview: RollbackPreview
    let record: DeploymentRecord
    let backup: DeploymentRecord.Backup
    let situation: RollbackSituation
    let target: SwapTarget
    let archive: RestoreArchive
    let opened: RestoreArchive.Opened
    let later: [DeploymentRecord]
  }

  /// Looks whether the rollback can go on; changes nothing.
  ///
  /// Every byte of the backup is compared with its manifest, and the server is asked for all that a restore and a
  /// swap need.
  /// - Parameters:
  ///   - record: with a backup; see `RollbackDecision`.
  ///   - later: deployments of the same database that come after it.
  /// - Throws: `DeploymentError` for what stands in the way.
  public func prepare(
    _ record: DeploymentRecord, later: [DeploymentRecord] = [], _ access: DatabaseAccess,
    report: @escaping RollbackReporter
  ) async throws -> Prepared {
    var state = "The rollback has not begun: nothing was changed."
    do {
      guard let backup = record.backup else { throw Self.impossible(record) }
      let target = try SwapTarget(access)
      guard target.database == record.database else {
        throw DeploymentError(
          .invalidInput,
          "deployment \(record.id) is of \"\(record.database)\", not of \"\(target.database)\"",
          hint: "connect to \"\(record.database)\"")
      }
      let situation = try await RollbackSituation.read(record, target)
      if case .swapped = situation {
        state = Self.state(record, at: .verify)
      } else if record.rollback != nil {
        state = Self.state(record, at: .restore)
      }
      let archive = try archive(of: backup, record, access)
      let opened = try open(archive, backup, record, access)
      if situation == .untouched {
        var dryRun = archive.options
        dryRun.isDryRun = true
        _ = try await RestoreArchive(
          archive: archive.archive, target: .beside, options: dryRun, acceptsRows: false
        ).run(opened, access, report: { report(.restore($0)) }, swapReport: { _ in })
      }
      let facts = try await target.perform { connection in
        try RollbackFacts(record.database, on: connection)
      }
      let writes =
        if case .swapped = situation { RollbackWrites.none } else {
          await DeploymentWrites.since(record, access)
        }
      let later = later.filter { $0.hasChangedDatabase && $0.state != .rolledBack && $0.state != .abandoned }
      return Prepared(
        preview: RollbackPreview(
          record, backup, facts, writes, situation, neededSpace: opened.source.manifest?.server.database.size,
          later: later),
        record: record, backup: backup, situation: situation, target: target, archive: archive,
        opened: opened,
        later: later)
    } catch {
      if Task.isCancelled { throw DeploymentError(.interrupted, "interrupted", detail: state) }
      throw DeploymentError(error, during: state)
    }
  }

  /// Prepares and runs it; for a deployment that goes back by itself.
  ///
  /// - Returns: the record of what was done, which is saved.
  public func run(
    _ record: DeploymentRecord, _ access: DatabaseAccess, store: DeploymentStore,
    report: @escaping RollbackReporter
  ) async throws -> DeploymentRecord {
    let prepared = try await prepare(record, access, report: report)
    return try await run(prepared, access, store: store, report: report)
  }

  /// The refusal where there is no backup.
  public static func impossible(_ record: DeploymentRecord) -> DeploymentError {
    DeploymentError(
      .failed, "deployment \(record.id) has no backup to go back to",
      detail: "It changed \"\(record.database)\""
        + (record.step(.backup)?.because.map { ", and took no backup: \($0)." } ?? ", and took no backup.")
        + " Nothing was changed.",
      hint: "\"tsdb backup list\" shows what there is; \"tsdb restore ID --swap\" restores one of them")
  }
}

extension Rollback {
  /// The deployment's backup where it was taken, else in the project's repository, to which it may have been moved.
  private func archive(
    of backup: DeploymentRecord.Backup, _ record: DeploymentRecord, _ access: DatabaseAccess
  ) throws -> RestoreArchive {
    let configuration = access.project.configuration
    var options = RestoreOptions(
      target: .beside(record.database), jobs: jobs ?? configuration.backupJobs,
      historySchema: configuration.historySchema)
    options.willSwap = true
    var path = backup.path
    if !FileManager.default.fileExists(atPath: path) {
      let moved = access.project.path(configuration.backupRepository) + "/" + backup.id
      guard FileManager.default.fileExists(atPath: moved) else {
        throw DeploymentError(
          .failed, "the deployment's backup \(backup.id) is gone",
          detail: "It was taken as \"\(path)\".",
          hint:
            "put it back, also into \"\(access.project.path(configuration.backupRepository))\", or restore "
            + "another: \"tsdb backup list\", \"tsdb restore ID --swap\"")
      }
      path = moved
    }
    return RestoreArchive(archive: path, target: .beside, options: options, acceptsRows: false)
  }

  private func open(
    _ archive: RestoreArchive, _ backup: DeploymentRecord.Backup, _ record: DeploymentRecord,
    _ access: DatabaseAccess
  ) throws -> RestoreArchive.Opened {
    let opened: RestoreArchive.Opened
    do {
      opened = try archive.open(access)
    } catch let error as BackupError {
      throw BackupError(
        error.kind, "the deployment's backup \(backup.id) cannot be used: \(error.message)",
        detail: error.detail,
        hint: error.hint
          ?? "put a sound copy in its place, or restore another: \"tsdb backup list\", \"tsdb restore ID --swap\""
      )
    }
    guard let manifest = opened.source.manifest, manifest.id == backup.id,
      manifest.server.database.name == record.database, manifest.scope.isWholeDatabase,
      manifest.snapshot.time == backup.snapshotTime
    else {
      throw DeploymentError(
        .failed, "\"\(archive.archive)\" is not the backup that the deployment took",
        detail: "It should be \(backup.id) of the whole of \"\(record.database)\", with the state of "
          + "\(backup.snapshotTime).",
        hint: "put the deployment's backup back in its place")
    }
    return opened
  }
}
