import Archive
import Backups
import Timekeeping

/// The backups of the database, by the repository and by the records in the database.
public struct ReportBackups: Sendable, Encodable {
  public struct Backup: Sendable, Encodable {
    public let id: ReportText
    /// As `tsdb backup list` has it; `removed` of one that only the records know.
    public let state: String
    public let started: String?
    public let seconds: Int64?
    public let bytes: Int64?
    public let rows: Int64?
    public let label: ReportText?
    public let migrationHead: ReportText?
    public let isWhole: Bool
    public let verified: String?
    /// When it was last restored on trial, with equal contents.
    public let proven: String?
    public let detail: ReportText?
  }

  /// When a backup was restored on trial.
  public struct Trial: Sendable, Encodable {
    public let time: String
    public let backup: ReportText
    public let succeeded: Bool
  }

  public let repository: ReportText
  public let isRepositoryThere: Bool
  /// Why the repository, or the records in the database, could not be read.
  public let gaps: [ReportGap]
  /// The newest first.
  public let backups: ReportList<Backup>
  /// The newest first.
  public let trials: ReportList<Trial>
  /// The newest whole backup that can be used, and the newest proof that one can.
  public let newest: String?
  public let newestProof: String?
  public let damaged: Int
  /// In the repository, of a database of this name on another server.
  public let foreign: Int
}

/// Puts the two sources together.
struct ReportBackupReading {
  /// A row of the records.
  struct Record: Sendable {
    let id: String
    let state: String
    let started: String?
    let seconds: Int64?
    let bytes: Int64?
    let rows: Int64?
    let label: String?
    let verified: String?
    let proven: String?
  }

  private static let limit = 200

  let project: Project
  let server: ReportServer
  let clean: ReportCleaning

  /// - Parameter records: nil where there are none or they could not be read.
  func read(_ records: [Record]?, gap: ReportGap?) -> ReportPart<ReportBackups> {
    var gaps = gap.map { [$0] } ?? []
    let path = project.path(project.configuration.backupRepository)
    var entries: [BackupEntry] = []
    var isThere = false
    var foreign = 0
    do throws(BackupError) {
      if let repository = try RepositoryAccess(project: project, path: path, settings: nil).existing() {
        isThere = true
        for entry in try repository.entries()
        where clean(entry.database ?? server.database.text) == server.database {
          let own = entry.manifest?.server.systemIdentifier
          if let own, let here = server.systemIdentifier, own != here {
            foreign += 1
          } else {
            entries.append(entry)
          }
        }
      }
    } catch {
      gaps.append(ReportGap(clean(error.message), remedy: clean(error.hint)))
    }
    guard isThere || records?.isEmpty == false || !gaps.isEmpty else { return .absent }
    let known = Set(entries.map(\.id))
    let rest = (records ?? []).filter { !known.contains($0.id) }
    let backups = (entries.map(backup) + rest.map(backup)).sorted { ($0.started ?? "") > ($1.started ?? "") }
    let trials = trials(entries, rest)
    let usable = backups.filter { $0.isWhole && ["complete", "verified", "proven"].contains($0.state) }
    return .known(
      ReportBackups(
        repository: clean(path), isRepositoryThere: isThere, gaps: gaps,
        backups: ReportList(backups, limit: Self.limit), trials: ReportList(trials, limit: Self.limit),
        newest: usable.first?.started, newestProof: trials.first(where: \.succeeded)?.time,
        damaged: backups.count { $0.state == "damaged" }, foreign: foreign))
  }

  private func trials(_ entries: [BackupEntry], _ records: [Record]) -> [ReportBackups.Trial] {
    let seen = entries.flatMap { entry in
      entry.proofs.filter { $0.kind != .verified }.map {
        ReportBackups.Trial(time: $0.time, backup: clean(entry.id), succeeded: $0.kind == .proven)
      }
    }
    let recorded = records.compactMap { record in
      record.proven.map { ReportBackups.Trial(time: $0, backup: clean(record.id), succeeded: true) }
    }
    return (seen + recorded).sorted { $0.time > $1.time }
  }

  private func backup(_ entry: BackupEntry) -> ReportBackups.Backup {
    let summary = BackupSummary(entry)
    func newest(_ kind: Proof.Kind) -> String? { entry.proofs.last { $0.kind == kind }?.time }
    return ReportBackups.Backup(
      id: clean(entry.id), state: summary.state, started: summary.started, seconds: summary.seconds,
      bytes: summary.size, rows: summary.rows, label: clean(summary.label),
      migrationHead: clean(summary.migrationHead), isWhole: summary.isWhole ?? false,
      verified: newest(.verified), proven: newest(.proven), detail: clean(summary.stateDetail))
  }

  private func backup(_ record: Record) -> ReportBackups.Backup {
    ReportBackups.Backup(
      id: clean(record.id), state: clean(record.state).text, started: record.started, seconds: record.seconds,
      bytes: record.bytes, rows: record.rows, label: clean(record.label), migrationHead: nil, isWhole: true,
      verified: record.verified, proven: record.proven, detail: nil)
  }
}
